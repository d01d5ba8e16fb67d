"""The presets over everything that the real agents were recorded with: the right outcome, and never a false success.

`tests/agents/expected.yaml` says what each transcript is; a transcript without a row, and a row without a transcript,
are mistakes. Every transcript is also cut after each line and in the middle of each line, with an exit code of 0 as
liars have it, and read with unknown events mixed in at every place.
"""

import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from orchestration.adapters import Adapter, End, Reader, denied
from orchestration.kinds import Failure
from orchestration.loading.yamltext import parse
from orchestration.results import Outcome
from tests.core.adapters import preset

FOLDER: Final = Path(__file__).resolve().parent.parent / "agents"
EXPECTED: Final[Mapping[str, Mapping[str, Any]]] = parse((FOLDER / "expected.yaml").read_text()).value
NOISE: Final = (
    b'{"type": "some.new.event", "item": {"type": "novelty", "text": "DONE"}, "part": {"text": "DONE"}}',
    b'{"type": "result_of_something", "subtype": "success", "is_error": false, "result": "DONE"}',
    b"(node:1) Warning: something is old",
    b'{"type": "turn.comp',
    b"[1, 2, 3]",
    b"\xff\xfe\x00",
    b"",
)
BY_US: Final = frozenset({"timeout", "idle_timeout", "first_output", "cancelled", "budget", "lingering"})


@dataclass(frozen=True)
class Transcript:
    """A recorded run."""

    agent: str
    case: str

    @property
    def folder(self) -> Path:
        return FOLDER / "transcripts" / self.agent / self.case

    @property
    def lines(self) -> list[bytes]:
        return (self.folder / "stdout.log").read_bytes().splitlines(keepends=True)

    @property
    def expected(self) -> Mapping[str, Any]:
        expected: Mapping[str, Any] = EXPECTED[self.agent][self.case]
        return expected

    def meta(self) -> Mapping[str, Any]:
        meta: Mapping[str, Any] = json.loads((self.folder / "meta.json").read_text())
        return meta

    def reader(self, adapter: Adapter) -> Reader:
        reader = adapter.reader(session=self.meta().get("session"))
        for line in (self.folder / "stderr.log").read_bytes().splitlines():
            reader.feed(line, "stderr")
        return reader

    def end(self) -> End:
        meta = self.meta()
        sent = meta["signal"]
        number = signal.Signals[sent].value if isinstance(sent, str) else sent
        ended_by = meta["ended_by"] if meta["ended_by"] in BY_US else "itself"
        return End(exit_code=meta["exit_code"], signal=number, ended_by=ended_by)


def recorded() -> Iterator[Transcript]:
    for file in sorted((FOLDER / "transcripts").glob("*/*/meta.json")):
        yield Transcript(file.parent.parent.name, file.parent.name)


TRANSCRIPTS: Final = [one for one in recorded() if one.case in EXPECTED.get(one.agent, {})]
every_transcript = pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda one: f"{one.agent}-{one.case}")


def verdict(reader: Reader, end: End) -> Outcome:
    return denied(reader.verdict(end), proved=False)


def told(outcome: Outcome) -> dict[str, Any]:
    failure = outcome.failure.value if outcome.failure else None
    return {"failure": failure, "claim": outcome.claim, "class": outcome.metadata.get("error_class")}


def test_every_transcript_has_a_row_and_every_row_a_transcript() -> None:
    found = {(one.agent, one.case) for one in recorded()}
    rows = {(agent, case) for agent, cases in EXPECTED.items() for case in cases}
    assert found == rows
    assert len(found) > 100


def test_every_agent_was_recorded_in_success_and_in_every_kind_of_trouble() -> None:
    for agent in ("codex", "claude-code", "opencode", "aider"):
        failures = {row["failure"] for row in EXPECTED[agent].values()}
        assert {None, "exit_code", "auth", "no_output", "crashed"} <= failures
        classes = {row["class"] for row in EXPECTED[agent].values()}
        assert {"auth", "usage"} <= classes


@every_transcript
def test_a_recorded_run_is_what_it_is(transcript: Transcript) -> None:
    adapter = preset(transcript.agent)
    reader = transcript.reader(adapter)
    for line in transcript.lines:
        reader.feed(line)
    outcome = verdict(reader, transcript.end())
    assert told(outcome) == dict(transcript.expected)
    assert outcome.error is None or outcome.error.strip()
    assert json.loads(json.dumps(outcome.to_dict())) is not None


@every_transcript
def test_cut_anywhere_with_exit_code_zero_it_is_a_success_only_if_it_has_everything(transcript: Transcript) -> None:
    adapter = preset(transcript.agent)
    may_succeed = transcript.expected["failure"] is None
    whole = transcript.reader(adapter)
    for line in transcript.lines:
        half = line[: len(line) // 2]
        if adapter.form.output.format == "jsonl":
            half_seen = whole.feed(half)
            assert half_seen.word is None
        assert not verdict(whole, End(exit_code=0)).succeeded or may_succeed
        whole.feed(line)
        outcome = verdict(whole, End(exit_code=0))
        assert not outcome.succeeded or (may_succeed and outcome.output)
        assert verdict(whole, End(exit_code=None, signal=9)).failure is not None
        assert verdict(whole, End(exit_code=0, ended_by="timeout")).failure is Failure.TIMEOUT


@every_transcript
def test_unknown_events_anywhere_change_nothing(transcript: Transcript) -> None:
    adapter = preset(transcript.agent)
    noise = NOISE if adapter.form.output.format == "jsonl" else (b"", b"   ", b"\xff"[:0])
    reader = transcript.reader(adapter)
    for line in transcript.lines:
        for strange in noise:
            assert reader.feed(strange).word in {None, "blank"}
        reader.feed(line)
    assert told(verdict(reader, transcript.end())) == dict(transcript.expected)


@pytest.mark.parametrize("agent", ["codex", "claude-code", "opencode"])
def test_what_a_resumed_session_used_is_counted_once(agent: str) -> None:
    adapter = preset(agent)
    first, again = Transcript(agent, "done"), Transcript(agent, "resume")
    outcomes = []
    totals = None
    for transcript in (first, again):
        reader = adapter.reader(session=transcript.meta()["session"], totals=totals)
        for line in transcript.lines:
            reader.feed(line)
        outcomes.append(reader.verdict(transcript.end()))
        totals = outcomes[-1].metadata.get("session_totals")
    used = [outcome.usage for outcome in outcomes]
    assert used[0] is not None
    assert used[1] is not None
    assert 0.5 < used[1].input_total / used[0].input_total < 1.5
