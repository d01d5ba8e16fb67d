"""A program that runs a pipeline with a durable store, and can be made to die in the middle of a step.

`python -m tests.world.durable_pipelines FOLDER SHAPE [DIE BESIDE]`: notes each execution of a step in `FOLDER/log`,
kills itself with SIGKILL in the step whose path is DIE, and prints the outputs of the run as JSON. It dies when the
ends of BESIDE others are recorded, which are all that can end without it: nothing is noted whose end may still be lost.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from orchestration import AsyncPipeline, AsyncPythonTask, Conditional, Loop, Map, Parallel, PythonTask, Return
from orchestration.steps.current import current_step

PAUSE = 0.01
"""Seconds between two looks at what is recorded."""


class Worker:
    """Makes steps that note that they run, and that die where they are told to."""

    def __init__(self, folder: Path, die: str, beside: int) -> None:
        self.log = folder / "log"
        self.state = folder / "state" / "state.db"
        self.die = die
        self.beside = beside

    def note(self) -> bool:
        """Note that a step runs; whether it is the one to die in."""
        step = current_step()
        assert step is not None
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{step.path}\n")
        return step.path == self.die

    def die_at_last(self) -> None:
        """Die, unless more is to be recorded before that."""
        with closing(sqlite3.connect(self.state)) as connection:
            rows = connection.execute("SELECT task_id FROM events WHERE type = 'task_completed'").fetchall()
        noted = {*self.log.read_text(encoding="utf-8").split()} - {self.die}
        if len(noted & {path for (path,) in rows}) == self.beside:
            os.kill(os.getpid(), signal.SIGKILL)

    def step(self, name: str, function: Callable[..., Any], *returns: Any) -> AsyncPythonTask:  # noqa: ANN401  # names or records
        async def noted(**known: Any) -> Any:  # noqa: ANN401  # whatever is known
            dies = self.note()
            while dies:
                self.die_at_last()
                await asyncio.sleep(PAUSE)
            return function(**known)

        return AsyncPythonTask(noted, name, returns=returns)

    def thread(self, name: str, function: Callable[..., Any], *returns: Any) -> PythonTask:  # noqa: ANN401  # as above
        def noted(**known: Any) -> Any:  # noqa: ANN401  # as above
            dies = self.note()
            while dies:
                self.die_at_last()
                time.sleep(PAUSE)
            return function(**known)

        return PythonTask(noted, name, returns=returns)

    # -- shapes -----------------------------------------------------------------------------------------------------

    def branches(self) -> AsyncPipeline:
        def branch(name: str) -> AsyncPipeline:
            first = self.step(f"{name}1", lambda x, **_: x + 1, name)
            return AsyncPipeline([first, self.thread(f"{name}2", lambda **known: known[name] * 2, name)])

        return AsyncPipeline(
            [
                self.step("start", lambda **_: 5, "x"),
                Parallel("p", {name: branch(name) for name in "abc"}),
                self.step("end", lambda a, b, c, **_: [a, b, c], "all"),
            ]
        )

    def items(self) -> AsyncPipeline:
        inner = AsyncPipeline(
            [
                self.step("one", lambda x, **_: x * 10, "y"),
                self.thread("two", lambda y, **_: y + 1, "z"),
            ]
        )
        return AsyncPipeline(
            [
                self.step("list", lambda **_: [3, 1, 2], "xs"),
                Map("m", inner, "xs", "x", max_concurrent=2),
                self.step("end", lambda z, **_: sum(z), "total"),
            ]
        )

    def choice(self) -> AsyncPipeline:
        return AsyncPipeline(
            [
                self.step(
                    "decide", lambda **_: "left" if not (self.log.parent / "decided").exists() else "right", "way"
                ),
                self.step("mark", lambda **_: (self.log.parent / "decided").touch()),
                Conditional(
                    "c",
                    {name: self.step(name, lambda name=name, **_: name, "went") for name in ("left", "right")},
                    parameter="way",
                ),
                self.step("end", lambda went, **_: went.upper(), "told"),
            ]
        )

    def guarded(self) -> AsyncPipeline:
        once = self.step("once", lambda **_: 1, "a")
        once.on_crash = "fail"
        branches = Parallel("p", {"a": once, "b": self.step("other", lambda **_: 2, "b")})
        return AsyncPipeline([branches, self.step("end", lambda a, b, **_: a + b, "c")])

    def rounds(self) -> AsyncPipeline:
        up = self.step("up", lambda n, i, **_: n + i + 1, "n")
        return AsyncPipeline([Loop("l", up, "n >= 10", 10, index_as="i"), self.step("end", lambda n, **_: n, "m")])

    def objects(self) -> AsyncPipeline:
        made = self.step("make", lambda **_: {"lock": object(), "kept": {1, 2}, "n": 1}, Return("lock", "object"), "n")
        kept = AsyncPythonTask(made.function, "make", returns=made.returns, recompute=True)
        return AsyncPipeline(
            [
                kept,
                self.step("middle", lambda lock, **_: type(lock).__name__, "kind"),
                self.step("end", lambda lock, n, **_: [type(lock).__name__, n], "told"),
            ]
        )


def main(folder: Path, shape: str, die: str = "", beside: str = "0") -> None:
    """Run it."""
    worker = Worker(folder, die, int(beside))
    pipeline: AsyncPipeline = getattr(worker, shape)()
    run = pipeline.run({"n": 0}, run_id="r", store=folder / "state", max_concurrent=4)
    told = {"status": run.status, "outputs": run.outputs, "steps": {one.task_id: one.status for one in run.results}}
    sys.stdout.write(json.dumps(told, default=repr))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
