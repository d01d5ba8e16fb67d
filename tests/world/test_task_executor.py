"""`TaskExecutor`: tasks without a project."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from orchestration import AgentRegistry, ExecutionStatus, RetryPolicy, Task, TaskExecutor
from orchestration.kinds import Failure
from orchestration.models import Backoff, ShellAgent
from orchestration.protocols import Work
from tests.world.projects import until


def shell_task(task_id: str, command: str, **fields: Any) -> Task:  # noqa: ANN401  # any field
    return Task(id=task_id, agent="shell", description=command, **fields)


async def test_one_task_is_run_and_its_result_says_everything(tmp_path: Path) -> None:
    task = shell_task("A", 'echo hello; echo "n=5" >> "$ORCH_OUTPUT"; pwd >&2', verify=("true",))
    result = await TaskExecutor(directory=tmp_path).execute(task)
    assert result.status is ExecutionStatus.SUCCESS
    assert (result.output, result.outputs, result.exit_code) == ("hello", {"n": "5"}, 0)
    assert result.started_at is not None
    assert result.completed_at is not None
    assert result.queued_at is not None
    assert result.queued_at <= result.started_at <= result.completed_at
    assert [check.passed for check in result.checks] == [True]
    assert [attempt.number for attempt in result.attempts] == [1]
    assert result.from_dict(result.to_dict()) == result
    assert (tmp_path / ".orchestration").exists() is False


async def test_logs_live_as_long_as_the_executor(tmp_path: Path) -> None:
    executor = TaskExecutor(directory=tmp_path)
    result = await executor.execute(shell_task("A", "echo hello"))
    assert result.log_path is not None
    assert (Path(result.log_path) / "stdout.log").read_text() == "hello\n"
    log = Path(result.log_path)
    del executor
    assert not log.exists()


async def test_many_pairs_come_back_in_their_order_and_bad_ones_touch_no_other() -> None:
    registry = AgentRegistry({"off": ShellAgent(enabled=False), "fails": ShellAgent(command="exit 7")})
    executor = TaskExecutor(registry)
    good = shell_task("A", "sleep 0.2; echo a")
    pairs: list[Any] = [
        (good, None),
        (good, "nobody"),
        (good, "off"),
        (good, "fails"),
        "no pair at all",
        (shell_task("B", "echo b"), "shell"),
    ]
    results = await executor.execute_parallel(pairs, max_concurrent=3)
    assert [result.status.value for result in results] == ["success", "failed", "failed", "failed", "failed", "success"]
    assert [result.task_id for result in results[:4]] == ["A"] * 4
    assert [result.failure for result in results] == [
        None,
        Failure.AGENT_MISSING,
        Failure.AGENT_MISSING,
        Failure.EXIT_CODE,
        Failure.INTERNAL,
        None,
    ]
    assert results[5].output == "b"


async def test_never_more_at_once_than_asked_for(tmp_path: Path) -> None:
    count = "echo + >> log; sleep 0.1; echo - >> log"
    pairs = [(shell_task(f"T{i}", count), None) for i in range(7)]
    results = await TaskExecutor(directory=tmp_path).execute_parallel(pairs, max_concurrent=2)
    assert {result.status for result in results} == {ExecutionStatus.SUCCESS}
    running = most = 0
    for sign in (tmp_path / "log").read_text().split():
        running += 1 if sign == "+" else -1
        most = max(most, running)
    assert most == 2


async def test_a_retry_sees_what_failed_before(tmp_path: Path) -> None:
    policy = RetryPolicy(max=2, backoff=Backoff(initial=0))
    task = shell_task("A", "test $ORCH_ATTEMPT = 2 || { echo no >&2; exit 9; }", retry=policy)
    result = await TaskExecutor(directory=tmp_path).execute(task)
    assert result.status is ExecutionStatus.SUCCESS
    assert [attempt.outcome.exit_code for attempt in result.attempts] == [9, 0]


async def test_python_functions_run_in_this_process() -> None:
    seen: list[int] = []

    async def double(number: int) -> dict[str, int]:
        await asyncio.sleep(0)
        seen.append(number)
        return {"doubled": number * 2}

    registry = AgentRegistry()
    registry.register("double", double)
    result = await TaskExecutor(registry).execute(Task(id="A", agent="double", inputs={"number": 21}))
    assert result.status is ExecutionStatus.SUCCESS
    assert result.outputs == {"doubled": 42}
    assert seen == [21]


async def test_a_person_is_asked_with_the_exact_prompt() -> None:
    task = Task(id="A", title="Look", description="Look at it", acceptance=("it is seen",))
    result = await TaskExecutor().execute(task, mode="interactive")
    assert result.status is ExecutionStatus.NEEDS_INPUT
    assert "Look at it" in result.metadata["prompt"]
    assert "it is seen" in result.metadata["prompt"]


async def test_calls_at_once_on_one_executor_are_independent(tmp_path: Path) -> None:
    executor = TaskExecutor(directory=tmp_path)
    tasks = [shell_task(f"T{i}", f"echo {i}") for i in range(10)]
    results = await asyncio.gather(*(executor.execute(task) for task in tasks))
    assert [result.output for result in results] == [str(i) for i in range(10)]


async def test_a_cancelled_call_leaves_no_process(tmp_path: Path) -> None:
    task = shell_task("A", "sleep 300 & echo $! > pid; sleep 300")
    running = asyncio.create_task(TaskExecutor(directory=tmp_path).execute(task))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    pid = (tmp_path / "pid").read_text().strip()
    assert not _runs(pid)


async def test_events_and_chunks_reach_the_listener() -> None:
    told: list[str] = []
    executor = TaskExecutor(listener=lambda event: told.append(event.type))
    await executor.execute(shell_task("A", "echo hello"))
    assert told == ["run_started", "task_started", "task_chunk", "task_completed", "run_completed"]


def _runs(pid: str) -> bool:
    """Whether the process does anything; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_an_attempt_leaves_nothing_for_the_garbage_collector() -> None:
    """A ring of references keeps an attempt's environment and texts alive; ten thousand of them are a lot of memory."""
    executor = TaskExecutor(AgentRegistry({"works": ShellAgent(command="true")}))
    gc.disable()
    try:
        await executor.execute_parallel([(Task(id=f"GARBAGE-{i}"), "works") for i in range(3)])
        works = [one for one in gc.get_objects() if isinstance(one, Work)]  # those that other tests keep are theirs
        assert not [one for one in works if one.task.id.startswith("GARBAGE-")]
    finally:
        gc.enable()
