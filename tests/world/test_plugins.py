"""What other packages add: the example package installed by pip and used, and packages that are broken in every way."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugin_package"
PIP = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip has installed the example package."""
    folder = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "package"
    subprocess.run(["cp", "-r", str(EXAMPLE), str(source)], check=True)
    done = subprocess.run(
        [sys.executable, *PIP, str(folder), str(source)], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def package(folder: Path, name: str, points: dict[str, dict[str, str]], module: str = "") -> Path:
    """A package in a folder, as pip would have left it there."""
    info = folder / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in one.items()) for group, one in points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (folder / f"{name}.py").write_text(textwrap.dedent(module))
    return folder


def python(text: str, folder: Path, *paths: Path) -> str:
    """Run some Python where these folders are looked in; what it printed."""
    ours = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *paths]))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text)],
        cwd=folder,
        env=ours,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def orch(root: Path, arguments: Sequence[str], *paths: Path) -> "subprocess.CompletedProcess[str]":
    ours = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *paths])), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=root,
        env=ours,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


TASKS = """
tasks:
  - {id: A, agent: shouter, description: hello there}
  - {id: B, agent: loud, description: again}
  - {id: C, agent: loud, description: ""}
"""
SETTINGS = """
agents:
  loud: {kind: shout, marks: 2, timeout: 5s}
"""


def test_an_agent_and_a_kind_of_agents_of_another_package_do_tasks_of_a_backlog(
    tmp_path: Path, installed: Path
) -> None:
    project = Project(tmp_path)
    project.write("tasks/all.yaml", TASKS)
    project.write("orchestration.yaml", SETTINGS)
    ran = orch(tmp_path, ["run-batch", "--json"], installed)
    data = json.loads(ran.stdout)["data"]
    by_id = {one["task_id"]: one for one in data["results"]}
    assert (by_id["A"]["output"], by_id["A"]["agent"]) == ("HELLO THERE!!!", "shouter"), ran.stderr
    assert by_id["B"]["outputs"] == {"said": "AGAIN!!"}
    assert (by_id["C"]["failure"], by_id["C"]["error"]) == ("no_output", "there is nothing to be said")
    listed = orch(tmp_path, ["agents", "--json"], installed)
    kinds = {one["name"]: one["kind"] for one in json.loads(listed.stdout)["data"]["agents"]}
    assert kinds["shouter"] == kinds["loud"] == "plugin"
    assert "shell" in kinds


