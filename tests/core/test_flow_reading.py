"""Flows as they are written: in Python, and in YAML with errors that say where and what."""

from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import GraphError, InvalidProject, UsageError
from orchestration.flow import AsyncFlowExecutor, Flow, FlowExecutor, FlowStep, Ref, load_flow
from orchestration.kinds import ExecutionStatus, RunStatus

WHOLE = """
name: report
description: numbers to a page
on_error: continue
steps:
  - id: load
    tool: load
    retry: {max: 2, backoff: {initial: 10ms}}
    timeout: 30s
  - id: sum
    tool: add
    depends_on: [load]
    inputs: {values: {ref: load.rows}, start: 100}
    cache: true
    version: "2"
  - id: size
    tool: same
    depends_on: sum
    inputs: {value: {ref: sum}}
    branches: {big: size > 50, small: size <= 50}
  - {id: big, tool: name, depends_on: size, inputs: {text: big}}
  - {id: small, tool: name, depends_on: size, inputs: {text: small}}
  - id: inner
    depends_on: [sum]
    on_error: skip
    flow:
      steps:
        - {id: broken, tool: broken, fallback: spare}
        - {id: never, tool: broken, when: "false"}
"""


def broken() -> None:
    raise LookupError


TOOLS: dict[str, Any] = {
    "load": lambda: {"rows": [1, 2, 3]},
    "add": lambda values, start: start + sum(values),
    "same": lambda value: value,
    "name": lambda text: text,
    "broken": broken,
    "spare": lambda: "spare",
}


def test_a_flow_from_a_file_is_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "report.yaml"
    path.write_text(WHOLE)
    flow = load_flow(path)
    assert (flow.name, flow.description, flow.on_error) == ("report", "numbers to a page", "continue")
    assert [step.id for step in flow.steps] == ["load", "sum", "size", "big", "small", "inner"]
    assert flow.steps[1].inputs == {"values": Ref("load.rows"), "start": 100}
    run = FlowExecutor(tools=TOOLS).run(flow)
    assert run.status is RunStatus.SUCCESS, run.results
    assert run.outputs["big"] == "big"
    assert run["small"].status is ExecutionStatus.SKIPPED
    assert run["inner/broken"].outputs == {"result": "spare"}
    assert run["inner/never"].status is ExecutionStatus.SKIPPED


