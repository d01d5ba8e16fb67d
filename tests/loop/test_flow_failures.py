"""What a failure means for the others: everything, or only what waits for it; and what may stand in for it."""

import asyncio
from typing import Literal

import pytest

from orchestration.flow import AsyncFlowExecutor, Flow, FlowExecutor, FlowStep
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import RunResult
from orchestration.testing import run_in_virtual_time
from tests.loop.flows import Broken, Diary, play, statuses

SUCCESS = ExecutionStatus.SUCCESS
FAILED = ExecutionStatus.FAILED
CANCELLED = ExecutionStatus.CANCELLED
BLOCKED = ExecutionStatus.BLOCKED
SKIPPED = ExecutionStatus.SKIPPED


def around_a_failure(diary: Diary) -> list[FlowStep]:
    """A step that fails after one second, and steps that run then, wait for it, or could start then."""
    return [
        FlowStep("bad", diary.step("bad", 1, fails=9)),
        FlowStep("beside", diary.step("beside", 2)),
        FlowStep("short", diary.step("short", 0.5)),
        FlowStep("below", diary.step("below"), depends_on="bad"),
        FlowStep("further", diary.step("further"), depends_on="below"),
        FlowStep("after", diary.step("after", 1), depends_on="beside"),
        FlowStep("next", diary.step("next"), depends_on=["short", "beside"]),
    ]


def records(run: RunResult) -> list[tuple[str, str, str | None]]:
    return [(one.task_id, one.status.value, one.reason) for one in run.results]


def test_fail_fast_cancels_what_runs_and_starts_nothing_any_more() -> None:
    diary = Diary()
    run = play(Flow("f", around_a_failure(diary)))
    assert run.status is RunStatus.FAILED
    assert run.wall_seconds == pytest.approx(1)
    assert diary.of("cancelled") == ["beside"]
    assert set(diary.of("began")) == {"bad", "beside", "short"}
    assert records(run) == [
        ("bad", "failed", "crashed: no retry is declared"),
        ("beside", "cancelled", "cancelled"),
        ("short", "success", None),
        ("below", "blocked", "depends on bad, which is failed"),
        ("further", "blocked", "depends on below, which is blocked"),
        ("after", "cancelled", "not_started"),
        ("next", "cancelled", "not_started"),
    ]
    assert run["beside"].error == "fail-fast: bad failed"


def test_continue_blocks_what_waits_for_it_and_nothing_else() -> None:
    diary = Diary()
    run = play(Flow("f", around_a_failure(diary), on_error="continue"))
    assert run.status is RunStatus.FAILED
    assert run.wall_seconds == pytest.approx(3)
    assert statuses(run) == {
        "bad": FAILED,
        "beside": SUCCESS,
        "short": SUCCESS,
        "below": BLOCKED,
        "further": BLOCKED,
        "after": SUCCESS,
        "next": SUCCESS,
    }


def timed(diary: Diary) -> Flow:
    """The same in hundredths of a second, for a real clock."""

    def sooner(name: str, seconds: float, *, fails: int = 0) -> object:
        return diary.step(name, seconds / 10, fails=fails)

    return Flow(
        "f",
        [
            FlowStep("bad", sooner("bad", 1, fails=9)),  # type: ignore[arg-type]  # a function
            FlowStep("beside", sooner("beside", 20)),  # type: ignore[arg-type]  # likewise
            FlowStep("below", diary.step("below"), depends_on="bad"),
            FlowStep("after", diary.step("after"), depends_on="beside"),
        ],
    )


@pytest.mark.slow
def test_the_door_without_a_loop_comes_to_the_same() -> None:
    here, there = Diary(), Diary()
    run = FlowExecutor().run(timed(here))
    assert records(run) == records(play(timed(there)))
    assert here.entries == there.entries