def test_without_the_package_its_names_are_unknown_as_all_others_are(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("tasks/all.yaml", TASKS)
    project.write("orchestration.yaml", SETTINGS)
    ran = orch(tmp_path, ["validate"])
    assert ran.returncode == 2
    assert "there is no kind 'shout'" in ran.stderr + ran.stdout
    assert "there is no agent 'shouter'" in ran.stderr + ran.stdout


def test_a_store_and_a_type_of_tasks_of_another_package_serve_pipelines(tmp_path: Path, installed: Path) -> None:
    said = python(
        """
        from orchestration import AgentStep, AsyncPipeline, AgentRegistry, task_type
        Shout = task_type("shout")
        registry = AgentRegistry()
        registry.register("mine", {"kind": "shout", "marks": 1})
        steps = [Shout("a", marks=2, timeout=5)]
        steps += [AgentStep("b", "shouter", prompt="x"), AgentStep("c", "mine", prompt="y")]
        run = AsyncPipeline(steps, registry=registry).run({"text": "hi"}, store="jsonl://runs/e.jsonl")
        print(run["a"].outputs["said"], run["b"].output, run["c"].output)
        """,
        tmp_path,
        installed,
    )
    assert said == "HI!! X!!! Y!\n"
    events = [json.loads(line)["type"] for line in (tmp_path / "runs" / "e.jsonl").read_text().splitlines()]
    assert (events[0], events[-1]) == ("run_started", "run_completed")


def test_a_backend_of_another_package_has_attempts_run_as_it_says(tmp_path: Path, installed: Path) -> None:
    project = Project(tmp_path)
    project.write("tasks/all.yaml", "tasks: [{id: A, agent: shell, description: nice}]")
    mine = os.nice(0)
    for arguments, by in (([], 0), (["--backend", "nice"], 10), (["--backend", "nice:3"], 3)):
        ran = orch(tmp_path, ["run-batch", "--json", "--force", *arguments], installed)
        (result,) = json.loads(ran.stdout)["data"]["results"]
        assert int(result["output"]) == min(mine + by, 19), ran.stderr
        assert result["metadata"].get("backend") == (arguments[1] if arguments else None)
    refused = orch(tmp_path, ["run-batch", "--backend", "nice:20"], installed)
    assert (refused.returncode, refused.stderr) == (2, "orch: nice:20 is no priority (from nice:1 to nice:19)\n")


def test_nothing_is_looked_for_or_loaded_before_an_unknown_name_is_met(tmp_path: Path) -> None:
    broken = package(
        tmp_path / "p",
        "eager",
        {
            "orchestration.agents": {"eager": "eager:A"},
            "orchestration.executors": {"eager": "eager:A"},
            "orchestration.backends": {"eager": "eager:A"},
            "orchestration.stores": {"eager": "eager:A"},
            "orchestration.tasks": {"eager": "eager:A"},
        },
        "raise SystemError('imported')",
    )
    said = python(
        """
        import sys
        from orchestration import AgentRegistry, AsyncPipeline, PythonTask, ShellTask, Task, TaskExecutor, task_type
        task_type("shell")
        AgentRegistry().get("shell")
        print(AsyncPipeline([PythonTask(lambda: "x", "a"), ShellTask("b", "echo y")]).run()["b"].output)
        print(any(name in sys.modules for name in ("eager", "orchestration.backends")))
        """,
        tmp_path,
        broken,
    )
    assert said.splitlines()[0] == "y"
    assert said.splitlines()[1] == "False"


def test_one_that_is_broken_is_an_error_that_names_it_and_touches_nobody_else(tmp_path: Path) -> None:
    groups = {f"orchestration.{group}": {"bad": "bad:A"} for group in ("agents", "executors", "stores", "tasks")}
    broken = package(tmp_path / "p", "bad", groups, "raise RuntimeError('half of it is missing')")
    project = Project(tmp_path)
    tasks = "tasks:\n" + "".join(
        f"  - {{id: {name}, agent: {agent}, description: echo ok}}\n"
        for name, agent in (("A", "shell"), ("B", "bad"), ("C", "of-kind"))
    )
    project.write("tasks/all.yaml", tasks)
    project.write("orchestration.yaml", "agents: {of-kind: {kind: bad}}\n")
    ran = orch(tmp_path, ["run-batch", "--json"], broken)
    by_id = {one["task_id"]: one for one in json.loads(ran.stdout)["data"]["results"]}
    assert by_id["A"]["status"] == "success"
    for name, group in (("B", "agents"), ("C", "executors")):
        assert by_id[name]["failure"] == "agent_missing"
        assert f"the plug-in bad (orchestration.{group}, from bad 1) cannot be loaded" in by_id[name]["error"]
        assert "half of it is missing" in by_id[name]["error"]
    listed = orch(tmp_path, ["agents"], broken)
    assert listed.returncode == 0
    assert "shell" in listed.stdout
    assert "the plug-in bad (orchestration.agents, from bad 1) cannot be loaded" in listed.stderr
    said = python(
        """
        from orchestration import AsyncPipeline, PythonTask, OrchError, task_type
        for use in (lambda: task_type("bad"), lambda: AsyncPipeline([PythonTask(print, "a")]).run(store="bad://x")):
            try:
                use()
            except OrchError as error:
                print(error.code, error.message[:18])
        """,
        tmp_path,
        broken,
    )
    assert said == "broken_plugin the plug-in bad (o\n" * 2


def test_what_is_built_in_cannot_be_taken_over_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    thief = {
        "orchestration.agents": {"shell": "thief:A", "twice": "thief:A"},
        "orchestration.executors": {"shell": "thief:A"},
        "orchestration.tasks": {"python": "thief:A"},
    }
    paths = package(tmp_path / "p", "thief", thief, "A = {'kind': 'shell', 'command': 'echo stolen'}")
    package(paths, "other", {"orchestration.agents": {"twice": "other:A"}}, "A = {'kind': 'shell'}")
    said = python(
        """
        from orchestration import AgentRegistry, OrchError, PythonTask, task_type
        from orchestration.registry import executor_class
        registry = AgentRegistry()
        print(registry.get("shell").command, executor_class("shell").__name__, task_type("python") is PythonTask)
        for fault in registry.look_for_plugins():
            print(fault.message)
        """,
        tmp_path,
        paths,
    )
    first, *faults = said.splitlines()
    assert first == "None ShellExecutor True"
    assert sorted(faults) == [
        "the plug-in shell (orchestration.agents, from thief 1) is not used: there is an agent of that name",
        "the plug-in twice (orchestration.agents, from thief 1, other 1) is given by several packages",
    ] or sorted(faults)[1].endswith("is given by several packages")


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("A = 3", "is no agent"),
        ("A = {'kind': 'nothing'}", "is no agent"),
        ("A = {}", "is no agent"),
        ("B = 1", "cannot be loaded: AttributeError"),
        ("import nothing_of_this_name", "cannot be loaded: ModuleNotFoundError"),
        ("raise SystemExit(3)", "cannot be loaded: SystemExit: 3"),
        ("def A(): return 'done'", "fine"),
    ],
)
def test_what_is_no_agent_is_told_by_whoever_names_it(tmp_path: Path, module: str, error: str) -> None:
    paths = package(tmp_path / "p", "odd", {"orchestration.agents": {"odd": "odd:A"}}, module)
    said = python(
        """
        from orchestration import AgentRegistry, OrchError
        try:
            AgentRegistry().get("odd")
            print("fine")
        except OrchError as error:
            print(error.message)
        """,
        tmp_path,
        paths,
    )
    assert error in said


