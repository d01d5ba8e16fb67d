"""A flow in which everything comes together, run as a program of its own: prints its states, outputs and order.

    python -m tests.world.flow_children LIMIT [FOLDER RUN_ID [DIE_AT]]

With a folder it is durable, and its counters are kept there; at the step `DIE_AT` the process kills itself.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep, ref
from orchestration.results import RunResult


class Steps:
    """Functions that note in a file that they began, and die where they are told to."""

    def __init__(self, folder: Path | None, die_at: str | None) -> None:
        self._folder = folder
        self._die_at = die_at
        self._tries: dict[str, int] = {}

    def _note(self, name: str) -> None:
        self._tries[name] = self._tries.get(name, 0) + 1
        if self._folder is not None:
            with (self._folder / "began.txt").open("a") as file:
                file.write(f"{name}\n")
        if name == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def quick(self, name: str, value: Any) -> Callable[[], Any]:  # noqa: ANN401  # any value
        async def work() -> Any:  # noqa: ANN401  # as above
            self._note(name)
            await asyncio.sleep(0.001)
            return value

        return work

    def blocking(self, name: str, value: Any) -> Callable[[], Any]:  # noqa: ANN401  # any value
        def work() -> Any:  # noqa: ANN401  # as above
            self._note(name)
            return value

        return work

    def shaky(self, name: str, value: Any) -> Callable[[], Any]:  # noqa: ANN401  # any value
        async def work() -> Any:  # noqa: ANN401  # as above
            self._note(name)
            if self._tries[name] == 1:
                raise LookupError(name)
            return value

        return work

    def broken(self, name: str) -> Callable[[], Any]:
        def work() -> None:
            self._note(name)
            raise LookupError(name)

        return work

    def square(self, name: str) -> Callable[[int], Coroutine[Any, Any, int]]:
        async def squared(x: int) -> int:
            self._note(name)
            await asyncio.sleep(0.001)
            return x * x

        return squared


def sum_of(parts: list[int]) -> int:
    return sum(parts)


def flow(steps: Steps) -> Flow:
    """Conditions, branches, flows inside of others, retries, fallbacks, skips, cached steps."""
    again = {"max": 3, "backoff": {"initial": 0.001, "max": 0.001}}
    square = steps.square("square")
    inner = Flow(
        "inner",
        [
            FlowStep("total", sum_of, depends_on=["p", "q"], inputs={"parts": [ref("p"), ref("q")]}),
            FlowStep("p", square, inputs={"x": 3}, cache=True),
            FlowStep("q", square, inputs={"x": 3}, cache=True),
            FlowStep("never", steps.quick("never", 1), when="kind == 'other'"),
        ],
    )
    return Flow(
        "together",
        [
            FlowStep("end", lambda **known: sorted(known), depends_on=["left", "right", "sub", "may", "spare"]),
            FlowStep(
                "choose",
                steps.quick("choose", {"kind": "big", "size": 12}),
                branches={"left": "size > 10"},
                default="right",
            ),
            FlowStep("left", steps.blocking("left", ["l"]), depends_on="choose"),
            FlowStep("right", steps.quick("right", ["r"]), depends_on="choose"),
            FlowStep("lost", steps.quick("lost", 1), depends_on="right"),
            FlowStep("shaky", steps.shaky("shaky", 5), retry=again, timeout=20),
            FlowStep("sub", flow=inner, depends_on=["choose", "shaky"]),
            FlowStep("may", steps.broken("may"), on_error="skip"),
            FlowStep("spare", steps.broken("spare"), fallback=steps.quick("fallback", "spared")),
            FlowStep("bad", steps.broken("bad"), retry=again),
            FlowStep("below", steps.quick("below", 1), depends_on=["bad", "choose"]),
            *(FlowStep(f"leaf{n}", steps.blocking(f"leaf{n}", n), depends_on="shaky") for n in range(4)),
        ],
        on_error="continue",
    )


def told(run: RunResult) -> dict[str, Any]:
    """All of a result that may not depend on chance."""
    records = [
        [
            one.task_id,
            one.status.value,
            one.failure and one.failure.value,
            one.reason,
            dict(one.outputs),
            len(one.attempts),
        ]
        for one in run.results
    ]
    return {"status": run.status.value, "outputs": run.outputs, "records": records}


async def main(limit: int, folder: Path | None, run_id: str | None, die_at: str | None) -> RunResult:
    """Run it."""
    executor = AsyncFlowExecutor(limit, store=None if folder is None else folder / "state")
    return await executor.execute(flow(Steps(folder, die_at)), {"kind": "this"}, deadline=60, run_id=run_id)


if __name__ == "__main__":
    _, limit, *rest = sys.argv
    folder, run_id, die_at = [*rest, None, None, None][:3]
    result = asyncio.run(main(int(limit), Path(folder) if folder else None, run_id, die_at))  # noqa: TID251  # a program
    print(json.dumps(told(result)))  # noqa: T201  # a program
