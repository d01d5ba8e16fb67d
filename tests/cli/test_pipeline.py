"""`orch pipeline`: which one is meant, what it is given, what comes of it, and that the same command goes on."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.cli.project import PATIENCE, Project

HEAD = """
import asyncio, os
from orchestration import *

def note(text):
    with open(os.path.join(os.path.dirname(__file__), "notes"), "a") as file:
        file.write(text + "\\n")

async def start(size: int):
    note("start")
    return size + 1

async def item(one, total):
    note(f"item {one}")
    await asyncio.sleep(SLOW if one == 3 else 0)
    return one * total

async def add(products):
    note("add")
    print("adding")
    return sum(products)

def steps():
    return [
        AsyncPythonTask(start, returns=["total"]),
        Map("each", AsyncPythonTask(item, returns=["products"]), "ones", "one"),
        AsyncPythonTask(add, returns=["sum"]),
    ]
"""
ONE = HEAD.replace("SLOW", "0") + "\nwork = AsyncPipeline(name='work', steps=steps())\n"
SLOW = HEAD.replace("SLOW", "60") + "\nwork = AsyncPipeline(name='work', steps=steps())\n"
FIRST = ("start", "each[0]", "each[1]")  # what has ended while the third item goes on
GIVEN = ("--param", "size=1", "--param", "ones=[1, 2, 3]")


def notes(project: Project) -> list[str]:
    path = project.root / "notes"
    return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []


def wait_for(project: Project, *wanted: str) -> None:
    for _ in range(int(PATIENCE * 20)):
        if set(wanted) <= set(notes(project)):
            return
        time.sleep(0.05)
    raise AssertionError(notes(project))


def wait_for_ends(project: Project, *paths: str) -> None:
    """Wait until these have ended in the newest run: what a step has noted is no proof that its end is recorded."""
    for _ in range(int(PATIENCE * 4)):
        told = [json.loads(line) for line in project.orch("events").out.splitlines()]
        if set(paths) <= {one["path"] for one in told if one["type"] == "task_completed"}:
            return
        time.sleep(0.05)
    raise AssertionError(told)


def test_a_pipeline_is_run_and_its_result_is_the_data(project: Project) -> None:
    project.write("p.py", ONE)
    data = project.json("pipeline", "p.py", *GIVEN)
    assert data["outputs"] == {"total": 2, "products": [2, 4, 6], "sum": 12}
    assert [one["task_id"] for one in data["results"]][:4] == ["start", "each", "each[0]", "each[0]/item"]
    assert data["status"] == "success"
    (run,) = project.json("runs")
    assert (run["run_id"], run["kind"], run["tasks"]) == (data["run_id"], "pipeline", ["start", "each", "add"])
    assert project.orch("logs", "add").out == "adding\n"


def test_events_are_lines_of_json_and_those_that_the_store_has(project: Project) -> None:
    project.write("p.py", ONE)
    done = project.orch("pipeline", "p.py", *GIVEN, "--events")
    assert done.code == 0
    told = [json.loads(line) for line in done.out.splitlines()]
    stored = [one for one in told if one["type"] != "task_chunk"]
    assert [one["seq"] for one in stored] == list(range(1, len(stored) + 1))
    assert stored[0]["kind"] == "pipeline"
    assert stored[0]["parameters"] == {"size": 1, "ones": [1, 2, 3]}
    assert stored[-1]["type"] == "run_completed"
    assert [json.loads(line) for line in project.orch("events").out.splitlines()] == stored
    assert {one["path"] for one in told if one["type"] == "task_chunk"} == {"add"}


def test_after_kill_the_same_command_continues_and_runs_nothing_twice_that_was_finished(project: Project) -> None:
    file = project.write("p.py", SLOW)
    with project.start("pipeline", "p.py", *GIVEN) as process:
        wait_for(project, "item 1", "item 2", "item 3")
        wait_for_ends(project, *FIRST)
        process.kill()
    file.write_text(ONE, encoding="utf-8")
    done = project.orch("pipeline", "p.py", *GIVEN, "--json")
    assert done.code == 0, done.err
    assert done.data["outputs"]["sum"] == 12
    assert sorted(notes(project)) == ["add", "item 1", "item 2", "item 3", "item 3", "start"]
    assert len(project.json("runs")) == 1
    assert project.json("pipeline", "p.py", *GIVEN)["run_id"] != done.data["run_id"]


def test_a_signal_leaves_the_run_open_and_the_same_command_goes_on(project: Project) -> None:
    file = project.write("p.py", SLOW)
    with project.start("pipeline", "p.py", *GIVEN) as process:
        wait_for(project, "item 3")
        wait_for_ends(project, *FIRST)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
    (run,) = project.json("runs")
    assert run["status"] == "paused"
    file.write_text(ONE, encoding="utf-8")
    assert project.json("pipeline", "p.py", *GIVEN)["run_id"] == run["run_id"]
    assert notes(project).count("start") == notes(project).count("item 1") == 1


def test_with_other_parameters_a_new_run_begins_and_a_named_one_is_refused(project: Project) -> None:
    file = project.write("p.py", SLOW)
    with project.start("pipeline", "p.py", *GIVEN, "--run", "mine") as process:
        wait_for(project, "item 3")
        process.kill()
    file.write_text(ONE, encoding="utf-8")
    other = ("--param", "size=5", "--param", "ones=[1, 2, 3]")
    refused = project.orch("pipeline", "p.py", *other, "--run", "mine")
    assert refused.code == 2
    assert "size was 1 and is now 5" in refused.last
    assert project.json("pipeline", "p.py", *other)["run_id"] != "mine"
    changed = ONE.replace('AsyncPythonTask(add, returns=["sum"])', 'AsyncPythonTask(add, name="plus", returns=["sum"])')
    file.write_text(changed, encoding="utf-8")
    refused = project.orch("pipeline", "p.py", *GIVEN, "--run", "mine")
    assert refused.code == 2
    assert "the step add is gone" in refused.last
    assert "the step plus is new" in refused.last


def test_a_run_is_cancelled_from_another_terminal_while_it_goes_on_and_when_nobody_drives_it(project: Project) -> None:
    project.write("p.py", SLOW)
    with project.start("pipeline", "p.py", *GIVEN, "--run", "live") as process:
        wait_for(project, "item 3")
        done = project.orch("cancel", "live")
        assert done.code == 0, done.err
        assert process.wait(PATIENCE) == 1
    with project.start("pipeline", "p.py", *GIVEN, "--run", "dead") as process:
        for _ in range(int(PATIENCE * 20)):
            if notes(project).count("item 3") == 2:
                break
            time.sleep(0.05)
        wait_for_ends(project, *FIRST)
        process.kill()
    assert project.orch("cancel", "dead").code == 0
    assert {run["run_id"]: run["status"] for run in project.json("runs")} == {"live": "cancelled", "dead": "cancelled"}
    again = project.orch("pipeline", "p.py", *GIVEN, "--run", "dead", "--json")
    assert again.code == 1
    assert again.data["counts"] == {"success": 5, "cancelled": 4}


def test_steps_are_no_tasks_of_the_backlog(project: Project) -> None:
    project.write("p.py", ONE)
    project.shell("start", "echo done")
    assert project.orch("pipeline", "p.py", *GIVEN).code == 0
    assert project.json("status")["counts"] == {"pending": 1}
    assert project.json("run-batch")["counts"] == {"success": 1}
    assert project.orch("pipeline", "p.py", *GIVEN).code == 0


def test_who_would_resume_a_run_of_a_pipeline_that_has_ended_is_told_how_to_begin_it_anew(project: Project) -> None:
    project.write("p.py", ONE)
    assert project.orch("pipeline", "p.py", *GIVEN, "--run", "r1").code == 0
    done = project.orch("resume", "r1")
    assert done.code == 2
    assert "run r1 has ended (success)" in done.err
    assert "orch pipeline FILE.py runs it anew" in done.err
    assert "run-batch" not in done.err


def test_exit_codes_are_those_of_the_table(project: Project) -> None:
    project.write(
        "bad.py", "from orchestration import *\ndef f(): raise ValueError('no')\np = AsyncPipeline([PythonTask(f)])"
    )
    failed = project.orch("pipeline", "bad.py")
    assert failed.code == 1
    assert "1 step failed (f)" in failed.last
    assert "ValueError: no" in failed.last
    nobody = "from orchestration import *\np = AsyncPipeline([AgentStep('a', agent='nobody', prompt='x')])"
    project.write("nobody.py", nobody)
    assert project.orch("pipeline", "nobody.py").code == 127
    slow = "import asyncio\nfrom orchestration import *\nasync def f(): await asyncio.sleep(60)\n"
    project.write("slow.py", slow + "p = AsyncPipeline([AsyncPythonTask(f)])")
    assert project.orch("pipeline", "slow.py", "--timeout", "200ms").code == 124


def test_a_flow_is_run_too_with_the_functions_of_its_file_as_tools(project: Project) -> None:
    text = (
        "from orchestration import *\n"
        "def load(x: int): return {'n': x}\n"
        "async def twice(n): return 2 * n\n"
        "flow = Flow('f', [FlowStep('a', load), FlowStep('b', tool='twice', depends_on=['a'])])\n"
    )
    project.write("f.py", text)
    assert project.json("pipeline", "f.py", "-p", "x=4")["outputs"]["b"] == 8


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        (None, "none.py", "there is no file none.py"),
        ("x = 1", "p.py", "describes no pipeline"),
        ("import nowhere", "p.py", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "p.py", "exits when it is imported"),
        ("def (", "p.py", "SyntaxError"),
        (ONE, "p.py:other", "has no pipeline or flow other"),
        (ONE + "\nmore = AsyncPipeline(name='more', steps=steps())", "p.py", "describes work, more"),
        (ONE, "p.py", "nothing is known for its parameter size"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(
    project: Project, text: str | None, target: str, said: str
) -> None:
    if text is not None:
        project.write("p.py", text)
    done = project.orch("pipeline", target)
    assert done.code == 2
    assert said in done.err
    assert notes(project) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--param", "size"), "is not NAME=VALUE"),
        (("--param", "a b=1"), "is not NAME=VALUE"),
        (("--params-file", "none.yaml"), "cannot be read"),
        (("--params-file", "list.yaml"), "holds no names and values"),
        (("--params-file", "broken.yaml"), "broken.yaml:1"),
        (("--params-file", "twice.yaml"), "'size' stands twice"),
        (("--params-file", "twice.json"), "twice.json: the key 'deep' stands twice in one object"),
        (("--param", 'size={"a": 1, "b": [{"c": 1, "c": 2}]}'), "--param size: the key 'c' stands twice in one object"),
        (("--json", "--events"), "exclude each other"),
        (("--max-concurrent", "0"), "out of range"),
    ],
)
def test_wrong_options_are_refused(project: Project, arguments: tuple[str, ...], said: str) -> None:
    project.write("p.py", ONE)
    project.write("list.yaml", "[1, 2]\n")
    project.write("broken.yaml", "a: [1\n")
    project.write("twice.yaml", "size: 1\nsize: 2\n")
    project.write("twice.json", '{"size": {"deep": 1, "deep": 1}}')
    done = project.orch("pipeline", "p.py", *arguments)
    assert done.code == 2
    assert said in done.err


def test_parameters_come_from_a_file_and_what_is_written_counts_more(project: Project) -> None:
    project.write("p.py", ONE)
    project.write("given.yaml", "size: 10\nones: [1]\n")
    data = project.json("pipeline", "p.py", "--params-file", "given.yaml", "--param", "size=20")
    assert data["outputs"]["products"] == [21]


def test_a_value_is_json_or_the_text_that_it_is(project: Project) -> None:
    text = (
        "from orchestration import *\n"
        "async def f(a, b, c, d: float, e, g: str): return [a, b, c, d, e, g]\n"
        "p = AsyncPipeline([AsyncPythonTask(f, returns=['all'])])\n"
    )
    project.write("p.py", text)
    given = [f"--param={one}" for one in ("a=007", "b=true", "c=some text", "d=1.50", 'e={"x": [1]}', "g=12")]
    assert project.json("pipeline", "p.py", *given)["outputs"]["all"] == [
        "007",
        True,
        "some text",
        1.5,
        {"x": [1]},
        "12",
    ]


def test_without_a_project_the_state_is_kept_where_the_command_was_given(tmp_path: Path, project: Project) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "p.py").write_text(ONE, encoding="utf-8")
    assert project.orch("pipeline", "p.py", *GIVEN, cwd=folder).code == 0
    assert (folder / ".orchestration" / "state.db").exists()


def test_why_and_logs_know_the_steps_of_runs(project: Project) -> None:
    project.write("p.py", ONE.replace("return one * total", "return one / (one - 3)"))
    assert project.orch("pipeline", "p.py", *GIVEN, "--run", "mine").code == 1
    told = project.orch("why", "each[2]/item")
    assert told.code == 0
    assert "each[2]/item is failed" in told.out
    assert "ZeroDivisionError" in told.out
    assert "It is a part of the pipeline in run mine." in told.out
    assert project.orch("why", "nobody").code == 2


LENIENT = """
from orchestration import AsyncPipeline, Conditional, Flow, FlowStep, Map, PythonTask, ShellTask, ref

