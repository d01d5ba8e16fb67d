"""Flows of made-up steps, played in virtual time; what began, ended and was cancelled is written into a diary."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from orchestration.kinds import ExecutionStatus
from orchestration.results import RunResult
from orchestration.testing import run_in_virtual_time


class Broken(Exception):
    """What a step raises that is to fail."""


@dataclass
class Diary:
    """What steps did, in order, and how many were at work at once."""

    entries: list[tuple[str, str]] = field(default_factory=list)
    running: int = 0
    peak: int = 0

    def step(self, name: str, seconds: float = 0.0, *, fails: int = 0) -> Callable[..., Coroutine[Any, Any, Any]]:
        """A function that lasts so long, fails so often, and then returns its name."""
        left = [fails]

        async def work() -> str:
            self.entries.append(("began", name))
            self.running += 1
            self.peak = max(self.peak, self.running)
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                self.entries.append(("cancelled", name))
                raise
            finally:
                self.running -= 1
            if left[0]:
                left[0] -= 1
                raise Broken(name)
            self.entries.append(("ended", name))
            return name

        return work

    def of(self, deed: str) -> list[str]:
        """Who did it, in order."""
        return [name for what, name in self.entries if what == deed]


def play(
    flow: Flow,
    max_concurrent: int | None = None,
    inputs: Mapping[str, Any] | None = None,
    deadline: float | str | None = None,
    **options: Any,  # noqa: ANN401  # those of the executor
) -> RunResult:
    """Run a flow in virtual time."""
    return run_in_virtual_time(AsyncFlowExecutor(max_concurrent, **options).execute(flow, inputs, deadline))


def statuses(run: RunResult) -> dict[str, ExecutionStatus]:
    """How each step ended, in the order of the records."""
    return {one.task_id: one.status for one in run.results}


def random_flow(seed: int, diary: Diary, size: int = 30) -> tuple[Flow, float]:
    """A flow of random edges and durations, and the seconds of its critical path."""
    dice = random.Random(seed)  # noqa: S311  # a repeatable graph
    steps: list[FlowStep] = []
    reached: dict[str, float] = {}
    for n in range(size):
        name, seconds = f"s{n}", dice.uniform(0.1, 10)
        needs = dice.sample([one.id for one in steps], k=min(len(steps), dice.randint(0, 3)))
        reached[name] = max((reached[need] for need in needs), default=0.0) + seconds
        steps.append(FlowStep(name, diary.step(name, seconds), depends_on=needs))
    dice.shuffle(steps)
    return Flow("random", steps), max(reached.values())
