"""What stays of a run of a flow: its result, and nothing of its steps."""

import gc

from orchestration.flow import Flow, FlowStep
from orchestration.steps.unit import Seat
from tests.loop.flows import Diary, play


def test_the_steps_of_a_run_go_with_it_and_not_when_the_collector_comes() -> None:
    inner = Flow("inner", [FlowStep("x", Diary().step("x"))])
    flow = Flow("f", [FlowStep("a", Diary().step("a")), FlowStep("b", flow=inner, depends_on="a")])
    gc.collect()
    gc.disable()
    try:
        run = play(flow)
        held = [one for one in gc.get_objects() if isinstance(one, Seat)]
    finally:
        gc.enable()
    assert not held
    assert [one.task_id for one in run.results] == ["a", "b", "b/x"]
