"""Who does a task: named, a person, recommended, or nobody; never somebody who is disabled."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import UnknownAgent, UsageError
from orchestration.kinds import Mode
from orchestration.models import (
    PRESETS,
    Agent,
    ApiAgent,
    CliAgent,
    HybridAgent,
    InteractiveAgent,
    PythonAgent,
    ScriptAgent,
    Settings,
    ShellAgent,
    Task,
)
from orchestration.registry import EXECUTORS, AgentRegistry, Registrable, executor_class


def task(**fields: object) -> Task:
    return Task.model_validate({"id": "T", **fields})


def shell(*capabilities: str, enabled: bool = True) -> ShellAgent:
    return ShellAgent(capabilities=capabilities, enabled=enabled)


# -- names ----------------------------------------------------------------------------------------------------------


def test_built_in_agents_come_last_and_a_project_can_replace_them() -> None:
    own = ShellAgent(command="make")
    registry = AgentRegistry({"tester": shell(), "shell": own})
    assert registry.names() == ["tester", "shell", "interactive", *PRESETS]
    assert registry.get("shell") is own
    assert "interactive" in registry
    assert "nobody" not in registry


def test_without_built_in_agents_there_are_only_the_given_ones() -> None:
    registry = AgentRegistry({"a": shell()}, built_in=False)
    assert list(registry.items()) == [("a", shell())]
    with pytest.raises(UnknownAgent):
        registry.get("shell")


def test_the_agents_of_a_project_come_from_its_settings() -> None:
    settings = Settings.model_validate(
        {"default_agent": "b", "agents": {"b": {"kind": "shell"}, "a": {"kind": "shell"}}}
    )
    registry = AgentRegistry.from_settings(settings)
    assert registry.names() == ["b", "a", "shell", "interactive", *PRESETS]
    assert registry.recommend(task()) == "b"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("shel", "did you mean shell?"),
        ("qqq", "known agents: a, shell, interactive, claude-code, codex, opencode, aider"),
    ],
)
def test_an_unknown_agent_is_told_with_the_nearest_name_or_all_names(name: str, hint: str) -> None:
    with pytest.raises(UnknownAgent) as caught:
        AgentRegistry({"a": shell()}).get(name)
    assert caught.value.hint == hint
    assert name in caught.value.message


def test_a_disabled_agent_is_told_apart_from_an_unknown_one() -> None:
    with pytest.raises(UnknownAgent, match="'a' is disabled"):
        AgentRegistry({"a": shell(enabled=False)}).get("a")


# -- registering ----------------------------------------------------------------------------------------------------


def work() -> str:
    """Does some work."""
    return "done"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (shell("x"), shell("x")),
        ({"kind": "script", "command": "./run"}, ScriptAgent(command=("./run",))),
        (work, PythonAgent(function=work, description="Does some work.")),
    ],
)
def test_agents_functions_and_mappings_can_be_registered(given: Registrable, expected: Agent) -> None:
    registry = AgentRegistry()
    registry.register("new", given)
    assert registry.get("new") == expected
    assert registry.names()[0] == "new"


@pytest.mark.parametrize(
    ("name", "agent", "message"),
    [
        ("../x", shell(), "cannot be the name"),
        ("", shell(), "cannot be the name"),
        ("x", {"kind": "nothing"}, "agent 'x' is not possible"),
        ("x", {"kind": "script"}, "script.command: Field required"),
        ("x", 7, "agent 'x' is not possible"),
    ],
)
def test_what_is_no_agent_cannot_be_registered(name: str, agent: Registrable, message: str) -> None:
    registry = AgentRegistry()
    with pytest.raises(UsageError, match=message):
        registry.register(name, agent)
    assert registry.names() == ["shell", "interactive", *PRESETS]


# -- choosing -------------------------------------------------------------------------------------------------------

TEAM: dict[str, Agent] = {
    "off": shell("api", "docs", "tests", enabled=False),
    "writer": shell("docs"),
    "coder": shell("api", "tests"),
    "second": shell("API", "Tests"),
    "person": InteractiveAgent(capabilities=("review",)),
}


@pytest.mark.parametrize(
    ("fields", "override", "mode", "expected"),
    [
        ({"agent": "writer", "labels": ["api"]}, None, None, "writer"),
        ({"agent": "writer", "mode": "interactive"}, "coder", None, "coder"),
        ({"agent": "writer", "mode": "interactive"}, None, None, "person"),
        ({"agent": "writer"}, None, Mode.INTERACTIVE, "person"),
        ({"agent": "interactive", "mode": "interactive"}, None, None, "interactive"),
        ({"labels": ["DOCS"]}, None, None, "writer"),
        ({"labels": ["tests", "api"]}, None, None, "coder"),
        ({"labels": ["docs", "tests", "api"]}, None, None, "coder"),
        ({"labels": ["nothing"]}, None, None, "interactive"),
        ({}, None, None, "interactive"),
    ],
)
def test_the_caller_then_the_mode_then_the_task_then_capabilities_decide(
    fields: dict[str, Any], override: str | None, mode: Mode | None, expected: str
) -> None:
    registry = AgentRegistry(TEAM)
    assert registry.agent_for(task(**fields), override, mode) == (expected, registry.get(expected))


def test_the_default_agent_does_what_nobody_has_a_capability_for() -> None:
    assert AgentRegistry(TEAM, default_agent="writer").recommend(task(labels=["x"])) == "writer"
    assert AgentRegistry(TEAM, default_agent="writer").recommend(task(labels=["api"])) == "coder"


def test_a_disabled_default_agent_is_never_chosen() -> None:
    assert AgentRegistry(TEAM, default_agent="off").recommend(task()) == "interactive"


def test_when_everybody_is_disabled_nobody_is_recommended() -> None:
    everybody: dict[str, Agent] = {"shell": shell(enabled=False), "interactive": InteractiveAgent(enabled=False)}
    registry = AgentRegistry(everybody)
    with pytest.raises(UnknownAgent, match="no enabled agent fits task T"):
        registry.recommend(task())
    with pytest.raises(UnknownAgent, match="no enabled agent of kind interactive"):
        registry.agent_for(task(mode="interactive"))


@pytest.mark.parametrize("name", ["off", "nobody"])
def test_a_task_that_names_an_agent_who_cannot_do_it_gets_no_other_one(name: str) -> None:
    with pytest.raises(UnknownAgent, match=name):
        AgentRegistry(TEAM).agent_for(task(agent=name))
    with pytest.raises(UnknownAgent, match=name):
        AgentRegistry(TEAM).agent_for(task(), override=name)


MODEL = ApiAgent(provider="ollama", model="qwen3")
EITHER = HybridAgent(strategy="fallback", agents=("coder", "writer"))
BOTH = HybridAgent(strategy="race", agents=("second", "person"))
WORKSHOP: dict[str, Agent] = {
    "gone": ScriptAgent(command=("./gone",), enabled=False),
    **TEAM,
    "model": MODEL,
    "either": EITHER,
    "both": BOTH,
}


@pytest.mark.parametrize(
    ("mode", "named", "expected"),
    [
        ("api", None, "model"),
        ("api", "model", "model"),
        ("hybrid", None, "either"),
        ("hybrid", "both", "both"),
        ("hybrid", "second", "both"),
        ("hybrid", "model", "either"),
        ("script", None, "writer"),
        ("script", "coder", "coder"),
        ("script", "model", "writer"),
    ],
)
def test_a_mode_goes_to_whoever_is_named_if_they_work_so_else_to_the_first_who_does(
    mode: str, named: str | None, expected: str
) -> None:
    registry = AgentRegistry(WORKSHOP, built_in=False)
    assert registry.agent_for(task(agent=named, mode=mode)) == (expected, WORKSHOP[expected])
    assert registry.agent_for(task(agent=named), mode=Mode(mode)) == (expected, WORKSHOP[expected])


def test_an_agent_of_another_kind_that_is_asked_directly_keeps_its_surroundings_and_nothing_of_its_program() -> None:
    own = CliAgent(preset="codex", model="its-own-word", timeout=300, secrets=("KEY",), account="team")
    name, asked = AgentRegistry({"codex": own}).agent_for(task(agent="codex", mode="api"))
    assert (name, asked) == ("codex", ApiAgent(timeout=300, secrets=("KEY",), account="team"))


def test_the_caller_who_names_an_agent_overrides_the_mode_of_the_task_too() -> None:
    registry = AgentRegistry(WORKSHOP)
    assert registry.agent_for(task(mode="api"), override="coder") == ("coder", WORKSHOP["coder"])
    name, asked = registry.agent_for(task(), override="coder", mode=Mode.API)
    assert (name, asked.kind) == ("coder", "api")


@pytest.mark.parametrize(
    ("mode", "hint"),
    [
        ("api", "name an agent, or add one of kind api"),
        ("hybrid", "add an agent of kind hybrid"),
        ("script", "add an agent of kind script"),
    ],
)
def test_a_mode_that_nobody_works_in_is_refused_with_what_to_do(mode: str, hint: str) -> None:
    registry = AgentRegistry({"person": InteractiveAgent()}, built_in=False)
    with pytest.raises(UsageError, match=f"no enabled agent can do a task in mode '{mode}'") as caught:
        registry.agent_for(task(mode=mode))
    assert caught.value.hint == hint


@pytest.mark.parametrize("mode", ["api", "hybrid", "script"])
def test_a_mode_does_not_hide_that_the_named_agent_is_disabled(mode: str) -> None:
    with pytest.raises(UnknownAgent, match="'gone' is disabled"):
        AgentRegistry(WORKSHOP).agent_for(task(agent="gone", mode=mode))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"agent": "writer"}, "writer: the task names it"),
        ({"labels": ["tests", "api", "x"]}, "coder: it has the capabilities api, tests"),
        ({"mode": "interactive"}, "person: the task is to be done by a person"),
        ({"mode": "script"}, "writer: the task is to be done in mode script"),
        ({"mode": "hybrid"}, "nobody: no enabled agent can do a task in mode 'hybrid'"),
        ({}, "interactive: no other agent is named or has a capability among the task's labels"),
        ({"agent": "off"}, "nobody: the agent 'off' is disabled"),
        ({"agent": "x"}, "nobody: there is no agent 'x'"),
    ],
)
def test_the_choice_is_explained_in_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    assert AgentRegistry(TEAM).explain(task(**fields)) == sentence


LABELS = st.lists(st.sampled_from(["a", "B", "c", "D"]), max_size=4)


@given(
    st.dictionaries(st.sampled_from(["p", "q", "r", "s", "interactive"]), st.tuples(LABELS, st.booleans()), max_size=5),
    st.none() | st.sampled_from(["p", "q", "gone"]),
    LABELS,
)
def test_a_recommendation_is_enabled_and_nobody_enabled_fits_better(
    team: dict[str, tuple[list[str], bool]], default: str | None, labels: list[str]
) -> None:
    registry = AgentRegistry(
        {name: shell(*capabilities, enabled=enabled) for name, (capabilities, enabled) in team.items()},
        default_agent=default,
    )
    wanted = {label.lower() for label in labels}

    def fit(agent: Agent) -> int:
        return len(wanted & {capability.lower() for capability in agent.capabilities})

    try:
        chosen = registry.get(registry.recommend(task(labels=labels)))
    except UnknownAgent:
        assert not any(agent.enabled and fit(agent) for _, agent in registry.items())
        return
    assert fit(chosen) == max(fit(agent) for _, agent in registry.items() if agent.enabled)


# -- executors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EXECUTORS)
def test_every_kind_of_agent_has_an_executor(kind: str) -> None:
    assert executor_class(kind).__name__ == EXECUTORS[kind].partition(":")[2]


def test_an_unknown_kind_is_told_with_the_nearest_or_all_known_ones() -> None:
    with pytest.raises(UnknownAgent, match="no kind of agent 'shel'") as caught:
        executor_class("shel")
    assert caught.value.hint == "did you mean shell?"
    with pytest.raises(UnknownAgent, match="no kind of agent 'quux'") as caught:
        executor_class("quux")
    assert caught.value.hint == "known kinds: shell, script, python, interactive, cli, scripted, api"
