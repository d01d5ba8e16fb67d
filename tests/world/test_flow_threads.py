"""Plain functions of flows in real threads: at once, within limits, and what is left behind if one does not return."""

import asyncio
import contextvars
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.errors import LoopIsRunning, UsageError
from orchestration.flow import AsyncFlowExecutor, Flow, FlowExecutor, FlowStep
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import RunResult
from tests.docs.pages import ROOT

pytestmark = pytest.mark.slow

LIMIT = 30.0
"""Seconds after which a thread that should have been let go ends by itself, so that a broken test ends too."""


class Gauge:
    """Counts who is at work at once, in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self.peak = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with self._lock:
            self._running += 1
            self.peak = max(self.peak, self._running)
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1


def sleeping(seconds: float, gauge: Gauge | None = None) -> Callable[[], None]:
    def work() -> None:
        with (gauge or Gauge()).at_work():
            time.sleep(seconds)

    return work


def hanging(let_go: threading.Event) -> Callable[[], str]:
    def hang() -> str:
        let_go.wait(LIMIT)
        return "late"

    return hang


def one_of_some(runs: Callable[[], RunResult], is_so: Callable[[RunResult], bool]) -> bool:
    """Whether one of some runs took as long as it should: the machine may have other things to do."""
    return any(is_so(runs()) for _ in range(5))


def test_independent_steps_take_less_than_their_times_together() -> None:
    flow = Flow("f", [FlowStep(f"s{n}", sleeping(0.2)) for n in range(8)])

    def is_so(run: RunResult) -> bool:
        together = run.wall_seconds < run.step_seconds / 2
        return together and run.critical_path_seconds == pytest.approx(0.2, rel=0.5)

    assert one_of_some(lambda: FlowExecutor().run(flow), is_so)


def test_a_real_graph_takes_hardly_longer_than_its_critical_path() -> None:
    """The best of some tries, for the machine may have other things to do."""
    dice = random.Random(7)  # noqa: S311  # a repeatable graph

    def ratio() -> float:
        steps: list[FlowStep] = []
        for n in range(16):
            needs = dice.sample([one.id for one in steps], k=min(len(steps), 2))
            steps.append(FlowStep(f"s{n}", sleeping(dice.uniform(0.05, 0.15)), depends_on=needs))
        run = FlowExecutor().run(Flow("f", steps))
        return run.wall_seconds / run.critical_path_seconds

    assert min(ratio() for _ in range(5)) <= 1.15


@pytest.mark.parametrize("limit", [1, 3])
def test_runs_of_one_executor_share_its_room_from_several_threads(limit: int) -> None:
    gauge, executor, runs = Gauge(), FlowExecutor(limit), list[RunResult]()
    flow = Flow("f", [FlowStep(f"s{n}", sleeping(0.05, gauge)) for n in range(5)])
    threads = [threading.Thread(target=lambda: runs.append(executor.run(flow)), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert [run.status for run in runs] == [RunStatus.SUCCESS] * 4
    assert gauge.peak == limit


def test_runs_in_several_loops_at_once_are_refused_and_one_after_the_other_are_fine() -> None:
    executor, started, let_go = AsyncFlowExecutor(1), threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        let_go.wait(LIMIT)

    flow = Flow("f", [FlowStep("a", hang)])
    other = threading.Thread(target=lambda: asyncio.run(executor.execute(flow)), daemon=True)  # noqa: TID251  # a loop of its own
    other.start()
    assert started.wait(LIMIT)
    with pytest.raises(UsageError, match="another loop"):
        asyncio.run(executor.execute(flow))  # noqa: TID251  # likewise
    let_go.set()
    other.join(LIMIT)
    assert asyncio.run(executor.execute(flow)).status is RunStatus.SUCCESS  # noqa: TID251  # likewise


def test_threads_are_bounded_and_waiting_for_one_is_no_part_of_a_timeout() -> None:
    gauge = Gauge()
    steps = [FlowStep(f"s{n}", sleeping(0.1, gauge), timeout=5 if n else 0.5) for n in range(6)]
    late = [FlowStep(f"late{n}", sleeping(0.2, gauge), timeout=0.9) for n in range(6)]
    run = FlowExecutor(max_threads=1).run(Flow("f", [*steps, *late]))
    assert run.status is RunStatus.SUCCESS  # together they take twice as long as the last one may
    assert gauge.peak == 1


def test_a_function_that_does_not_return_is_abandoned_listed_and_its_late_result_refused() -> None:
    let_go, executor = threading.Event(), FlowExecutor(1)
    steps = [FlowStep("hangs", hanging(let_go), timeout=0.05), FlowStep("other", sleeping(0))]
    try:
        run = executor.run(Flow("f", steps, on_error="continue"), run_id="r")
        assert run["other"].status is ExecutionStatus.SUCCESS  # it does not wait for a thread that may never return
        assert run["hangs"].failure is Failure.TIMEOUT
        assert run["hangs"].metadata["abandoned"] is True
        assert run["hangs"].attempts[0].outcome.abandoned
        assert "still runs" in str(run["hangs"].error)
        (listed,) = executor.abandoned
        assert listed.startswith("r/hangs/1 ")
    finally:
        let_go.set()
    assert until(lambda: not executor.abandoned)
    assert run["hangs"].outputs == {}


def test_a_cancelled_function_is_listed_too_and_so_is_one_for_which_another_stood_in() -> None:
    let_go, executor = threading.Event(), FlowExecutor()

    def fails() -> None:
        raise LookupError

    try:
        run = executor.run(Flow("f", [FlowStep("hangs", hanging(let_go)), FlowStep("fails", fails)]))
        assert run["hangs"].status is ExecutionStatus.CANCELLED
        assert run["hangs"].metadata["abandoned"] is True
        step = FlowStep("slow", hanging(let_go), timeout=0.05, fallback=lambda: "instead")
        run = executor.run(Flow("f", [step]))
        assert run["slow"].outputs == {"result": "instead"}
        assert run["slow"].metadata["abandoned"] is True
        assert len(executor.abandoned) == 2
    finally:
        let_go.set()
    assert until(lambda: not executor.abandoned)


def test_a_deadline_does_not_wait_for_a_thread() -> None:
    let_go, executor = threading.Event(), FlowExecutor()
    try:
        began = time.monotonic()
        run = executor.run(Flow("f", [FlowStep("hangs", hanging(let_go))]), deadline=0.1)
        assert time.monotonic() - began < LIMIT / 2
        assert run.status is RunStatus.CANCELLED
    finally:
        let_go.set()


async def test_the_door_without_a_loop_says_what_to_await_where_there_is_one() -> None:
    with pytest.raises(LoopIsRunning, match="AsyncFlowExecutor"):
        FlowExecutor().run(Flow("f", []))


def test_steps_see_the_context_of_whoever_calls() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    who.set("me")

    async def asks() -> str:
        return who.get()

    run = FlowExecutor().run(Flow("f", [FlowStep("plain", who.get), FlowStep("asks", asks)]))
    assert (run.outputs["plain"], run.outputs["asks"]) == ("me", "me")


def test_nothing_is_left_when_a_run_is_over() -> None:
    before = threading.active_count()
    executor = FlowExecutor(2)
    for _ in range(3):
        executor.run(Flow("f", [FlowStep(f"s{n}", sleeping(0)) for n in range(4)]))
    assert until(lambda: threading.active_count() <= before)  # those of others may end meanwhile


def until(holds: Callable[[], bool]) -> bool:
    """Wait for what other threads are about to do."""
    deadline = time.monotonic() + LIMIT
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds()


_INTERRUPTED = """
import asyncio, os, sys
from orchestration import Flow, FlowExecutor, FlowStep

