"""What people and programs write about tasks, agents and settings, at the door."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from orchestration.kinds import Failure, Priority
from orchestration.models import (
    MAX_SECONDS,
    SAFE_ID,
    Agent,
    AgentByKind,
    InteractiveAgent,
    PythonAgent,
    RetryPolicy,
    ScriptAgent,
    Settings,
    ShellAgent,
    Task,
    seconds_of,
)

# -- durations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0.0),
        (1.5, 1.5),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        (" 1.5 h ", 5400.0),
        ("12", 12.0),
        ("1e2", 100.0),
        (int(MAX_SECONDS), MAX_SECONDS),
    ],
)
def test_durations_are_seconds_or_have_a_unit(written: object, seconds: float) -> None:
    assert seconds_of(written) == seconds
    assert type(seconds_of(written)) is float


@pytest.mark.parametrize(
    "written",
    [
        *("", "5 days", "1d", "-1s", "1h30m", "five", "s", "1..5s", "٣", True, None, [], {}, "1:30", "1e999s"),
        *(-1, float("nan"), float("inf"), 1e300, 10**400, MAX_SECONDS + 1, "9" * 5000, "x" * 10**6),
    ],
)
def test_what_is_no_duration_is_refused_in_a_short_sentence(written: object) -> None:
    with pytest.raises(ValueError, match=r"is no duration|is out of range") as caught:
        seconds_of(written)
    assert len(str(caught.value)) < 200


@given(st.one_of(st.text(), st.floats(), st.integers(), st.from_regex(r"\A\s*\d+(\.\d+)?\s*(ms|s|m|h)?\s*\Z")))
def test_any_value_is_a_duration_within_bounds_or_a_value_error(written: object) -> None:
    try:
        assert 0 <= seconds_of(written) <= MAX_SECONDS
    except ValueError as error:
        assert "duration" in str(error)  # noqa: PT017  # both ends are right; which one is the question


@given(st.integers(0, 1000), st.sampled_from([("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)]))
def test_a_unit_multiplies(number: int, unit: tuple[str, float]) -> None:
    assert seconds_of(f"{number}{unit[0]}") == pytest.approx(number * unit[1])


# -- ids ------------------------------------------------------------------------------------------------------------


@given(st.text(max_size=120))
def test_an_accepted_id_can_be_a_name_of_a_folder_and_nothing_else(text: str) -> None:
    try:
        task_id = Task(id=text).id
    except ValidationError:
        assert not SAFE_ID.fullmatch(text)
        return
    assert task_id == text
    assert task_id.isascii()
    assert task_id[0].isalnum()
    assert len(task_id) <= 100
    assert not {"/", "\\", "\0", "\n", " "} & set(task_id)


@pytest.mark.parametrize("text", ["", ".", "..", "../x", "a/b", "a b", "a\n", "-x", ".x", "é", "x" * 101, "a\0"])
def test_what_could_become_a_path_is_no_id(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a safe id"):
        Task(id=text)


# -- tasks ----------------------------------------------------------------------------------------------------------


def read(**fields: object) -> Task:
    return Task.model_validate({"id": "a", **fields})


def test_a_task_needs_nothing_but_an_id() -> None:
    task = Task(id="a")
    assert (task.name, task.priority, task.depends_on, task.retry, task.model_extra) == (
        "a",
        Priority.MEDIUM,
        (),
        None,
        {},
    )


def test_both_spellings_of_a_field_mean_the_same() -> None:
    task = read(dependencies=["b"], tags="x", success_criteria=["works"])
    assert (task.depends_on, task.labels, task.acceptance) == (("b",), ("x",), ("works",))
    assert task == read(depends_on="b", labels=["x"], acceptance="works")


def test_both_spellings_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="mean the same"):
        read(depends_on=[], dependencies=[])


@pytest.mark.parametrize(
    ("field", "written", "expected"),
    [
        ("phase", 2, "2"),
        ("labels", [1, 2.5, "x"], ("1", "2.5", "x")),
        ("labels", None, ()),
        ("verify", "make test", ("make test",)),
        ("env", {"PORT": 8080}, {"PORT": "8080"}),
        ("env", None, {}),
        ("inputs", ["a.txt", "b.txt"], {"a.txt": "a.txt", "b.txt": "b.txt"}),
        ("outputs", {"size": "how large it is"}, ("size",)),
        ("outputs", "size", ("size",)),
        ("priority", " HIGH ", Priority.HIGH),
        ("retry", 5, RetryPolicy(max=5)),
        ("when", True, True),
        ("when", "parameters.x", "parameters.x"),
        ("metadata", None, {}),
    ],
)
def test_what_people_write_becomes_what_is_meant(field: str, written: object, expected: object) -> None:
    assert getattr(read(**{field: written}), field) == expected


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("timeout", 0),
        ("idle_timeout", "0s"),
        ("priority", "urgent"),
        ("env", {"A=B": "x"}),
        ("env", {"": "x"}),
        ("env", {"A": "x\0"}),
        ("env", {"A": True}),
        ("retry", True),
        ("retry", {"max": 0}),
        ("retry", {"on": ["whatever"]}),
        ("retry", {"jitter": 2}),
        ("retry", {"backoff": {"factor": 0.5}}),
        ("estimate_hours", float("inf")),
        ("estimate_hours", -1),
        ("run_when", "sometimes"),
        ("labels", {"a": "b"}),
        ("workspace", "elsewhere"),
    ],
)
def test_what_makes_no_sense_is_refused(field: str, written: object) -> None:
    with pytest.raises(ValidationError):
        read(**{field: written})


def test_the_retry_policy_of_the_documentation_is_the_default() -> None:
    policy = RetryPolicy()
    assert (policy.max, policy.jitter) == (3, 0.2)
    assert set(policy.on) == {Failure.EXIT_CODE, Failure.TIMEOUT, Failure.CHECK_FAILED, Failure.CRASHED}
    assert (policy.backoff.initial, policy.backoff.factor, policy.backoff.max) == (1.0, 2.0, 60.0)
    assert RetryPolicy.model_validate({"backoff": "250ms"}).backoff.initial == 0.25


def test_unknown_keys_are_kept_even_where_they_resemble_methods() -> None:
    task = read(copy="x", name="y", model_config=1)
    assert task.model_extra == {"copy": "x", "name": "y", "model_config": 1}
    assert task.name == "a"


def test_a_task_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Task(id="a").title = "x"  # type: ignore[misc]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # halves of surrogate pairs have no place in JSON


@given(
    st.builds(
        dict,
        title=TEXT,
        description=TEXT,
        labels=st.lists(TEXT, max_size=3),
        timeout=st.none() | st.floats(0.001, MAX_SECONDS),
        retry=st.none()
        | st.builds(dict, max=st.integers(1, 1000), on=st.lists(st.sampled_from(list(Failure)), max_size=3)),
        when=st.none() | st.booleans() | TEXT,
        env=st.dictionaries(
            st.from_regex(r"[A-Z_]{1,9}", fullmatch=True),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        ),
        metadata=st.dictionaries(TEXT, st.none() | st.integers() | TEXT, max_size=3),
    )
)
def test_a_task_is_the_same_after_a_journey_through_json(fields: dict[str, Any]) -> None:
    task = read(**{key: value for key, value in fields.items() if value is not None})
    assert Task.model_validate_json(task.model_dump_json()) == task


# -- agents and settings --------------------------------------------------------------------------------------------

AGENTS: TypeAdapter[Agent] = TypeAdapter(Agent)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"kind": "shell", "command": "make"}, ShellAgent),
        ({"kind": "script", "command": "./run"}, ScriptAgent),
        ({"kind": "python", "function": "package.module:function"}, PythonAgent),
        ({"kind": "python", "function": print}, PythonAgent),
        ({"kind": "interactive"}, InteractiveAgent),
    ],
)
def test_the_kind_decides_what_an_agent_is(written: dict[str, Any], kind: type) -> None:
    assert type(AGENTS.validate_python(written)) is kind


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"kind": "cli"},
        {"kind": "script"},
        {"kind": "script", "command": []},
        {"kind": "python", "function": "no_colon"},
        {"kind": "python", "function": "a:b; import os"},
        {"kind": "python", "function": "a:b\n"},
        {"kind": "shell", "max_concurrent": 0},
    ],
)
def test_what_is_no_agent_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AGENTS.validate_python(written)


@pytest.mark.parametrize("number", [0, -1, 10_001, 2.5])
def test_the_number_of_slots_has_bounds(number: float) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"max_concurrent": number})


def test_the_default_agent_has_to_exist() -> None:
    assert Settings(default_agent="shell").default_agent == "shell"
    with pytest.raises(ValidationError, match="not among the agents"):
        Settings(default_agent="nobody")


# -- agents by their kind -------------------------------------------------------------------------------------------

KINDS = ("shell", "script", "python", "interactive", "cli", "api", "hybrid", "scripted")


def agents() -> st.SearchStrategy[object]:
    kinds: st.SearchStrategy[object] = st.sampled_from([*KINDS, "nothing", "", 1, None, True, []])
    scalars = st.sampled_from([None, 0, 1, -3, 2.5, "", "x", "a:b", "5m", True, ["x"], {"a": "b"}, {}])
    keys = st.sampled_from(
        ["command", "function", "preset", "adapter", "timeout", "env", "enabled", "strategy", "agents", "script"]
    )
    written = st.dictionaries(keys, scalars, max_size=4)
    with_kind = st.builds(lambda fields, kind: {**fields, "kind": kind}, written, kinds)
    return st.one_of(with_kind, written, scalars, st.just(ShellAgent(command="make")))


def judged(adapter: "TypeAdapter[Agent]", written: object) -> object:
    try:
        return adapter.validate_python(written)
    except ValidationError as error:
        return [(detail["type"], detail["msg"], detail["loc"]) for detail in error.errors()]


@given(agents())
def test_an_agent_is_checked_by_its_kind_as_the_union_of_all_kinds_would(written: object) -> None:
    of_all, by_kind = judged(TypeAdapter(Agent), written), judged(TypeAdapter(AgentByKind), written)
    if isinstance(of_all, list):  # the union names the kind in each place, where there is one
        of_all = [(kind, message, place[1:]) for kind, message, place in of_all]
    assert by_kind == of_all
    assert type(by_kind) is type(of_all)


def test_only_the_models_that_are_used_are_built() -> None:
    """Building all of them takes longer than everything else that a cheap command does."""
    code = (
        "from orchestration.models import *\n"
        "Settings.model_validate({'agents': {'x': {'kind': 'shell', 'command': 'make'}}}), Task(id='x')\n"
        "every = [ShellAgent, ScriptAgent, PythonAgent, CliAgent, ApiAgent, HybridAgent, ScriptedAgent, Task]\n"
        "print(*[one.__name__ for one in every if one.__pydantic_complete__])\n"
    )
    built = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert built.stdout.split() == ["ShellAgent", "Task"]
