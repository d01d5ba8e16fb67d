"""What cannot be a pipeline is refused where it is written, in words that say what it can be."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestration import (
    AgentStep,
    AsyncPipeline,
    AsyncPythonTask,
    Conditional,
    Loop,
    Map,
    Parallel,
    PythonTask,
    Return,
    ShellTask,
)
from orchestration.errors import UsageError


async def nothing() -> None:
    """Do nothing."""


def plain() -> None:
    """Do nothing."""


async def generates() -> Any:  # noqa: ANN401  # an async generator
    yield 1


TASK = AsyncPythonTask(nothing)


def contains_itself(how: str) -> AsyncPipeline:
    pipeline = AsyncPipeline([TASK], name="outer")
    inner: Any = {
        "step": pipeline,
        "branch": Parallel("p", {"b": pipeline}),
        "map": Map("m", pipeline, "xs", "x"),
        "loop": Loop("l", pipeline, "x", 2),
        "choice": Conditional("c", {"k": pipeline}, parameter="k"),
        "default": Conditional("c", {"k": TASK}, parameter="k", default=pipeline),
        "handler": AsyncPythonTask(nothing, "fails", on_failure=pipeline),
        "deep": AsyncPipeline([Map("m", Parallel("p", {"b": pipeline}), "xs", "x")], name="between"),
    }[how]
    pipeline.steps.append(inner)
    return pipeline


BAD: list[tuple[str, Callable[[], Any], str]] = [
    ("a plain function", lambda: AsyncPythonTask(plain), "plain function.*PythonTask"),
    ("a lambda without a name", lambda: PythonTask(lambda: 1), "needs a name"),
    ("an async function in a thread", lambda: PythonTask(nothing), "AsyncPythonTask"),
    ("an async generator in a thread", lambda: PythonTask(generates), "AsyncPythonTask"),
    ("no function", lambda: AsyncPythonTask(5), "5 is no function"),  # type: ignore[arg-type]  # that is the point
    ("a coroutine", lambda: PythonTask("plain"), "'plain' is no function"),  # type: ignore[arg-type]  # as above
    ("a name with a slash", lambda: AsyncPythonTask(nothing, "a/b"), "cannot be the name"),
    ("a name with a bracket", lambda: AsyncPythonTask(nothing, "a[0]"), "cannot be the name"),
    ("a name of blanks", lambda: AsyncPythonTask(nothing, " "), "cannot be the name"),
    ("a name that is a path", lambda: AsyncPythonTask(nothing, ".."), "cannot be the name"),
    ("a name that is long", lambda: AsyncPythonTask(nothing, "x" * 101), "cannot be the name"),
    ("a name that is no text", lambda: AsyncPythonTask(nothing, 5), "5 cannot be the name"),  # type: ignore[arg-type]  # as above
    ("returns that are text", lambda: AsyncPythonTask(nothing, returns="data"), "list of names"),
    ("a return twice", lambda: AsyncPythonTask(nothing, returns=["a", "b", "a"]), "returns a twice"),
    ("a return that is a number", lambda: AsyncPythonTask(nothing, returns=[5]), "5 is no return"),  # type: ignore[list-item]  # as above
    ("a return without a name", lambda: AsyncPythonTask(nothing, returns=[{"kind": "json"}]), "is no return"),
    ("a kind that there is not", lambda: Return("a", "pickle"), "pickle"),  # type: ignore[arg-type]  # as above
    ("a return that is no name", lambda: Return("a b"), "a b"),
    ("a timeout of zero", lambda: AsyncPythonTask(nothing, timeout=0), "timeout.*zero"),
    ("a timeout below zero", lambda: AsyncPythonTask(nothing, timeout=-1), "timeout"),
    ("a timeout in words", lambda: AsyncPythonTask(nothing, timeout="soon"), "timeout.*soon"),
    ("a grace below zero", lambda: AsyncPythonTask(nothing, kill_grace=-1), "kill_grace"),
    ("a retry in words", lambda: AsyncPythonTask(nothing, retry="often"), "retry"),  # type: ignore[arg-type]  # as above
    ("a retry of zero", lambda: AsyncPythonTask(nothing, retry=0), "retry"),
    ("an unknown retry field", lambda: AsyncPythonTask(nothing, retry={"times": 3}), "retry has no 'times'"),
    ("an unknown on_crash", lambda: AsyncPythonTask(nothing, on_crash="panic"), "on_crash.*rerun"),
    ("a person who cannot be asked", lambda: ShellTask("s", "true", on_crash="ask"), "on_crash is 'ask'.*rerun, fail"),
    ("a pipeline that is no list", lambda: AsyncPipeline(TASK), "are a list"),  # type: ignore[arg-type]  # as above
    ("a step that is a function", lambda: AsyncPipeline([nothing]), "is no step"),  # type: ignore[list-item]  # as above
    ("two steps of one name", lambda: AsyncPipeline([TASK, TASK]), "two steps called nothing"),
    ("a handler of a taken name", lambda: AsyncPipeline([AsyncPythonTask(nothing, "a", on_failure=TASK), TASK]), "two"),
    ("a handler that is not there", lambda: AsyncPipeline([AsyncPythonTask(nothing, on_failure="far")]), "names far"),
    (
        "a handler that came before",
        lambda: AsyncPipeline([TASK, AsyncPythonTask(nothing, "b", on_failure="nothing")]),
        "does not come after it",
    ),
    ("a handler that is itself", lambda: AsyncPipeline([AsyncPythonTask(nothing, on_failure="nothing")]), "come after"),
    ("a handler that is a number", lambda: AsyncPipeline([AsyncPythonTask(nothing, on_failure=5)]), "is no step"),  # type: ignore[arg-type]  # as above
    ("branches that are a list", lambda: Parallel("p", [TASK]), "branches are a dictionary"),  # type: ignore[arg-type]  # as above
    ("a branch of no name", lambda: Parallel("p", {"": TASK}), "a branch of p"),
    ("a limit of zero", lambda: Parallel("p", {}, 0), "max_concurrent is 0"),
    ("a limit that is true", lambda: Parallel("p", {}, max_concurrent=True), "max_concurrent is True"),
    ("a limit that is text", lambda: Map("m", TASK, "xs", "x", max_concurrent="3"), "max_concurrent"),  # type: ignore[arg-type]  # as above
    ("no name of items", lambda: Map("m", TASK, "the xs", "x"), "iterate_on"),
    ("no name of an item", lambda: Map("m", TASK, "xs", "1"), "iterate_as"),
    ("an async reducer", lambda: Map("m", TASK, "xs", "x", reducer=nothing), "reducer is an async function"),
    ("a reducer in words", lambda: Map("m", TASK, "xs", "x", reducer="sum"), "'sum' is no function"),  # type: ignore[arg-type]  # as above
    ("a choice of nothing", lambda: Conditional("c", {}, parameter="k"), "there is no branch"),
    ("a choice by nothing", lambda: Conditional("c", {"k": TASK}), "parameter.*condition"),
    ("a choice by two", lambda: Conditional("c", {"k": TASK}, "k", lambda: 1), "one of them"),
    ("an async condition", lambda: Conditional("c", {"k": TASK}, condition=nothing), "async"),
    ("two branches of one text", lambda: Conditional("c", {1: TASK, "1": TASK}, "k"), "both be called 1"),
    ("two defaults", lambda: Conditional("c", {"default": TASK}, "k", default=TASK), "called default"),
    ("a loop without end", lambda: Loop("l", TASK, "x", 0), "max_iterations"),
    ("a loop until nothing", lambda: Loop("l", TASK, " ", 3), "until is empty"),
    ("a loop of another end", lambda: Loop("l", TASK, "x", 3, at_max="stop"), "at_max"),  # type: ignore[arg-type]  # as above
    ("an async until", lambda: Loop("l", TASK, nothing, 3), "async"),
    ("no command", lambda: ShellTask("s", "  "), "command is empty"),
    ("an agent of no name", lambda: AgentStep(""), "cannot be the name"),
    *((f"a pipeline in itself by {how}", lambda how=how: contains_itself(how).program(), "contains itself") for how in (
        "step", "branch", "map", "loop", "choice", "default", "handler", "deep")),
]  # fmt: skip


@pytest.mark.parametrize(("make", "told"), [pytest.param(make, told, id=name) for name, make, told in BAD])
def test_it_is_refused_where_it_is_written(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make()


def test_the_same_pipeline_may_be_used_in_several_places() -> None:
    inner = AsyncPipeline([TASK], name="inner")
    other = AsyncPipeline([TASK], name="other")
    program = AsyncPipeline([inner, other, Parallel("p", {"a": inner, "b": inner})]).program()
    assert [*program.shape()] == [
        "inner",
        "inner/nothing",
        "other",
        "other/nothing",
        "p",
        "p/a",
        "p/a/nothing",
        "p/b",
        "p/b/nothing",
    ]


def test_every_task_is_a_pipeline_of_its_own() -> None:
    for task in (TASK, PythonTask(plain), ShellTask("s", "true"), AgentStep("a", prompt="x")):
        assert [*task.as_async_pipeline().program().shape()] == [task.name]
    pipeline = AsyncPipeline([TASK])
    assert pipeline.as_async_pipeline() is pipeline
    assert repr(pipeline) == "<AsyncPipeline pipeline: 1 steps>"