def ask(size: int = 2): return size
def take(**others): return sorted(others)
one = PythonTask(ask, returns=["sum"])
plain = AsyncPipeline([one], name="plain")
others = AsyncPipeline([one, PythonTask(take)], name="others")
shell = AsyncPipeline([one, ShellTask("say", "echo $ORCH_PRM_sizing")], name="shell")
mapped = AsyncPipeline([Map("m", PythonTask(lambda item: item, "x"), "items", "item")], name="mapped")
chosen = AsyncPipeline([Conditional("c", {"a": one}, condition=lambda mode: mode)], name="chosen")
flow = Flow(name="flow", steps=[
    FlowStep(id="a", function=ask, inputs={"size": ref("inputs.extent")}),
    FlowStep(id="b", function=ask, when="depth > 1", depends_on=["a"]),
])
"""


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("plain", ("size=1",), ""),
        ("plain", ("siez=1",), "warning: no step asks for the parameter siez; did you mean size?"),
        ("plain", ("size=1", "colour=red"), "warning: no step asks for the parameter colour; asked for are: size"),
        ("others", ("colour=red",), ""),
        ("others", ("siez=1",), "warning: no function asks for the parameter siez; did you mean size?"),
        ("shell", ("colour=red", "sizing=2"), ""),
        ("mapped", ("items=[1]",), ""),
        ("mapped", ("items=[1]", "itmes=[2]"), "no step asks for the parameter itmes; asked for are: items"),
        ("chosen", ("mode=a",), ""),
        ("flow", ("extent=1", "depth=2"), ""),
        ("flow", ("extent=1", "depth=2", "dept=2"), "warning: no step asks for the parameter dept;"),
    ],
)
def test_a_parameter_that_nobody_asks_for_is_warned_of(
    project: Project, name: str, given: tuple[str, ...], told: str
) -> None:
    project.write("p.py", LENIENT)
    done = project.orch("pipeline", f"p.py:{name}", "--quiet", *(f"--param={one}" for one in given))
    assert done.code == 0, done.err
    assert told in done.err
    assert bool(done.err) is bool(told)
