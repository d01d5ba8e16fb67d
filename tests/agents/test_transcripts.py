"""The recordings themselves: each case has its expectation, nothing of a machine is in them, and they stay small."""

import json
import re
from pathlib import Path

import pytest
import yaml

from orchestration.adapters import replay
from orchestration.loading.adapters import load_adapter
from tests.agents.cases import CASES
from tests.agents.hermetic import KEY
from tests.agents.programs import NAMES
from tests.agents.scrubbing import Scrubber, session_in

HERE = Path(__file__).parent
TRANSCRIPTS = HERE / "transcripts"
EXPECTED = yaml.safe_load((HERE / "expected.yaml").read_text(encoding="utf-8"))
FILES = {"stdout.log", "stderr.log", "meta.json"}
LARGEST = 1_500_000  # bytes of all of them


@pytest.mark.parametrize("agent", NAMES)
def test_every_case_is_recorded_and_has_its_expectation(agent: str) -> None:
    cases = {case.name for case in CASES if agent in case.agents}
    assert {folder.name for folder in (TRANSCRIPTS / agent).iterdir()} == cases
    assert {str(case) for case in EXPECTED[agent]} == cases


def test_every_recording_is_whole_and_all_together_are_small() -> None:
    folders = [folder for agent in NAMES for folder in (TRANSCRIPTS / agent).iterdir()]
    assert [folder for folder in folders if {file.name for file in folder.iterdir()} != FILES] == []
    assert sum(file.stat().st_size for folder in folders for file in folder.iterdir()) < LARGEST


def test_no_recording_holds_a_key_or_a_temporary_folder() -> None:
    foreign = re.compile(rf"{re.escape(KEY)}|(?<!agent)/tmp/|orch-record|/(?:root)/")
    held = [path for path in TRANSCRIPTS.rglob("*.*") if foreign.search(path.read_text(encoding="utf-8"))]
    assert held == []


def test_scrubbing_keeps_a_session_the_same_and_everything_else_as_it_is() -> None:
    place = Path("/somewhere/else_1")
    there = place / "work" / "a"
    scrubber = Scrubber(place, 4242)
    one, two = (f"0{number}a1f966-cef2-7f10-b9f2-c09fc4066457" for number in (1, 2))
    first = scrubber.scrub(f'{{"session_id":"{one}","cwd":"{there}","to":"127.0.0.1:4242"}}\n'.encode())
    again = scrubber.scrub(f"{two} {one} \xff half a line".encode("latin-1"))
    session = session_in(first)
    assert session is not None
    assert json.loads(first) == {"session_id": session, "cwd": "/project/a", "to": "127.0.0.1:8000"}
    assert again.endswith(session.encode() + b" \xff half a line")
    assert not again.startswith(session.encode())


TOKENS = {"done": (1000, 400, 20), "write": (2100, 800, 41), "tools-3": (4600, 1600, 86)}


@pytest.mark.parametrize("case", TOKENS)
@pytest.mark.parametrize("agent", NAMES[:3])
def test_an_adapter_counts_the_tokens_that_the_stub_gave_out(agent: str, case: str) -> None:
    lines = (TRANSCRIPTS / agent / case / "stdout.log").read_bytes().splitlines(keepends=True)
    usage = replay(load_adapter(Path(agent)), lines).usage
    assert usage is not None
    assert (usage.input_total, usage.cached_read, usage.output_total) == TOKENS[case]


def test_an_adapter_tells_when_a_limit_ends_if_its_agent_does() -> None:
    lines = (TRANSCRIPTS / "codex" / "inside-rate" / "stdout.log").read_bytes().splitlines(keepends=True)
    assert replay(load_adapter(Path("codex")), lines, exit_code=1).metadata["retry_after"] == 2
