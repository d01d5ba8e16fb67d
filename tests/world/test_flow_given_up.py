"""Runs for which a plain function waits that is given up: the thread goes on, nothing of its run begins any more."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from orchestration import (
    AgentRegistry,
    AsyncFlowExecutor,
    AsyncPipeline,
    Flow,
    FlowExecutor,
    FlowStep,
    PythonTask,
    RunResult,
    Task,
    TaskExecutor,
)
from orchestration.kinds import ExecutionStatus, RunStatus

pytestmark = pytest.mark.slow

LIMIT = 20.0
"""Seconds after which something hangs."""


class Inner:
    """A run of two steps, the first of which waits until it is let go."""

    def __init__(self) -> None:
        self.started, self.go_on, self.began = threading.Event(), threading.Event(), list[str]()
        self.results: list[RunResult] = []
        self.executor = FlowExecutor()

    def first(self) -> None:
        self.began.append("first")
        self.started.set()
        self.go_on.wait(LIMIT)

    def second(self) -> None:
        self.began.append("second")

    @property
    def flow(self) -> Flow:
        return Flow("inner", [FlowStep("first", self.first), FlowStep("second", self.second, depends_on="first")])

    def by_the_same_executor(self) -> None:
        self.results.append(self.executor.run(self.flow))

    def by_a_pipeline(self) -> None:
        self.results.append(AsyncPipeline([PythonTask(self.first, "first"), PythonTask(self.second, "second")]).run())

    def by_a_loop(self) -> None:
        self.results.append(asyncio.run(AsyncFlowExecutor().execute(self.flow)))  # noqa: TID251  # a loop of its own

    def by_tasks(self) -> None:
        registry = AgentRegistry()
        registry.register("first", self.first)
        registry.register("second", self.second)
        pairs = [(Task(id="A"), "first"), (Task(id="B"), "second")]
        asyncio.run(TaskExecutor(registry).execute_parallel(pairs, max_concurrent=1))  # noqa: TID251  # likewise

    def wait_for_return(self) -> None:
        """Let the first step go, and wait until no thread is left of what was given up."""
        self.go_on.set()
        until = time.monotonic() + LIMIT
        while self.executor.abandoned and time.monotonic() < until:
            time.sleep(0.001)
        assert not self.executor.abandoned


WAYS: list[Callable[[Inner], Callable[[], None]]] = [
    lambda inner: inner.by_the_same_executor,
    lambda inner: inner.by_a_pipeline,
    lambda inner: inner.by_a_loop,
    lambda inner: inner.by_tasks,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ["deadline", "timeout"])
def test_nothing_of_a_run_begins_after_the_step_that_waits_for_it_was_given_up(way: Any, end: str) -> None:  # noqa: ANN401  # a way
    for limit in (0.2, 1.0, 5.0):  # on a busy machine it takes a while until the first step has begun
        inner = Inner()
        flow = Flow("outer", [FlowStep("waits", way(inner), timeout=limit if end == "timeout" else None)])
        run = inner.executor.run(flow, deadline=limit if end == "deadline" else None)
        had_begun = inner.started.is_set()
        inner.wait_for_return()
        if had_begun:
            break
    assert run["waits"].metadata["abandoned"]
    assert inner.began == ["first"]
    assert [result.status for result in inner.results] in ([RunStatus.CANCELLED], [])


def test_a_failure_that_ends_all_ends_the_runs_that_steps_wait_for_too() -> None:
    inner = Inner()

    def fails() -> None:
        inner.started.wait(LIMIT)
        raise ValueError

    flow = Flow("outer", [FlowStep("waits", inner.by_the_same_executor), FlowStep("fails", fails)])
    run = inner.executor.run(flow)
    assert run["waits"].status is ExecutionStatus.CANCELLED
    inner.wait_for_return()
    assert inner.began == ["first"]
    assert [record.reason for record in inner.results[0].results] == ["stopped", "not_started"]


def test_a_run_that_begins_when_nobody_waits_any_more_does_nothing() -> None:
    inner = Inner()

    def late() -> None:
        inner.go_on.wait(LIMIT)
        inner.by_the_same_executor()

    run = inner.executor.run(Flow("outer", [FlowStep("late", late, timeout=0.1)]))
    assert run["late"].metadata["abandoned"]
    inner.wait_for_return()
    assert inner.began == []


def test_a_step_that_is_not_given_up_has_its_run_to_itself() -> None:
    inner = Inner()
    inner.go_on.set()
    flow = Flow("outer", [FlowStep("waits", inner.by_the_same_executor, timeout=LIMIT)])
    assert inner.executor.run(flow).status is RunStatus.SUCCESS
    assert (inner.began, inner.results[0].status) == (["first", "second"], RunStatus.SUCCESS)