INTERRUPTED: Final = """
from orchestration.kinds import Failure
from orchestration.results import Outcome
class A:
    async def execute(self, work, report):
        return Outcome(failure=Failure.INTERRUPTED, error="the power was cut")
"""


@pytest.mark.parametrize(
    ("module", "failure", "error"),
    [
        ("A = 3", "agent_missing", "cannot be made"),
        ("class A: pass", "agent_missing", "makes no executor"),
        ("def A(): raise ValueError('not today')", "agent_missing", "not today"),
        ("class A:\n    async def execute(self, work, report): return 'x'", "invalid_output", "returned a str"),
        (INTERRUPTED, "invalid_output", "which only orch can know: the power was cut"),
        ("class A:\n    async def execute(self, work, report): raise KeyError('oh')", "internal", "KeyError: 'oh'"),
    ],
)
def test_an_executor_that_is_none_or_raises_fails_its_attempt_alone(
    tmp_path: Path, module: str, failure: str, error: str
) -> None:
    paths = package(tmp_path / "p", "odd", {"orchestration.executors": {"odd": "odd:A"}}, module)
    said = python(
        """
        from orchestration import AgentRegistry, AgentStep, AsyncPipeline, Parallel, ShellTask
        registry = AgentRegistry()
        registry.register("x", {"kind": "odd"})
        step = Parallel("p", {"a": AgentStep("a", "x", prompt="y"), "b": ShellTask("b", "echo b")})
        run = AsyncPipeline([step], registry=registry).run()
        print(run["p/a/a"].failure, run["p/b/b"].output, run["p/a/a"].error)
        """,
        tmp_path,
        paths,
    )
    assert said.startswith(f"{failure} b ")
    assert error in said


def test_a_store_that_is_unknown_or_none_is_an_error(tmp_path: Path) -> None:
    paths = package(tmp_path / "p", "odd", {"orchestration.stores": {"odd": "odd:A"}}, "def A(address): return address")
    said = python(
        """
        from orchestration import AsyncPipeline, OrchError, PythonTask
        for address in ("od://x", "odd://x"):
            try:
                AsyncPipeline([PythonTask(print, "a")]).run(store=address)
            except OrchError as error:
                print(error.message, error.hint)
        """,
        tmp_path,
        paths,
    )
    assert "there is no store 'od'" in said
    assert "did you mean odd" in said
    assert "makes no store: it has no append" in said