def test_every_step_of_a_flow_inside_has_one_record_and_its_failure_ends_the_run() -> None:
    diary = Diary()
    deep = Flow("deep", [FlowStep("p", diary.step("p", 9)), FlowStep("q", diary.step("q"), depends_on="p")])
    inner = Flow("inner", [*around_a_failure(diary), FlowStep("deep", flow=deep)])
    steps = [
        FlowStep("a", diary.step("a", 5)),
        FlowStep("sub", flow=inner),
        FlowStep("b", diary.step("b"), depends_on=["a", "sub"]),
    ]
    run = play(Flow("f", steps))
    assert run.status is RunStatus.FAILED
    assert run.wall_seconds == pytest.approx(1)
    assert sorted(diary.of("cancelled")) == ["a", "beside", "p"]
    assert statuses(run) == {
        "a": CANCELLED,
        "sub": FAILED,
        "sub/bad": FAILED,
        "sub/beside": CANCELLED,
        "sub/short": SUCCESS,
        "sub/below": BLOCKED,
        "sub/further": BLOCKED,
        "sub/after": CANCELLED,
        "sub/next": CANCELLED,
        "sub/deep": CANCELLED,
        "sub/deep/p": CANCELLED,
        "sub/deep/q": CANCELLED,
        "b": CANCELLED,
    }
    assert len(run.results) == len(run.by_id)
    assert run["sub"].error is not None
    assert run["sub"].error.startswith("sub/bad: ")


def test_a_flow_that_fails_fast_ends_its_own_steps_while_the_run_around_it_goes_on() -> None:
    diary = Diary()
    deep = Flow("deep", [FlowStep("p", diary.step("p", 9)), FlowStep("q", diary.step("q"), depends_on="p")])
    inner = Flow("inner", [*around_a_failure(diary), FlowStep("deep", flow=deep)])
    steps = [
        FlowStep("a", diary.step("a", 5)),
        FlowStep("sub", flow=inner),
        FlowStep("b", diary.step("b"), depends_on=["a", "sub"]),
        FlowStep("c", diary.step("c"), depends_on=["a"]),
    ]
    run = play(Flow("f", steps, on_error="continue"))
    assert run.wall_seconds == pytest.approx(5)
    found = statuses(run)
    assert (found["a"], found["sub"], found["b"], found["c"]) == (SUCCESS, FAILED, BLOCKED, SUCCESS)
    assert found["sub/beside"] is found["sub/deep"] is found["sub/deep/p"] is found["sub/deep/q"] is CANCELLED
    assert found["sub/below"] is BLOCKED
    assert sorted(diary.of("cancelled")) == ["beside", "p"]


def test_a_flow_that_continues_ends_a_run_that_fails_fast_only_when_it_has_ended_itself() -> None:
    diary = Diary()
    inner = Flow("inner", around_a_failure(diary), on_error="continue")
    run = play(Flow("f", [FlowStep("sub", flow=inner), FlowStep("long", diary.step("long", 9))]))
    assert run.wall_seconds == pytest.approx(3)
    assert statuses(run)["sub/after"] is SUCCESS
    assert statuses(run)["long"] is CANCELLED


@pytest.mark.parametrize("on_error", ["fail_fast", "continue"])
def test_a_step_that_may_fail_is_skipped_and_keeps_its_failure(on_error: str) -> None:
    diary = Diary()
    steps = [
        FlowStep("may", diary.step("may", 1, fails=9), on_error="skip", retry=2),
        FlowStep("a", diary.step("a", 9)),
        FlowStep("both", lambda a, may=None: (a, may), depends_on=["may", "a"]),
        FlowStep("only", diary.step("only"), depends_on="may"),
    ]
    run = play(Flow("f", steps, on_error=on_error))  # type: ignore[arg-type]  # one of the two
    assert run.status is RunStatus.SUCCESS
    assert statuses(run) == {"may": SKIPPED, "a": SUCCESS, "both": SUCCESS, "only": SKIPPED}
    assert run["both"].outputs == {"result": ("a", None)}
    assert run["may"].failure is Failure.CRASHED
    assert [one.status for one in run["may"].attempts] == [FAILED, FAILED]


def test_a_flow_that_may_fail_is_skipped_and_ends_its_own_steps() -> None:
    diary = Diary()
    inner = Flow("inner", around_a_failure(diary))
    run = play(
        Flow("f", [FlowStep("sub", flow=inner, on_error="skip"), FlowStep("a", diary.step("a", 3))]),
    )
    assert run.status is RunStatus.SUCCESS
    assert statuses(run)["sub"] is SKIPPED
    assert statuses(run)["sub/beside"] is CANCELLED
    assert run.wall_seconds == pytest.approx(3)