def test_text_is_read_too_and_a_file_gives_its_name_where_none_is_written(tmp_path: Path) -> None:
    text = "steps:\n  - {id: a, tool: t}\n"
    assert load_flow(text).name == "flow"
    path = tmp_path / "nightly.yaml"
    path.write_text(text)
    assert load_flow(str(path)).name == "nightly"


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        (
            "steps:\n  - {id: a, tool: t, dependson: b}\n",
            "step a has a key 'dependson' that nobody reads",
            "depends_on",
        ),
        ("step:\n  - {id: a, tool: t}\n", "the flow has a key 'step' that nobody reads", "steps"),
        ("name: x\n", "the flow has no list of `steps`", None),
        ("steps: {a: 1}\n", "the flow has no list of `steps`", None),
        ("- a\n", "a flow is a mapping with `steps`", None),
        ("steps:\n  - a\n", "step 1 is no mapping", None),
        ("steps:\n  - {tool: t}\n", "step 1 has no id", None),
        ("steps:\n  - {id: a}\n", "step a: give `function`, `tool` or `flow`, one of them", None),
        ("steps:\n  - {id: a, tool: t, flow: {steps: []}}\n", "one of them", None),
        ("steps:\n  - {id: a, tool: t, timeout: soon}\n", "step a: timeout", None),
        ("steps:\n  - {id: a, tool: t, retry: {maximum: 2}}\n", "step a: retry", None),
        ("steps:\n  - {id: a, tool: t, on_error: ignore}\n", "'ignore'", None),
        ("steps:\n  - {id: a, tool: t, on_crash: nothing}\n", "on_crash", None),
        ("steps:\n  - {id: a, tool: t, depends_on: [lod]}\n  - {id: load, tool: t}\n", "a depends on lod", "load"),
        ("steps:\n  - {id: a, tool: t, depends_on: 3}\n", "step a: depends_on", None),
        (
            "steps:\n  - {id: load, tool: t}\n  - {id: a, tool: t, depends_on: load, inputs: {x: {ref: lod.rows}}}\n",
            "step a refers to lod.rows, but waits for no such step",
            "load",
        ),
        ("steps:\n  - {id: a, tool: t, inputs: [1]}\n", "step a: inputs", None),
        ("steps:\n  - {id: 3, tool: t}\n", "3 cannot be the name of a step", None),
        ("steps:\n  - {id: a/b, tool: t}\n", "'a/b' cannot be the name of a step", None),
        ("on_error: stop\nsteps: []\n", "on_error is 'stop'", None),
        ("steps:\n  - {id: a, tool: t, inputs: {x: {ref: a..b}}}\n", "'a..b' is no reference", None),
        ("steps:\n  - {id: a, tool: t, when: 'x >'}\n", "step a: when", None),
        ("steps:\n  - {id: a, flow: {steps: [{id: b, tol: t}]}}\n", "step b has a key 'tol'", "tool"),
        ("steps: [\n", "", None),
        ("steps:\n  - {id: a, tool: [t]}\n", "step a: tool", None),
        ("steps:\n  - {id: a, tool: t, cache: sometimes}\n", "step a: cache", None),
        ("steps:\n  - {id: a, tool: t, files: {x: 1}}\n", "step a: files", None),
        ("steps:\n  - {id: a, tool: t, files: out/**.txt}\n", "step a: files", None),
        ("steps:\n  - {id: a, tool: t, files: [out, .]}\n", "step a: files", None),
        ("steps:\n  - {id: a, tool: t, returns: 3}\n", "step a", None),
        ("steps:\n  - {id: a, tool: t, fallback: 3}\n", "step a: fallback", None),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_the_nearest_word(
    tmp_path: Path, text: str, told: str, hint: str | None
) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(text)
    with pytest.raises(InvalidProject) as caught:
        load_flow(path)
    error = caught.value
    assert told in error.message
    assert error.file == str(path)
    assert hint is None or hint in str(error.hint)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\nnmae: y\nsteps: []\n", 2),
        ("name: x\n\nsteps: {}\n", 3),
        ("name: x\non_error: stop\nsteps: []\n", 2),
        ("steps: []\non_error: continue\nname: a/b\n", 3),
        ("steps:\n  - id: a\n    tool: t\n  - no step\n", 4),
        ("steps:\n  - id: a\n    tool: t\n  - tool: t\n", 4),
        ("steps:\n  - id: a\n    tool: t\n  - id: b\n    tool: t\n    tmeout: 3\n", 6),
        ("steps:\n  - id: a\n    tool: t\n  - id: b\n    tool: t\n    timeout: soon\n", 4),
        ("steps:\n  - id: a\n    flow:\n      steps:\n        - id: b\n          tool: t\n          retry: -1\n", 5),
        ("steps:\n  - id: a\n    tool: t\n    inputs:\n      x: {ref: a..b}\n", 2),
        ("\nsteps:\n  - {id: a, tool: t, depends_on: [b]}\n", 3),
        ("steps:\n  - {id: a, tool: t}\n  - {id: b, tool: t}\n  - {id: a, tool: t}\n", 4),
        ("steps:\n  - {id: a, tool: t}\n  - {id: b, tool: t, depends_on: b}\n", 3),
        ("steps:\n  - {id: a, tool: t}\n  - {id: b, tool: t, depends_on: c}\n  - {id: c, tool: t, depends_on: b}\n", 3),
        ("steps:\n  - {id: a, tool: t}\n  - {id: b, tool: t, branches: {a: x}}\n", 3),
        ("steps:\n  - {id: a, tool: t}\n  - {id: b, tool: t, inputs: {x: {ref: a.rows}}}\n", 3),
        ("steps:\n  - id: a\n    flow:\n      steps:\n        - {id: b, tool: t, inputs: {x: [{ref: c}]}}\n", 5),
    ],
)
def test_what_is_wrong_is_said_with_its_line_or_that_of_what_it_stands_in(text: str, line: int) -> None:
    with pytest.raises(InvalidProject) as caught:
        load_flow(text)
    assert caught.value.line == line
    assert [problem.line for problem in caught.value.problems] == [line]


