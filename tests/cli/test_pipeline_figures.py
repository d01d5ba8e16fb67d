"""What a run of steps took, in figures: the same when it is looked at later as when it ended."""

import pytest

from tests.cli.project import Project

PROGRAM = """
import time
from orchestration import AsyncPipeline, Flow, FlowStep, Loop, Map, Parallel, PythonTask, ref


def work(seconds=0.1):
    time.sleep(seconds)


def count(k=0):
    time.sleep(0.05)
    return k + 1


def item(x):
    time.sleep(x / 100)


def fails(tries=[]):
    tries.append(1)
    if len(tries) < 2:
        raise ValueError


inner = Flow("inner", [FlowStep("b", work, depends_on="a"), FlowStep("a", work)])
again = {"max": 2, "backoff": {"initial": "1s"}, "jitter": 0}
flow = Flow(
    "flow",
    [
        FlowStep("last", work, depends_on="first", inputs={"seconds": 0.2}),
        FlowStep("first", flow=Flow("outer", [FlowStep("x", flow=inner), FlowStep("y", flow=inner)])),
        FlowStep("waits", flow=Flow("retries", [FlowStep("z", fails, retry=again)])),
    ],
)
pipeline = AsyncPipeline(
    [
        Map("m", PythonTask(item, "i"), "items", "x"),
        Loop("lo", PythonTask(count, "c", returns=["k"]), "k > 2", 5),
        Parallel("p", {"one": AsyncPipeline([PythonTask(work, "w"), PythonTask(work, "v")]), "two": PythonTask(work)}),
    ],
    "pipeline",
)
"""


@pytest.mark.slow
@pytest.mark.parametrize("max_concurrent", ["1", "8"])
@pytest.mark.parametrize(("name", "path"), [("flow", 0.4), ("pipeline", 0.25 + 0.15 + 0.2)])
def test_a_report_has_the_same_figures_as_the_run_had(
    project: Project, name: str, path: float, max_concurrent: str
) -> None:
    project.write("steps.py", PROGRAM)
    options = ("--param", "items=[5, 25, 10]", "--max-concurrent", max_concurrent, "--json")
    run = project.orch("pipeline", f"steps.py:{name}", *options).data
    report = project.json("report", run["run_id"])
    figures = ("wall_seconds", "step_seconds", "critical_path_seconds")
    assert {one: report[one] for one in figures} == pytest.approx({one: run[one] for one in figures})
    assert path <= report["critical_path_seconds"] <= report["step_seconds"]
    if max_concurrent == "1":  # what waited for its turn, or for another attempt, was not at work
        assert report["critical_path_seconds"] < report["wall_seconds"] - 0.1
