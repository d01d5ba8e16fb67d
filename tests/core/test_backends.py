"""Which backend an attempt has: whoever says so first; and what can be the name of one."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestration.attempts import Place
from orchestration.models import (
    Agent,
    ApiAgent,
    CliAgent,
    InteractiveAgent,
    MovableAgent,
    PluginAgent,
    PythonAgent,
    ScriptAgent,
    ScriptedAgent,
    Settings,
    ShellAgent,
)
from orchestration.process import LiveChildren
from orchestration.protocols import Executor


def nobody(kind: str, backend: str | None) -> Executor:
    raise AssertionError(f"nothing is done here, not even by {kind} on {backend}")


def place(project: str | None, caller: str | None) -> Place:
    here = Path()
    return Place(here, here, {}, Settings(backend=project), LiveChildren(), executor_for=nobody, backend=caller)


@pytest.mark.parametrize(
    ("project", "agent", "caller", "expected"),
    [
        (None, None, None, None),
        ("a", None, None, "a"),
        ("a", "b", None, "b"),
        ("a", "b", "c", "c"),
        (None, None, "c:x", "c:x"),
        ("local", None, None, None),
        ("a", "local", None, None),
        ("a", "b", "local", None),
        ("local", "b", None, "b"),
    ],
)
def test_the_caller_says_so_before_the_agent_and_the_agent_before_the_project(
    project: str | None, agent: str | None, caller: str | None, expected: str | None
) -> None:
    assert place(project, caller).backend_of(ShellAgent(backend=agent)) == expected


@pytest.mark.parametrize("agent", [InteractiveAgent(), ApiAgent()])
def test_an_agent_that_starts_nothing_stays(agent: Agent) -> None:
    assert place("a", "b").backend_of(agent) is None


@pytest.mark.parametrize(
    ("model", "needed"),
    [
        (ShellAgent, {}),
        (ScriptAgent, {"command": "./x"}),
        (PythonAgent, {"function": "a:b"}),
        (CliAgent, {"preset": "codex"}),
        (ScriptedAgent, {"script": ["final"]}),
        (PluginAgent, {"plugin": "shout"}),
    ],
)
def test_every_agent_that_starts_something_can_be_told_where(model: type[MovableAgent], needed: dict[str, Any]) -> None:
    made = model.model_validate({**needed, "backend": "box"})
    assert place(None, None).backend_of(made) == "box"  # type: ignore[arg-type]  # one of the union, whichever


def test_the_key_is_not_among_the_options_of_a_plug_in_s_kind() -> None:
    made = PluginAgent.model_validate(PluginAgent.of_kind("shout", {"kind": "shout", "backend": "box", "marks": 2}))
    assert (made.backend, made.options) == ("box", {"marks": 2})


@pytest.mark.parametrize("name", ["box", "box:", "box:python:3.12", "box:a b/ü", "a.b_c-d:1\n2"])
def test_a_name_may_have_any_address(name: str) -> None:
    assert Settings(backend=name).backend == name


@pytest.mark.parametrize("name", ["", ":x", "a b", "-x", "a/b", "ü", " box", "x" * 101])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be a backend"):
        Settings(backend=name)
