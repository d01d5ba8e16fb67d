"""What failures, limits and cancellations of steps mean for the rest of a pipeline; and ways around failures."""

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orchestration import (
    AgentStep,
    AsyncPythonTask,
    Conditional,
    Loop,
    Map,
    Parallel,
    PythonTask,
    RetryPolicy,
    Return,
    RunStatus,
    ShellTask,
)
from orchestration.kinds import Failure
from orchestration.store.memory import MemoryStore
from tests.world.steps import PATIENCE, Hanging, nothing, nothing_left, pipeline_of, statuses


async def fails() -> None:
    raise ValueError("it is broken")


def fails_in_thread() -> None:
    raise ValueError("it is broken")


async def mends() -> str:
    return "mended"


MENDS = AsyncPythonTask(mends, returns=["how"])

# -- ways around a failure -------------------------------------------------------------------------------------------


async def test_a_handler_runs_instead_of_the_rest() -> None:
    pipeline = pipeline_of(AsyncPythonTask(fails, on_failure=MENDS), nothing)
    run = await pipeline.execute()
    assert statuses(run) == {"fails": "failed", "mends": "success", "nothing": "skipped"}
    assert run.status is RunStatus.SUCCESS
    assert run.outputs["how"] == "mended"


async def test_a_later_step_is_named_and_goes_on_from_there() -> None:
    steps = [AsyncPythonTask(fails, on_failure="mends"), AsyncPythonTask(nothing), MENDS, AsyncPythonTask(mends, "end")]
    run = await pipeline_of(*steps).execute()
    assert statuses(run) == {"fails": "failed", "nothing": "skipped", "mends": "success", "end": "success"}
    assert run.status is RunStatus.SUCCESS


async def test_a_handler_is_skipped_where_nothing_fails() -> None:
    run = await pipeline_of(AsyncPythonTask(nothing, on_failure=MENDS), AsyncPythonTask(mends, "next")).execute()
    assert statuses(run) == {"nothing": "success", "mends": "skipped", "next": "success"}


async def test_a_handler_can_be_a_pipeline_and_can_have_a_handler() -> None:
    whole = pipeline_of(AsyncPythonTask(fails, "inner"), name="tries", on_failure=MENDS)
    run = await pipeline_of(AsyncPythonTask(fails, on_failure=whole), nothing).execute()
    assert run["fails"].status.value == "failed"
    assert run["tries"].status.value == "failed"
    assert run["nothing"].status.value == "skipped"


async def test_a_handler_that_fails_fails_the_run() -> None:
    run = await pipeline_of(AsyncPythonTask(fails, on_failure=AsyncPythonTask(fails, "too")), nothing).execute()
    assert statuses(run) == {"fails": "failed", "too": "failed", "nothing": "skipped"}
    assert run.status is RunStatus.FAILED


@pytest.mark.parametrize(
    "composite",
    [
        Parallel("c", {"a": AsyncPythonTask(fails), "b": AsyncPythonTask(nothing)}, on_failure=MENDS),
        Map("c", AsyncPythonTask(fails), "xs", "x", on_failure=MENDS),
        Conditional("c", {"k": AsyncPythonTask(fails)}, parameter="k", on_failure=MENDS),
        Loop("c", AsyncPythonTask(fails), "k", 2, on_failure=MENDS),
        pipeline_of(fails, name="c", on_failure=MENDS),
    ],
    ids=lambda step: type(step).__name__,
)
async def test_every_composite_can_have_a_handler(composite: Any) -> None:  # noqa: ANN401  # a composite
    run = await pipeline_of(composite, nothing).execute({"xs": [1, 2], "k": "k"})
    assert run.status is RunStatus.SUCCESS
    assert (run["c"].status.value, run["nothing"].status.value) == ("failed", "skipped")
    assert run.outputs["how"] == "mended"


async def test_a_handler_runs_after_the_last_attempt() -> None:
    tries: list[int] = []

    async def tried() -> None:
        tries.append(1)
        raise ValueError

    retry = RetryPolicy(max=3, backoff={"initial": 0.001})  # type: ignore[arg-type]  # read by the model
    run = await pipeline_of(AsyncPythonTask(tried, retry=retry, on_failure=MENDS)).execute()
    assert len(tries) == 3
    assert len(run["tried"].attempts) == 3
    assert run.outputs["how"] == "mended"


async def test_a_step_is_tried_again_and_its_next_steps_run_once() -> None:
    tries: list[int] = []

    async def shaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError
        return 5

    retry = {"max": 5, "backoff": {"initial": 0.001}}
    run = await pipeline_of(AsyncPythonTask(shaky, retry=retry, returns=["x"]), nothing).execute()
    assert run.succeeded
    assert [one.outcome.failure for one in run["shaky"].attempts] == [Failure.CRASHED, Failure.CRASHED, None]


