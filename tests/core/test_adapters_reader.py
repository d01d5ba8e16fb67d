"""Reading what agents print: any bytes at all, live counts, side files, and values out of many events."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.adapters import End
from orchestration.adapters.values import MAX_TEXT
from orchestration.kinds import Failure
from tests.core.adapters import BEGIN, GOOD, TEXT, lines, outcome, preset, read, small
from tests.core.outcomes import json_values

STEPS = [{"event": "tool", "scope": "step", "dedupe_by": "id", "input": "in", "output": "out", "requests": "count"}]
SESSION = [{"event": "end", "scope": "session", "base": "used", "input": "in", "output": "out", "cost": "used.usd"}]
EVENTS = [{"is": "end", "match": {"ok": {"exists": True}}, "good_when": {"ok": True}}, {"is": "begun"}]
PRESETS = ("codex", "claude-code", "opencode", "aider")


@given(st.lists(st.binary(max_size=80), max_size=12), st.sampled_from(PRESETS))
def test_no_bytes_can_upset_a_reader(printed: list[bytes], name: str) -> None:
    reader = preset(name).reader()
    for line in printed:
        reader.feed(line)
        reader.feed(line, "stderr")
    assert not reader.verdict(End(exit_code=0)).succeeded


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["type", "id", "text", "ok", "error", "code"]), json_values))
def test_no_object_can_upset_a_reader(event: dict[str, object]) -> None:
    reader = small(usage=[*SESSION, *STEPS]).reader()
    reader.feed(json.dumps(event).encode())
    assert reader.verdict(End(exit_code=0)).metadata["adapter"] == "small"


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "end", "ok": tr',
        b"{" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"type": NaN}',
        b'{"type": ' + b"9" * 10_000 + b"}",
        b'["type", "end"]',
        b"null",
        b'"end"',
        b"\xff\xfe\x00{",
        b'{"type": "te\xc3',
        b"\x1b[31m{\x1b[0m",
        b"",
        b'{"type": "end", "ok": "true"}',
    ],
)
def test_a_strange_line_is_passed_over(line: bytes) -> None:
    reader = small().reader()
    reader.feed(line)
    for one in lines(BEGIN, TEXT, GOOD):
        reader.feed(one)
    assert reader.verdict(End(exit_code=0)).output == "It is done."


def test_a_line_of_five_megabytes_is_read() -> None:
    big = {"type": "text", "text": "x" * 5_000_000}
    found = outcome(small(), BEGIN, big, GOOD)
    assert found.succeeded
    assert len(found.output) == 5_000_000  # a last value is whatever the agent said; only what is gathered is bounded


def test_gathered_text_is_bounded() -> None:
    adapter = small(answer={"event": "text", "path": "text", "reduce": "concat"})
    found = outcome(adapter, BEGIN, *[{"type": "text", "text": "x" * 1_000_000}] * 6, GOOD)
    assert len(found.output) == MAX_TEXT


def test_halves_of_surrogate_pairs_and_nul_characters_do_not_get_through() -> None:
    found = outcome(
        small(), '{"type": "begin", "id": "s\\ud800"}', '{"type": "text", "text": "a\\udfffb\\u0000"}', GOOD
    )
    assert found.output == "a?b\ufffd"
    assert found.session_id == "s?"
    json.dumps(found.to_dict()).encode()


def test_a_line_that_was_dropped_is_told() -> None:
    reader = read(small(), lines(BEGIN, TEXT))
    reader.overlong("stdout", 9_000_000)
    found = reader.verdict(End(exit_code=0))
    assert not found.succeeded
    assert "9,000,000 bytes" in found.metadata["warnings"][0]


def test_people_see_texts_tools_with_short_input_and_plain_lines() -> None:
    reader = small().reader()
    seen = [reader.feed(line) for line in lines(TEXT, {"type": "tool", "name": "Bash", "input": {"command": "ls"}})]
    assert [one.text for one in seen] == ["It is done.", 'Bash {"command":"ls"}']
    assert [one.word for one in seen] == ["text", "tool"]
    assert reader.feed(b"warning: old node\r\n").text == "warning: old node"
    assert reader.feed(b'{"type": "new thing"}') == type(seen[0])()
    long = reader.feed(lines({"type": "tool", "name": "Write", "input": {"text": "x" * 999}})[0]).text
    assert long is not None
    assert len(long) < 200


def test_a_final_event_is_noticed_when_it_comes_and_forgotten_when_something_begins() -> None:
    reader = small().reader()
    finals = [(reader.feed(line).final, reader.is_final) for line in lines(BEGIN, TEXT, GOOD, TEXT, BEGIN)]
    assert finals == [(False, False), (False, False), (True, True), (False, True), (False, False)]


def test_an_agent_without_a_final_event_is_never_final() -> None:
    assert not read(small(end="process"), lines(BEGIN, TEXT, GOOD)).is_final


def test_live_counts_come_from_steps_until_the_final_figure_is_there() -> None:
    reader = small(usage=[*SESSION, *STEPS]).reader()
    for number, out in ((1, 5), (1, 7), (2, 1)):
        reader.feed(lines({"type": "tool", "id": number, "in": 10, "out": out})[0])
    live = reader.usage
    assert live is not None
    assert (live.input_total, live.output_total, live.requests, live.cost_usd) == (20, 8, 2, None)
    reader.feed(lines({"type": "end", "ok": True, "used": {"in": 21, "out": 9, "usd": 0.5}})[0])
    final = reader.usage
    assert final is not None
    assert (final.input_total, final.output_total, final.cost_usd, final.source) == (21, 9, 0.5, "reported")
    assert final.raw == {"in": 21, "out": 9, "usd": 0.5}


def test_totals_of_a_session_are_taken_away_when_it_is_resumed() -> None:
    adapter = small(usage=SESSION)
    end = {"type": "end", "ok": True, "used": {"in": 30, "out": 9, "usd": 0.5}}
    earlier = {"0": {"input": 20.0, "output": 4.0, "cost": 0.25}}
    resumed = read(adapter, lines(BEGIN, TEXT, end), session="s-1", totals=earlier).verdict(End(exit_code=0))
    assert resumed.usage is not None
    assert (resumed.usage.input_total, resumed.usage.output_total, resumed.usage.cost_usd) == (10, 5, 0.25)
    assert resumed.metadata["session_totals"] == {"0": {"input": 30.0, "output": 9.0, "cost": 0.5}}


def test_totals_that_went_backward_belong_to_a_new_session() -> None:
    end = {"type": "end", "ok": True, "used": {"in": 5, "out": 9, "usd": 0.5}}
    about = {"session": "s-1", "totals": {"0": {"input": 20.0, "output": 4.0, "cost": 0.25}}}
    found = read(small(usage=SESSION), lines(BEGIN, TEXT, end), **about).usage
    assert found is not None
    assert found.input_total == 5


def test_an_unknown_beginning_makes_the_usage_unknown_rather_than_wrong() -> None:
    end = {"type": "end", "ok": True, "used": {"in": 5, "out": 9}}
    found = read(small(usage=SESSION), lines(BEGIN, TEXT, end), session="s-1").verdict(End(exit_code=0))
    assert found.usage is None
    assert "not known" in found.metadata["warnings"][0]


def test_a_session_that_counted_nothing_before_counts_all_of_it_when_it_is_resumed() -> None:
    end = {"type": "end", "ok": True, "used": {"in": 5, "out": 9, "usd": 0.5}}
    cut_off = read(small(usage=SESSION), lines(BEGIN, TEXT)).verdict(End(exit_code=None, signal=9))
    assert (cut_off.usage, cut_off.metadata.get("session_totals")) == (None, None)
    found = read(small(usage=SESSION), lines(BEGIN, TEXT, end), session="s-1", totals={}).verdict(End(exit_code=0))
    assert found.usage is not None
    assert (found.usage.input_total, found.usage.output_total, found.usage.cost_usd) == (5, 9, 0.5)
    assert "warnings" not in found.metadata


def test_totals_outlive_an_attempt_that_reported_none() -> None:
    earlier = {"0": {"input": 20.0}}
    found = read(small(usage=SESSION), lines(BEGIN), session="s-1", totals=earlier).verdict(
        End(exit_code=None, signal=9)
    )
    assert found.metadata["session_totals"] == earlier


def test_an_attempt_that_was_counted_by_its_steps_is_not_counted_again_by_the_totals_of_its_session() -> None:
    run = {"event": "end", "scope": "run", "base": "own", "input": "in", "output": "out"}
    adapter = small(usage=[*SESSION, run, *STEPS])
    step = {"type": "tool", "id": 1, "in": 7, "out": 3}
    earlier = {"0": {"input": 20.0, "output": 4.0, "cost": 0.25}}
    killed = read(adapter, lines(BEGIN, step), session="s-1", totals=earlier).verdict(End(exit_code=None, signal=9))
    assert killed.usage is not None
    assert killed.usage.input_total == 7
    end = {"type": "end", "ok": True, "used": {"in": 37, "out": 9, "usd": 0.5}, "own": {"in": 10, "out": 2}}
    about = {"session": "s-1", "totals": killed.metadata["session_totals"]}
    found = read(adapter, lines(BEGIN, TEXT, end), **about).verdict(End(exit_code=0))
    assert found.usage is not None
    assert (found.usage.input_total, found.usage.output_total, found.usage.cost_usd) == (10, 2, None)
    assert found.metadata["session_totals"] == {"0": {"input": 37.0, "output": 9.0, "cost": 0.5}}


def test_what_goes_on_after_a_good_end_has_not_ended_and_a_failure_stands() -> None:
    events = [
        {"is": "begun", "match": {"type": "begin"}},
        {"is": "step", "match": {"type": "step"}, "final": "more"},
        {"is": "text", "match": {"type": "text"}},
        {"is": "end", "match": {"type": "end"}, "good_when": {"ok": True}},
    ]
    adapter = small(events=events)
    step, bad = {"type": "step"}, {"type": "end", "ok": False}
    ends = [(GOOD,), (GOOD, step), (GOOD, step, GOOD), (bad, step), (bad, step, GOOD)]
    told = [outcome(adapter, TEXT, *each).claim for each in ends]
    assert told == ["done", None, "done", "failed", "failed"]


def test_a_step_of_opencode_that_was_cut_off_after_a_good_one_is_no_success() -> None:
    def event(kind: str, **part: object) -> dict[str, object]:
        return {"type": kind, "sessionID": "s", "part": part}

    done = [event("step_start"), event("text", text="All is done."), event("step_finish", reason="stop", id="1")]
    assert read(preset("opencode"), lines(*done)).verdict(End(exit_code=0)).succeeded
    begun = read(preset("opencode"), lines(*done, event("step_start"))).verdict(End(exit_code=0))
    assert (begun.failure, begun.claim) == (Failure.INVALID_OUTPUT, None)
    assert read(preset("opencode"), lines(*done, *done)).verdict(End(exit_code=0)).succeeded


def test_a_session_that_was_lost_is_told_and_its_totals_are_not_taken_away() -> None:
    end = {"type": "end", "ok": True, "used": {"in": 30, "out": 9}}
    about = {"session": "s-0", "totals": {"0": {"input": 20.0, "output": 4.0}}}
    found = read(small(usage=SESSION), lines(BEGIN, TEXT, end), **about).verdict(End(exit_code=0))
    assert found.metadata["session_lost"] is True
    assert found.session_id == "s-1"
    assert found.usage is not None
    assert found.usage.input_total == 30


@pytest.mark.parametrize(
    ("meaning", "totals"),
    [
        ({"cached": "inside", "reasoning_is": "inside"}, (100, 50)),
        ({"cached": "outside", "reasoning_is": "inside"}, (135, 50)),
        ({"cached": "inside", "reasoning_is": "outside"}, (100, 57)),
    ],
)
def test_cached_and_reasoning_tokens_are_counted_once(meaning: dict[str, str], totals: tuple[int, int]) -> None:
    paths = {"input": "i", "output": "o", "cached_read": "c", "cache_write": "w", "reasoning": "r"}
    adapter = small(usage={"event": "end", **paths, **meaning})
    used = outcome(adapter, {"type": "end", "i": 100, "o": 50, "c": 30, "w": 5, "r": 7}).usage
    assert used is not None
    assert (used.input_total, used.output_total) == totals
    assert (used.cached_read, used.cache_write, used.reasoning) == (30, 5, 7)


def test_a_cost_is_reported_or_left_to_those_who_know_prices() -> None:
    adapter = small(usage={"event": "end", "input": "i", "output": "o", "cost": "usd"})
    unknown = read(adapter, lines({"type": "end", "i": 1_000_000, "o": 100_000})).usage
    assert unknown is not None
    assert (unknown.cost_usd, unknown.source) == (None, "reported")
    reported = read(adapter, lines({"type": "end", "i": 1, "usd": 0.1})).usage
    assert reported is not None
    assert (reported.cost_usd, reported.source) == (0.1, "reported")


def test_usage_may_stand_in_a_file_that_the_agent_leaves() -> None:
    files = [
        {"path": "{folder}/usage.json", "is": "tally"},
        {"path": "{home}/.helper/log.jsonl", "format": "jsonl", "is": "log"},
    ]
    usage = [{"event": "tally", "input": "total.in"}, {"event": "log", "scope": "step", "input": "in"}]
    adapter = small(side_files=files, usage=usage)
    reader = read(adapter, lines(BEGIN, TEXT, GOOD))
    reader.side_file("/h/.helper/log.jsonl", '{"in": 1}\nnoise\n{"in": 2}\n')
    assert reader.usage is not None
    assert reader.usage.input_total == 3
    reader.side_file("/f/usage.json", '{"total": {"in": 7}}')
    assert reader.usage.input_total == 7
    reader.side_file("/f/usage.json", "half {")
    reader.side_file("/f/other.json", "{}")
    assert reader.verdict(End(exit_code=0)).metadata["warnings"] == ["/f/usage.json holds no JSON"]


def test_values_are_gathered_as_the_file_says() -> None:
    texts = [{"type": "text", "text": t, "n": n} for t, n in (("a", 1), ("b", 2))]
    tool = {"type": "tool", "name": "x"}
    last = [{"type": "text", "text": t} for t in ("c", "d")]

    def answer(**how: object) -> str:
        return outcome(small(answer={"event": "text", "path": "text", **how}), *texts, tool, *last, GOOD).output

    assert answer() == "d"
    assert answer(reduce="first") == "a"
    assert answer(reduce="concat", join="-") == "a-b-c-d"
    assert answer(reduce="concat_since", since="tool") == "cd"
    assert answer(reduce="concat", dedupe_by="text") == "abcd"
    turns = small(turns={"event": "text", "path": "n", "reduce": "sum"})
    assert outcome(turns, *texts, GOOD).metadata["turns"] == 3


def test_an_answer_that_is_repeated_after_a_retry_of_its_own_is_one_answer() -> None:
    adapter = small(answer={"event": "text", "path": "text", "reduce": "concat", "dedupe_by": "id"})
    assert outcome(adapter, *[{"type": "text", "id": 1, "text": "once"}] * 3, GOOD).output == "once"


def test_output_that_is_one_document_is_read_at_the_end() -> None:
    adapter = small(output={"format": "json"}, events=EVENTS, answer={"event": "end", "path": "text"})
    printed = json.dumps({"ok": True, "text": "fine"}, indent=1).encode().split(b"\n")
    reader = read(adapter, [b"starting up", *printed])
    assert not reader.is_final
    assert reader.verdict(End(exit_code=0)).output == "fine"
    assert not read(adapter, printed[:-1]).verdict(End(exit_code=0)).succeeded
    listed = read(adapter, [b'[{"x": 1}, {"ok": true, "text": "fine"}]']).verdict(End(exit_code=0))
    assert listed.output == "fine"


def test_text_is_read_by_regular_expressions_whose_named_groups_are_fields() -> None:
    events = [
        {"is": "end", "match": {"line": {"regex": r"^used (?P<n>[\d.k]+) for (?P<usd>\$[\d.]+)$"}}, "final": "good"},
        {"is": "begun", "match": {"line": {"regex": "^session (?P<id>.+)$"}}},
        {"is": "text", "match": {"line": {"exists": True}}},
    ]
    usage = {"event": "end", "input": "n", "cost": "usd"}
    adapter = small(
        output={"format": "text"}, events=events, usage=usage, answer={"event": "text", "path": "line"}, errors=[]
    )
    found = read(adapter, lines("session s-9", "\x1b[1mwell\x1b[0m done", "used 1.2k for $0.01")).verdict(
        End(exit_code=0)
    )
    assert (found.output, found.session_id) == ("well done", "s-9")
    assert found.usage is not None
    assert (found.usage.input_total, found.usage.cost_usd) == (1200, 0.01)


def test_events_may_come_on_standard_error() -> None:
    reader = small(output={"stream": "stderr"}).reader()
    for line in lines(BEGIN, TEXT, GOOD):
        reader.feed(line)
    assert not reader.is_final
    for line in lines(BEGIN, TEXT, GOOD):
        reader.feed(line, "stderr")
    assert reader.verdict(End(exit_code=0)).succeeded


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("piece", [b" ", b"\t>", b"1", b"a", b"litellm.", b"Tokens: 1", b"\x1b[", b'{"'])
def test_no_line_takes_long_however_often_something_is_repeated_in_it(name: str, piece: bytes) -> None:
    reader = preset(name).reader()
    line = piece * (100_000 // len(piece)) + b"x"
    event = json.dumps({"type": "error", "message": line.decode(), "line": line.decode()}).encode()
    begun = time.process_time()
    for stream_line in (line, event):
        reader.feed(stream_line)
        reader.feed(stream_line, "stderr")
    reader.verdict(End(exit_code=1))
    assert time.process_time() - begun < 5.0  # a pattern that goes back and forth would take minutes


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_a_stream_of_megabytes_is_read_fast(name: str) -> None:
    reader = preset(name).reader()
    event = json.dumps({"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": "x" * 400}]}})
    line = event.encode()
    begun = time.process_time()
    for _ in range(4_000_000 // len(line)):
        reader.feed(line)
    assert time.process_time() - begun < 4.0  # a second per megabyte on a busy machine; a tenth is usual