def test_literals_are_the_numbers_that_they_spell_and_text_stays_text() -> None:
    written = "{a: 1e3, b: 1.50, c: [.5], d: {e: 1.0e+3}, f: '1.50', g: 007, h: true, i: {ref: inputs.x}}"
    flow = load_flow(f"steps:\n  - {{id: a, tool: t, inputs: {written}, version: 1.50}}")
    inputs = flow.steps[0].inputs
    numbers = {"a": 1000.0, "b": 1.5, "c": [0.5], "d": {"e": 1000.0}}
    assert inputs == numbers | {"f": "1.50", "g": "007", "h": True, "i": Ref("inputs.x")}
    assert [type(inputs[name]) for name in "abf"] == [float, float, str]
    assert flow.steps[0].version == "1.50"


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidProject, match="cannot be read"):
        load_flow(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"steps: \xff\n")
    with pytest.raises(InvalidProject, match="not UTF-8"):
        load_flow(tmp_path / "bad.yaml")
    (tmp_path / "big.yaml").write_text(" " * (1024 * 1024 + 1))
    with pytest.raises(InvalidProject, match="over 1048576 bytes"):
        load_flow(tmp_path / "big.yaml")
    with pytest.raises(InvalidProject, match="cannot be read: embedded null"):
        load_flow("name: f\0")


def noop() -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (lambda: [FlowStep("a", noop), FlowStep("a", noop)], "the id a is given twice"),
        (lambda: [FlowStep("a", noop, depends_on="a")], "a depends on itself"),
        (
            lambda: [FlowStep("a", noop, depends_on="b"), FlowStep("b", noop, depends_on="a")],
            "a → b → a",
        ),
        (lambda: [FlowStep("a", noop, depends_on="b")], "a depends on b, which does not exist"),
    ],
)
def test_edges_that_lead_nowhere_or_round_are_refused(steps: Any, told: str) -> None:  # noqa: ANN401  # a list to be made
    with pytest.raises(GraphError) as caught:
        Flow("f", steps())
    assert told in caught.value.message


@pytest.mark.parametrize(
    "make",
    [
        lambda: FlowStep("", noop),
        lambda: FlowStep("a", 3),  # type: ignore[arg-type]  # on purpose
        lambda: FlowStep("a", noop()),  # type: ignore[func-returns-value]  # likewise
        lambda: FlowStep("a", noop, tool="t"),
        lambda: FlowStep("a", noop, timeout=0),
        lambda: FlowStep("a", noop, timeout="x"),
        lambda: FlowStep("a", noop, retry=0),
        lambda: FlowStep("a", noop, on_error="continue"),  # type: ignore[arg-type]  # likewise
        lambda: FlowStep("a", noop, fallback=3),  # type: ignore[arg-type]  # likewise
        lambda: Flow("", []),
        lambda: Flow("f", [noop]),  # type: ignore[list-item]  # likewise
        lambda: Flow("f", [], on_error="skip"),  # type: ignore[arg-type]  # likewise
        lambda: Flow("f", 3),  # type: ignore[arg-type]  # likewise
        lambda: AsyncFlowExecutor(0),
        lambda: AsyncFlowExecutor(1.5),  # type: ignore[arg-type]  # likewise
        lambda: AsyncFlowExecutor(tools={"t": 3}),  # type: ignore[dict-item]  # likewise
    ],
)
def test_what_is_no_step_no_flow_and_no_limit_is_refused(make: Any) -> None:  # noqa: ANN401  # a thing to be made
    with pytest.raises(UsageError):
        make()


def test_a_tool_that_nobody_knows_is_refused_with_the_nearest_one() -> None:
    executor = FlowExecutor(tools={"fetch": noop})
    for step in (FlowStep("a", tool="fetc"), FlowStep("a", "fetc"), FlowStep("a", noop, fallback="fetc")):
        with pytest.raises(UsageError) as caught:
            executor.run(Flow("f", [step]))
        assert "step a: the executor knows no tool 'fetc'" in caught.value.message
        assert "fetch" in str(caught.value.hint)
    executor.register("fetc", noop)
    assert executor.run(Flow("f", [FlowStep("a", tool="fetc")])).succeeded


@pytest.mark.parametrize(
    ("source", "told", "hint"),
    [
        ("", "a flow is a mapping with `steps`", None),
        ("  ", "a flow is a mapping with `steps`", None),
        ("steps: []", "it cannot be read: No such file or directory", "YAML itself is known by its line breaks"),
        ("gone.yaml", "it cannot be read: No such file or directory", None),
    ],
)
def test_a_text_without_a_line_break_is_a_path_unless_it_is_nothing(source: str, told: str, hint: str | None) -> None:
    with pytest.raises(InvalidProject) as caught:
        load_flow(source)
    assert (caught.value.message, caught.value.hint) == (told, hint)
