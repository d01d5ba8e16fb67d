"""Functions in threads that do not return in time: they keep their slots, and no run waits for them in the end."""

import threading
import time
from pathlib import Path

from orchestration import AgentRegistry, Task, TaskExecutor
from orchestration.events import Event, TaskChunk
from orchestration.kinds import Failure
from orchestration.models import PythonAgent
from orchestration.protocols import Listener

PATIENCE = 30.0


class Functions:
    """One that hangs until it is released, and one that counts how many of its kind run at once."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.lock = threading.Lock()
        self.running = self.peak = self.calls = 0

    def hang(self) -> str:
        self.release.wait(PATIENCE)
        return "too late"

    def count(self) -> None:
        with self.lock:
            self.running += 1
            self.calls += 1
            self.peak = max(self.peak, self.running)
        time.sleep(0.05)
        with self.lock:
            self.running -= 1

    def executor(self, folder: Path, listener: Listener | None = None) -> TaskExecutor:
        agents = {"hangs": PythonAgent(function=self.hang), "counts": PythonAgent(function=self.count)}
        return TaskExecutor(AgentRegistry(agents), directory=folder, listener=listener)


async def test_an_abandoned_function_keeps_its_slot_and_not_the_run(tmp_path: Path) -> None:
    functions = Functions()
    pairs = [(Task(id="H", timeout=0.05), "hangs"), *((Task(id=f"T{n}"), "counts") for n in range(6))]
    results = await functions.executor(tmp_path).execute_parallel(pairs, max_concurrent=2)
    assert [result.succeeded for result in results] == [False] + [True] * 6
    assert results[0].failure is Failure.TIMEOUT
    assert results[0].attempts[0].outcome.abandoned
    assert functions.calls == 6
    assert functions.peak == 1
    assert not functions.release.is_set()
    functions.release.set()


async def test_a_function_that_returns_late_gives_its_slot_back(tmp_path: Path) -> None:
    functions, given_up = Functions(), threading.Event()

    def hear(event: Event | TaskChunk) -> None:
        if event.type == "task_error":
            given_up.set()

    def free() -> None:
        given_up.wait(PATIENCE)
        functions.release.set()

    executor = functions.executor(tmp_path, hear)
    executor.registry.register("frees", PythonAgent(function=free))
    pairs = [(Task(id="H", timeout=0.05), "hangs"), (Task(id="F"), "frees")]
    pairs += [(Task(id=f"T{n}"), "counts") for n in range(8)]
    results = await executor.execute_parallel(pairs, max_concurrent=2)
    assert [result.succeeded for result in results] == [False] + [True] * 9
    assert results[0].output == ""
    assert functions.peak == 2


async def test_one_slot_that_is_held_is_let_go_for_the_next_task(tmp_path: Path) -> None:
    functions = Functions()
    pairs = [(Task(id="H", timeout=0.05), "hangs"), (Task(id="T"), "counts")]
    results = await functions.executor(tmp_path).execute_parallel(pairs, max_concurrent=1)
    assert [result.succeeded for result in results] == [False, True]
    assert not functions.release.is_set()
    functions.release.set()
