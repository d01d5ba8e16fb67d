"""One run with every kind of agent at work at once, supervised and not, killed again and again: nothing comes twice."""

import os
import shlex
import signal
import sys
from collections import Counter
from functools import partial

import pytest
import yaml

from tests.cli.project import PATIENCE, Project
from tests.crash import checking
from tests.crash.sudden import marked, wait_until, wardens_of
from tests.crash.trees import ADAPTER, GRACE
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

WORKER = """
import os, subprocess, sys

def work(name: str) -> None:
    attempt = os.environ["ORCH_ATTEMPT_ID"].partition("/")[2]
    with open("deeds.log", "a") as log:
        log.write(attempt + "\\n")
    if not os.path.exists("go"):
        subprocess.Popen(["setsid", "sleep", "60"], stdout=subprocess.DEVNULL)
        sys.exit(subprocess.run(["sleep", "60"]).returncode or 1)
    with open("deeds.log", "a") as log:
        log.write(attempt + ".\\n")

def play(name: str) -> dict[str, str]:
    work(name)
    return {"by": os.environ["ORCH_ATTEMPT_ID"]}

if __name__ == "__main__":
    sys.stdin.read()
    work("")
    print("done")
"""
KINDS = ("SHELL", "SCRIPT", "PYTHON", "CLI", "PLAYER")
LIVES = 2
LAST = 'test -e go && echo "${ORCH_ATTEMPT_ID#*/}" >> deeds.log'
EXPECTED = dict.fromkeys((*KINDS, "LAST"), "success")


def backlog(project: Project) -> None:
    """A task of each kind, all at once, and one after all of them; each hangs until the file `go` is there."""
    argv = [sys.executable, str(project.root / "work.py")]
    deed = {"append": {"path": checking.DEEDS, "content": "{task}/{attempt}\n"}}
    over = {"append": {"path": checking.DEEDS, "content": "{task}/{attempt}.\n"}}
    left = {"leave": {"how": "daemon", "deaf": True, "unmarked": True, "seconds": 60}}
    steps = [{"lifetime": 60}, deed, left, {"wait_for": {"path": "go-{attempt}", "timeout": 60}}, over, "final"]
    agents = {
        "script": {"kind": "script", "command": argv},
        "python": {"kind": "python", "function": "work:play"},
        "cli": {"kind": "cli", "adapter": "agents/a.yaml", "args": argv[1:]},
        "player": {"kind": "scripted", "script": steps},
    }
    tasks = [{"id": name, "agent": name.lower(), "description": "work", "inputs": {"name": name}} for name in KINDS]
    tasks[0]["description"] = f"{shlex.quote(sys.executable)} work.py < /dev/null"
    tasks.append({"id": "LAST", "agent": "shell", "description": LAST, "depends_on": list(KINDS)})
    project.write("work.py", WORKER)
    project.write("agents/a.yaml", ADAPTER.format(program=sys.executable))
    project.settings(yaml.safe_dump({"kill_grace": GRACE, "max_concurrent": len(KINDS), "agents": agents}))
    project.write("tasks/all.yaml", yaml.safe_dump({"tasks": tasks}, sort_keys=False))


def are_at_work(project: Project, life: int) -> bool:
    """Whether every kind has begun the attempt of this life."""
    begun = checking.deeds_of(project.root)
    return {f"{name}/{life}" for name in KINDS} <= set(begun)


@pytest.mark.parametrize("warden_too", [False, True], ids=["orch", "orch and warden"])
def test_a_run_of_all_kinds_that_is_killed_again_and_again_does_nothing_twice(
    project: Project, *, warden_too: bool
) -> None:
    backlog(project)
    told: list[checking.Event] = []
    for life in range(1, LIVES + 1):
        with project.start("run-batch", "--events") as process:
            wait_until(partial(are_at_work, project, life), "not all kinds came to work")
            if warden_too:
                for warden in wardens_of(process.pid):
                    os.kill(warden, signal.SIGKILL)
            process.kill()
            output, _ = process.communicate(timeout=PATIENCE)
        told += checking.told_by(output)
        if not warden_too:
            wait_until(lambda: not marked(project.root), "something outlived its run")
    project.write("go", "")
    project.write(f"go-{LIVES + 1}", "")  # for the player of this life, and not for one that has a grace left
    done = project.orch("run-batch", "--events")
    told += checking.told_by(done.out.encode())
    assert done.code == 0, done.err

    assert not checking.complaints(project.root, EXPECTED, told)
    lines = Counter(checking.deeds_of(project.root))
    attempts = range(1, LIVES + 2)
    assert lines == dict.fromkeys(
        [*(f"{name}/{n}" for name in KINDS for n in attempts), *(f"{name}/{LIVES + 1}." for name in KINDS), "LAST/1"], 1
    )
    kinds = Counter(event["type"] for event in checking.stored_events(project.root))
    assert kinds["attempt_interrupted"] == LIVES * len(KINDS)
    assert (kinds["run_started"], kinds["run_resumed"]) == (1, LIVES)