async def test_handlers_inside_of_branches_and_items_are_their_own() -> None:
    async def odd_fails(x: int) -> int:
        if x % 2:
            raise ValueError
        return x

    async def minus() -> int:
        return -1

    task = AsyncPythonTask(odd_fails, returns=["v"], on_failure=AsyncPythonTask(minus, returns=["v"]))
    run = await pipeline_of(Map("m", task, "xs", "x")).execute({"xs": [0, 1, 2, 3]})
    assert run.outputs == {"v": [0, -1, 2, -1]}


# -- failures inside -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [AsyncPythonTask(fails, "bad"), PythonTask(fails_in_thread, "bad")])
async def test_a_failure_inside_lets_the_siblings_end_and_stops_what_comes_after(task: Any) -> None:  # noqa: ANN401  # a task
    with nothing_left():
        inner = pipeline_of(Parallel("p", {"bad": task, "good": AsyncPythonTask(nothing)}), name="inner")
        run = await pipeline_of(Map("m", inner, "xs", "x"), nothing).execute({"xs": [1, 2]})
    ends = statuses(run)
    assert (ends["m"], ends["nothing"]) == ("failed", "blocked")
    assert ends["m[1]/p/good/nothing"] == "success"
    assert "m[0]/p/bad/bad: " in (run["m"].error or "")
    assert "ValueError: it is broken" in (run["m"].error or "")
    assert run["m"].failure is Failure.CRASHED


@pytest.mark.parametrize(
    ("function", "failure", "error"),
    [
        (lambda: 1 / 0, Failure.CRASHED, "ZeroDivisionError: division by zero"),
        (lambda: sys.exit(0), Failure.EXIT_CODE, "exited with code 0 before it returned"),
        (lambda: sys.exit(3), Failure.EXIT_CODE, "exited with code 3"),
        (lambda: sys.exit("words"), Failure.EXIT_CODE, "exited: words"),
        (lambda: next(iter([])), Failure.CRASHED, "StopIteration"),
    ],
)
async def test_whatever_a_function_raises_is_its_failure_only(function: Any, failure: Failure, error: str) -> None:  # noqa: ANN401  # any function
    async def awaited() -> None:
        function()

    for task in (PythonTask(function, "bad"), AsyncPythonTask(awaited, "bad")):
        branches = {"bad": task, "good": AsyncPythonTask(mends, returns=["how"])}
        run = await pipeline_of(Parallel("p", branches)).execute()
        assert run["p/bad/bad"].failure is failure
        assert error in (run["p/bad/bad"].error or "")
        assert run["p/good/mends"].succeeded


async def test_a_function_that_cancels_itself_has_failed_and_cancels_nobody_else() -> None:
    async def raises() -> None:
        raise asyncio.CancelledError

    async def cancels() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    def in_thread() -> None:
        raise asyncio.CancelledError

    for task in (AsyncPythonTask(raises), AsyncPythonTask(cancels), PythonTask(in_thread)):
        run = await pipeline_of(Parallel("p", {"bad": task, "good": AsyncPythonTask(mends)}), nothing).execute()
        assert run[task.name].failure is Failure.CRASHED
        assert run["mends"].succeeded
        assert run["nothing"].status.value == "blocked"


async def test_timeouts_and_task_groups_of_the_function_are_its_own() -> None:
    async def careful() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(PATIENCE)
        except TimeoutError:
            pass
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await asyncio.sleep(PATIENCE)
        except ExceptionGroup as found:
            return str(len(found.exceptions))
        return "nothing raised"

    run = await pipeline_of(AsyncPythonTask(careful, returns=["n"]), nothing).execute(max_concurrent=1)
    assert run.succeeded
    assert run.outputs["n"] == "1"


# -- limits ----------------------------------------------------------------------------------------------------------


async def test_a_step_that_takes_too_long_is_cancelled_and_cleans_up() -> None:
    hanging = Hanging()
    run = await pipeline_of(AsyncPythonTask(hanging.hang, timeout=0.05)).execute()
    assert run["hang"].failure is Failure.TIMEOUT
    assert hanging.ended == 1


async def test_a_thread_that_takes_too_long_is_abandoned_and_listed() -> None:
    release = threading.Event()

    def hangs() -> str:
        release.wait(PATIENCE)
        return "too late"

    run = await pipeline_of(PythonTask(hangs, timeout=0.05, returns=["x"]), nothing).execute()
    assert statuses(run) == {"hangs": "failed", "nothing": "blocked"}
    assert run["hangs"].attempts[-1].outcome.abandoned
    assert "still runs" in (run["hangs"].error or "")
    release.set()


