"""Real agents ended in mid-work, a tool of theirs still alive: nothing of them is left, and work goes on afterwards."""

import signal
import time

import pytest

from tests.agents.driving import ENDLESS_TOOL, GATE, Workbench, finish, wait_for_begin
from tests.agents.programs import NAMES
from tests.agents.stub_steps import step

pytestmark = pytest.mark.slow

JSON = NAMES[:3]  # those that run tools
TOOL = step("shell", cmd=ENDLESS_TOOL)
WRITE, DONE = step("write", path="hello.txt"), step("done")
WORK = (TOOL, WRITE, WRITE, WRITE, DONE)  # an agent that is being ended may still ask what to do next, and not do it
WRITES = "test -f hello.txt"

json_agents = pytest.mark.parametrize("agent", JSON)


@json_agents
def test_a_timeout_in_the_middle_of_a_tool_leaves_nothing(bench: Workbench) -> None:
    bench.prepare(TOOL, step("hang"), timeout=20)  # codex lets its tool go on alone after 10 s, and asks what next
    with bench.gate() as gate, bench.started("run-batch", "--json") as process:
        wait_for_begin(gate, process)
        done = finish(process)
    assert done.code == 1
    assert done.result["failure"] == "timeout"
    assert bench.left_behind() == []


@json_agents
def test_a_termination_in_the_middle_of_a_tool_leaves_nothing_and_work_goes_on_later(bench: Workbench) -> None:
    bench.prepare(*WORK, verify=[WRITES])
    with bench.gate() as gate, bench.started("run-batch", "--json") as process:
        wait_for_begin(gate, process)
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 143
    assert bench.left_behind() == []
    (bench.root / GATE).unlink()
    again = bench.run_batch()
    assert again.code == 0, again.err
    assert again.result["status"] == "success"


@json_agents
def test_when_orch_itself_is_killed_nothing_is_left_and_the_same_command_goes_on(bench: Workbench) -> None:
    bench.prepare(*WORK, verify=[WRITES])
    with bench.gate() as gate, bench.started("run-batch", "--json") as process:
        wait_for_begin(gate, process)
        process.kill()
        finish(process)
    patience = time.monotonic() + 30
    while bench.left_behind() and time.monotonic() < patience:
        time.sleep(0.05)  # they are nobody's children of ours, so nothing tells us of their end
    assert bench.left_behind() == []
    (bench.root / GATE).unlink()
    again = bench.run_batch()
    assert again.code == 0, again.err
    assert [attempt.get("failure") for attempt in again.attempts] == ["interrupted", None]


@json_agents
def test_a_child_that_left_its_session_does_not_outlive_an_attempt_that_ended_well(bench: Workbench) -> None:
    away = "setsid nohup tail -f /dev/null >/dev/null 2>&1 < /dev/null & echo started"
    bench.prepare(step("shell", cmd=away), DONE)
    done = bench.run_batch()
    assert done.code == 0, done.err
    assert bench.left_behind() == []
