"""`--backend` and `backend:`: what is asked for is used or told, and `kill -9` leaves nothing of it."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.project import Project
from tests.crash.sudden import events_of, has_lines, kill_when, marked, wait_until
from tests.world.processes import is_living, linux_only
from tests.world.test_plugins import package

pytestmark = pytest.mark.slow

GROUP = "orchestration.backends"
BOX = """
from dataclasses import replace
from orchestration.backends import Wrapping
from orchestration.errors import UsageError

class Box(Wrapping):
    def __init__(self, address="none"):
        if address == "bad":
            raise UsageError("box:bad is no box", hint="use another")
        self.address = address

    def command(self, work, start):
        return replace(start, argv=("sh", "-c", f'BOX={self.address} "$@"; exit $?', "box", *start.argv))

class Shed(Box):
    pass
"""


@pytest.fixture
def boxed(project: Project, tmp_path: Path) -> Project:
    """A project, and a package with the backends `box` and `shed`."""
    points = {GROUP: {"box": "boxes:Box", "shed": "boxes:Shed", "ruined": "boxes:Missing", "none": "boxes:replace"}}
    folder = package(tmp_path / "site", "boxes", points, BOX)
    project.variables["PYTHONPATH"] += f"{os.pathsep}{folder}"
    return project


def ran_on(project: Project, *arguments: str) -> dict[str, tuple[str, str | None]]:
    """For each task what it printed, and the backend that its result tells of."""
    results = project.json("run-batch", "--force", *arguments)["results"]
    return {one["task_id"]: (one["output"], one["metadata"].get("backend")) for one in results}


def test_the_option_says_where_all_attempts_run_and_checks_run_here(boxed: Project) -> None:
    boxed.settings("backend: shed:s\nagents: {there: {kind: shell, backend: 'box:a:b'}}")
    boxed.shell("A", "echo $BOX", verify=["test -z $BOX"], setup=["test -z $BOX"])
    boxed.shell("B", "echo $BOX", agent="there")
    assert ran_on(boxed) == {"A": ("s", "shed:s"), "B": ("a:b", "box:a:b")}
    assert ran_on(boxed, "--backend", "box") == {"A": ("none", "box"), "B": ("none", "box")}
    assert ran_on(boxed, "--backend=local") == {"A": ("", None), "B": ("", None)}


def test_one_task_is_run_there_and_its_attempt_keeps_what_was_started(boxed: Project) -> None:
    boxed.shell("A", "echo $BOX; exit 3")
    done = boxed.orch("--json", "execute-task", "A", "--backend", "box:x")
    assert (done.code, done.data["output"], done.data["exit_code"]) == (1, "x", 3)
    kept = json.loads((Path(done.data["log_path"]) / "command.json").read_text())
    assert kept["argv"][0:2] == ["sh", "-c"]
    assert kept["argv"][-1] == "echo $BOX; exit 3"
    assert kept["backend"] == "box:x"


def test_what_starts_nothing_needs_no_backend(boxed: Project) -> None:
    boxed.person("A")
    done = boxed.orch("run-batch", "--backend", "box", "--json")
    assert (done.code, done.data["counts"]) == (4, {"needs_input": 1})


@pytest.mark.parametrize("command", [("run-batch",), ("run-batch", "--dry-run"), ("execute-task", "A"), ("resume",)])
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("boxx", "unknown_backend", "there is no backend 'boxx' (did you mean box?)"),
        ("qqq:1", "unknown_backend", "there is no backend 'qqq:1' (known backends: local, "),
        ("local:1", "unknown_backend", "there is no backend 'local:1' (did you mean local?)"),
        ("ruined", "broken_plugin", f"the plug-in ruined ({GROUP}, from boxes 1) cannot be loaded: AttributeError"),
        ("none", "broken_plugin", f"the plug-in none ({GROUP}, from boxes 1) cannot be made: TypeError"),
        ("box:bad", "usage", "box:bad is no box (use another)"),
    ],
)
def test_one_that_cannot_be_used_is_told_before_anything_begins(
    boxed: Project, command: tuple[str, ...], name: str, code: str, words: str
) -> None:
    boxed.shell("A", "echo ran >> ran")
    if command == ("resume",):
        boxed.person("B")
        boxed.orch("run-batch")
        boxed.orch("retry", "A")
    begun = (boxed.root / "ran").exists()
    done = boxed.orch(*command, "--backend", name)
    assert done.code == 2
    assert words in done.last
    assert (boxed.root / "ran").exists() == begun
    assert boxed.orch("--json", *command, "--backend", name).data["code"] == code


def test_a_name_that_two_packages_give_is_refused(boxed: Project, tmp_path: Path) -> None:
    package(tmp_path / "site", "more", {GROUP: {"box": "more:Box"}}, "Box = 1")
    boxed.shell("A", "true")
    done = boxed.orch("run-batch", "--backend", "box")
    assert done.code == 2
    assert f"the plug-in box ({GROUP}, from boxes 1, more 1) is given by several packages" in done.last


def test_settings_that_name_an_unknown_one_are_wrong_with_their_line(boxed: Project) -> None:
    boxed.settings("name: x\nbackend: boxx\nagents:\n  a: {kind: shell}\n  b:\n    kind: shell\n    backend: local:1\n")
    boxed.shell("A", "true")
    done = boxed.orch("validate", "--json")
    assert done.code == 2
    told = [(one["file"], one["line"], one["message"], one["hint"]) for one in done.data["problems"]]
    assert told == [
        ("orchestration.yaml", 2, "there is no backend 'boxx'", "did you mean box?"),
        ("orchestration.yaml", 7, "there is no backend 'local:1'", "did you mean local?"),
    ]


def test_a_broken_one_in_settings_fails_who_needs_it_and_nobody_else(boxed: Project) -> None:
    boxed.settings("agents: {there: {kind: shell, backend: ruined}}")
    boxed.shell("A", "echo fine")
    boxed.shell("B", "echo never", agent="there")
    done = boxed.orch("run-batch", "--json")
    by_id = {one["task_id"]: one for one in done.data["results"]}
    assert (by_id["A"]["status"], by_id["B"]["failure"]) == ("success", "agent_missing")
    assert f"the plug-in ruined ({GROUP}, from boxes 1) cannot be loaded" in by_id["B"]["error"]


def test_an_agent_program_that_is_only_there_is_no_problem_here(boxed: Project) -> None:
    boxed.settings("agents: {far: {kind: cli, preset: codex, program: no-such-codex, backend: box}}")
    (checked,) = boxed.json("agents", "check", "far")["agents"]
    assert (checked["problems"], checked["missing"]) == ([], False)
    assert "the program 'no-such-codex' is not there" in checked["remarks"]
    assert any("the backend box" in remark for remark in checked["remarks"])


def test_help_tells_of_it(project: Project) -> None:
    for command in ("run-batch", "execute-task", "resume"):
        assert "--backend BACKEND" in project.orch(command, "--help").out


@linux_only
def test_what_runs_on_a_backend_ends_when_orch_is_killed_and_the_next_run_goes_on(boxed: Project) -> None:
    tree = "echo $$ >> ready; (setsid sh -c 'echo $$ >> ready; sleep 60' &); sleep 60"
    boxed.shell("A", f"test -e go || {{ {tree}; }}; echo on $BOX", kill_grace=0.5)
    ready = boxed.root / "ready"
    kill_when(boxed, has_lines(ready, 2), "run-batch", "--backend", "box:k")
    pids = [int(line) for line in ready.read_text().split()]
    wait_until(lambda: not marked(boxed.root) and not any(map(is_living, pids)), "something lives on")
    boxed.write("go", "")
    done = boxed.json("resume", "--backend", "box:again")
    assert done["results"][0]["output"] == "on again"
    assert "attempt_interrupted" in events_of(boxed)