async def test_a_thread_of_a_cancelled_run_is_abandoned_and_listed() -> None:
    release, began = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hangs() -> str:
        print("half done")
        loop.call_soon_threadsafe(began.set)
        release.wait(PATIENCE)
        return "too late"

    pipeline = pipeline_of(Parallel("p", {"a": PythonTask(hangs), "b": AsyncPythonTask(nothing)}))
    async with pipeline.execute_streaming() as stream:
        await began.wait()
    run = await stream.result()
    last = run["hangs"].attempts[-1].outcome
    assert (run["hangs"].status.value, last.abandoned, last.output) == ("cancelled", True, "half done\n")
    assert not any(one.outcome.abandoned for one in run["nothing"].attempts)
    release.set()


async def test_an_abandoned_thread_keeps_its_slot_and_its_result_is_refused() -> None:
    release = threading.Event()
    running = peak = 0

    def hangs() -> str:
        release.wait(PATIENCE)
        return "too late"

    async def counted() -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.02)
        running -= 1

    async def frees() -> None:
        release.set()

    late = pipeline_of(*(AsyncPythonTask(counted, f"c{n}") for n in range(2)), frees)
    branches: dict[str, Any] = {"a": PythonTask(hangs, timeout=0.01, returns=["x"]), "b": late, "c": late}
    run = await pipeline_of(Parallel("p", branches)).execute(max_concurrent=2)
    assert run["hangs"].failure is Failure.TIMEOUT
    assert run["hangs"].outputs == {}
    assert peak == 1


async def test_the_deadline_of_a_run_ends_what_runs_and_what_waits() -> None:
    hanging = Hanging()
    with nothing_left():
        began = time.monotonic()
        run = await pipeline_of(Parallel("p", {"a": AsyncPythonTask(hanging.hang)}), nothing).execute(deadline=0.05)
        assert time.monotonic() - began < PATIENCE / 2
    assert run.status is RunStatus.CANCELLED
    assert set(statuses(run).values()) == {"cancelled"}
    assert run.reason == "timeout"


# -- steps that somebody else does -----------------------------------------------------------------------------------


async def test_a_command_fails_by_its_exit_code_and_tells_its_last_words() -> None:
    run = await pipeline_of(ShellTask("s", "echo sorry >&2; exit 3"), nothing).execute()
    assert (run["s"].failure, run["s"].exit_code) == (Failure.EXIT_CODE, 3)
    assert "sorry" in (run["s"].error or "")


async def test_a_program_that_is_not_there_is_no_failure_of_ours() -> None:
    run = await pipeline_of(ShellTask("s", "no-such-program-anywhere --now")).execute()
    assert run["s"].failure is Failure.AGENT_MISSING
    assert "no-such-program-anywhere" in (run["s"].error or "")
    run = await pipeline_of(AgentStep("a", agent="nobody-knows", prompt="x")).execute()
    assert run["a"].failure is Failure.AGENT_MISSING


async def test_checks_decide_about_a_command_too() -> None:
    run = await pipeline_of(ShellTask("s", "true", verify=["false"])).execute()
    assert run["s"].failure is Failure.CHECK_FAILED


async def test_a_command_that_takes_too_long_is_ended() -> None:
    run = await pipeline_of(ShellTask("s", "sleep 60", timeout=0.1, kill_grace=0.1)).execute()
    assert run["s"].failure is Failure.TIMEOUT


class Spoilt:
    """A serializer that cannot read what it has written."""

    @staticmethod
    def dumps(value: object) -> str:
        return repr(value)

    @staticmethod
    def loads(text: str) -> object:
        raise LookupError(text)


async def test_what_cannot_be_read_again_when_a_composite_ends_is_its_failure_and_the_run_has_a_result(
    tmp_path: Path,
) -> None:
    made = PythonTask(object, "x", returns=[Return("made", "object", serializer=Spoilt)])
    pipeline = pipeline_of(Map("m", made, "items", "item", reducer=len), ShellTask("after", "true"))
    run = await pipeline.execute({"items": [1, 2]}, store=tmp_path / "state")
    assert run.status is RunStatus.FAILED
    assert statuses(run)["m"] == "failed"
    assert run["m"].failure is Failure.INTERNAL
    assert "m: LookupError" in (run["m"].error or "")
    assert statuses(run)["after"] == "blocked"


class Deaf:
    """A store of somebody else that has a fault in the way commands are asked for, until the run is over."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever a store has
        return getattr(self._store, name)

    async def commands(self, _: str) -> list[Any]:
        raise ZeroDivisionError("by somebody else")


async def test_a_fault_in_looking_for_commands_ends_the_run_and_is_raised() -> None:
    with pytest.raises(ZeroDivisionError, match="somebody else"):
        async with asyncio.timeout(PATIENCE):
            await pipeline_of(Hanging().hang).execute(store=Deaf())