def test_a_fallback_is_called_with_the_same_arguments_after_the_last_attempt() -> None:
    calls: list[tuple[str, int]] = []

    async def main(x: int) -> None:
        calls.append(("main", x))
        raise Broken

    async def other(x: int) -> int:
        calls.append(("other", x))
        return -x

    for fallback, tools in ((other, {}), ("spare", {"spare": other})):
        calls.clear()
        step = FlowStep("a", main, retry={"max": 3, "backoff": {"initial": 1}}, fallback=fallback)
        run = play(Flow("f", [step, FlowStep("b", lambda a: a, depends_on="a")]), inputs={"x": 7}, tools=tools)
        assert calls == [("main", 7)] * 3 + [("other", 7)]
        assert run.outputs["b"] == -7
        assert [one.status for one in run["a"].attempts] == [FAILED, FAILED, SUCCESS]
        assert run["a"].metadata["fallback_for"] == "crashed"
        assert "Broken" in run["a"].metadata["fallback_error"]


def test_a_fallback_that_fails_too_says_both() -> None:
    async def main() -> None:
        raise Broken("first")

    async def other() -> None:
        raise Broken("second")

    run = play(Flow("f", [FlowStep("a", main, fallback=other)]))
    assert run["a"].failure is Failure.CRASHED
    assert run["a"].error is not None
    assert "first" in run["a"].error
    assert "second" in run["a"].error


def test_a_fallback_does_not_begin_once_the_run_is_ending() -> None:
    diary = Diary()

    async def stubborn() -> None:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError as error:
            raise Broken from error

    steps = [
        FlowStep("stubborn", stubborn, fallback=diary.step("fallback"), retry=3),
        FlowStep("bad", diary.step("bad", 1, fails=1)),
    ]
    run = play(Flow("f", steps))
    assert run.status is RunStatus.FAILED
    assert diary.of("began") == ["bad"]
    assert len(run["stubborn"].attempts) == 1


def test_a_policy_says_after_which_failures_another_attempt_follows() -> None:
    diary = Diary()
    steps = [FlowStep("a", diary.step("a", 9), timeout=1, retry={"max": 3, "on": ["crashed"]})]
    run = play(Flow("f", steps))
    assert len(run["a"].attempts) == 1
    steps = [
        FlowStep("a", diary.step("a", 9), timeout=1, retry={"max": 3, "on": ["timeout"], "backoff": {"initial": 0}})
    ]
    assert len(play(Flow("f", steps))["a"].attempts) == 3


@pytest.mark.parametrize("on_error", ["fail_fast", "continue"])
@pytest.mark.parametrize("limit", [1, 2, None])
def test_a_run_whose_caller_is_cancelled_comes_to_what_its_deadline_would_have_come_to(
    on_error: Literal["fail_fast", "continue"], limit: int | None
) -> None:
    cleaned: list[str] = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            await asyncio.sleep(1)
            cleaned.append("tidy")

    inner = Flow("inner", [FlowStep("x", tidy), FlowStep("y", tidy, depends_on="x")])
    steps = [
        FlowStep("a", tidy),
        FlowStep("b", tidy, depends_on="a"),
        FlowStep("c", flow=inner),
        FlowStep("d", tidy, depends_on=["b", "c"]),
    ]
    flow = Flow("f", steps, on_error=on_error)

    async def cancelled() -> RunResult:
        async def read() -> None:
            async with stream:
                async for _ in stream:
                    pass

        stream = AsyncFlowExecutor(limit).stream(flow)
        reading = asyncio.create_task(read())
        await asyncio.sleep(2)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        return await stream.result()

    ends = [records(run) for run in (play(flow, limit, deadline=2), run_in_virtual_time(cancelled()))]
    assert ends[0] == ends[1]
    assert {status for _, status, _ in ends[0]} == {"cancelled"}
    assert len(cleaned) == (2 if limit == 1 else 4)