async def slow():
    os.write(1, b"began\\n")  # what a step prints goes to its record
    try:
        await asyncio.sleep(60)
    finally:
        os.write(1, b"cleaned up\\n")

flow = Flow("f", [FlowStep("slow", slow), FlowStep("after", slow, depends_on="slow")])
executor = FlowExecutor(store=sys.argv[1])
try:
    executor.run(flow, run_id="r")
except KeyboardInterrupt:
    print("interrupted", flush=True)
print([(one.task_id, one.status.value, one.reason) for one in executor.run(flow, run_id="r").results])
"""


def test_where_no_thread_can_be_started_later_runs_are_as_ever_and_leave_nothing() -> None:
    executor, flow = FlowExecutor(), Flow("f", [FlowStep("a", lambda: 1)])
    before = {*threading.enumerate()}
    usual = threading.stack_size(1 << 46)  # no system has room for it
    try:
        with pytest.raises(RuntimeError, match="new thread"):
            executor.run(flow)
    finally:
        threading.stack_size(usual)
    assert executor.run(flow).succeeded
    assert until(lambda: {*threading.enumerate()} <= before)


async def test_a_function_for_which_no_thread_can_be_started_was_not_called_and_has_not_raised() -> None:
    called: list[bool] = []

    def work() -> None:
        called.append(True)

    executor, flow = AsyncFlowExecutor(), Flow("f", [FlowStep("a", work)])
    usual = threading.stack_size(1 << 46)  # no system has room for it
    try:
        (result,) = (await executor.execute(flow)).results
    finally:
        threading.stack_size(usual)
    assert result.failure is Failure.INTERNAL
    assert "work was not called: no thread can be started for a plain function (" in (result.error or "")
    assert "ulimit -u" in (result.error or "")
    assert not called
    assert (await executor.execute(flow)).succeeded


def test_an_interrupted_caller_finds_its_run_ended_and_recorded(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", _INTERRUPTED, str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "began\n"
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=LIMIT)[0].splitlines()
    assert said == [
        "cleaned up",
        "interrupted",
        "[('slow', 'cancelled', 'stopped'), ('after', 'cancelled', 'not_started')]",
    ]


def interrupts() -> None:
    raise KeyboardInterrupt


async def interrupts_in_the_loop() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("function", [interrupts, interrupts_in_the_loop])
def test_an_interruption_that_a_step_raises_where_nobody_can_press_ctrl_c_is_how_that_step_ended(
    function: Callable[[], object],
) -> None:
    flow = Flow("f", [FlowStep("bad", function), FlowStep("good", lambda: 1)], on_error="continue")
    run = FlowExecutor().run(flow)
    assert run["bad"].failure is Failure.CRASHED
    assert "KeyboardInterrupt" in (run["bad"].error or "")
    assert run["good"].status is ExecutionStatus.SUCCESS


async def test_a_plain_step_of_a_loop_of_ones_own_interrupts_nobody_either() -> None:
    run = await AsyncFlowExecutor().execute(Flow("f", [FlowStep("bad", interrupts)]))
    assert run["bad"].failure is Failure.CRASHED


def sleepers(count: int, seconds: float) -> Flow:
    return Flow("f", [FlowStep(f"s{n}", sleeping(seconds)) for n in range(count)])


@pytest.mark.parametrize("options", [{}, {"max_threads": 3}, {"max_concurrent": 9, "max_threads": 3}])
def test_waiting_for_a_thread_is_waiting_and_no_work(options: dict[str, int]) -> None:
    count = 2 * options.get("max_threads", 64) + 1
    for seconds in (0.2, 0.4, 0.8, 1.6, 3.2):  # what a busy machine adds does not become longer with them
        run = FlowExecutor(**options).run(sleepers(count, seconds))
        assert run.wall_seconds >= 3 * seconds
        waited = [one.started_at - one.queued_at for one in run.results if one.started_at and one.queued_at]
        assert max(waited).total_seconds() >= 1.95 * seconds
        longest = max(run.critical_path_seconds, *(one.duration_seconds for one in run.results))
        if longest < 1.9 * seconds:
            break
    assert longest < 1.9 * seconds


def test_a_step_for_which_no_thread_was_free_never_began() -> None:
    let_go = threading.Event()
    steps = [FlowStep("hangs", hanging(let_go)), FlowStep("waits", sleeping(0))]
    run = FlowExecutor(max_threads=1).run(Flow("f", steps), deadline="500ms")
    let_go.set()
    assert [(one.status.value, one.reason) for one in run.results] == [
        ("cancelled", "stopped"),
        ("cancelled", "not_started"),
    ]


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()])
def test_a_condition_that_exits_or_interrupts_blocks_its_step_and_no_other_run_hears_of_it(
    raised: BaseException,
) -> None:
    def exits(a: int) -> bool:
        assert a
        raise raised

    executor, let_go = FlowExecutor(), threading.Event()
    beside: list[RunResult] = []
    other = threading.Thread(
        target=lambda: beside.append(executor.run(Flow("g", [FlowStep("waits", let_go.wait)]), deadline=LIMIT))
    )
    other.start()
    steps = [
        FlowStep("a", lambda: 1, branches={"b": exits}, default="c"),
        *(FlowStep(name, lambda: 2, depends_on="a") for name in "bc"),
        FlowStep("d", lambda: 3, depends_on="a", when=exits),
        FlowStep("e", lambda: 4, depends_on="a"),
    ]
    run = executor.run(Flow("f", steps, on_error="continue"))
    let_go.set()
    other.join(LIMIT)
    assert [one.status.value for one in run.results] == ["success", "blocked", "blocked", "blocked", "success"]
    assert f"its condition cannot be evaluated: {type(raised).__name__}" in (run["d"].reason or "")
    assert beside[0].succeeded
