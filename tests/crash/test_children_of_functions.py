"""What functions have started that ran in `orch` itself: it does not outlive a SIGKILL, nor meet the next life."""

from pathlib import Path

import pytest

from tests.cli.project import Project
from tests.crash.sudden import has_lines, kill_when, wait_until
from tests.world.processes import is_living, linux_only

pytestmark = [linux_only, pytest.mark.slow]

WORK = """
import multiprocessing, os, subprocess, sys, time
from orchestration import AsyncPipeline, PythonTask, ShellTask

HERE = os.path.dirname(__file__)
DAEMON = "import os, time\\nif os.fork(): os._exit(0)\\nos.setsid()\\nif os.fork(): os._exit(0)\\n"
DAEMON += "open('pids', 'a').write(f'{os.getpid()}\\\\n')\\ntime.sleep(300)"

def living():
    found = []
    for word in open("pids").read().split() if os.path.exists("pids") else []:
        try:
            with open(f"/proc/{word}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] not in "ZX":
                    found.append(word)
        except OSError:
            pass
    return found

def note(pid):
    with open("pids", "a") as file:
        file.write(f"{pid}\\n")

def starts():
    os.chdir(HERE)
    if os.path.exists("again"):
        return living()
    note(subprocess.Popen(["sleep", "300"]).pid)
    note(subprocess.Popen(["sleep", "301"], env={}, start_new_session=True).pid)
    subprocess.Popen([sys.executable, "-I", "-S", "-c", DAEMON], env={}).wait()
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(302,))
    process.start()
    note(process.pid)
    time.sleep(300)

pipeline = AsyncPipeline([PythonTask(starts, returns=["left"]), ShellTask("shell", "echo fine")], name="work")
"""


def killed(project: Project, *, warden_too: bool) -> list[int]:
    project.write("work.py", WORK)
    kill_when(project, has_lines(project.root / "pids", 4), "pipeline", "work.py", warden_too=warden_too)
    return [int(word) for word in (project.root / "pids").read_text(encoding="ascii").split()]


def test_they_end_with_orch(project: Project) -> None:
    pids = killed(project, warden_too=False)
    wait_until(lambda: not any(map(is_living, pids)), f"some of {pids} live on")


def test_the_next_life_ends_them_before_anything_begins(project: Project) -> None:
    pids = killed(project, warden_too=True)
    assert all(map(is_living, pids))
    Path(project.root / "again").touch()
    done = project.orch("pipeline", "work.py", "--json")
    assert done.code == 0, done.err
    assert done.data["outputs"]["left"] == []
    assert not any(map(is_living, pids))


def test_doctor_finds_them_and_ends_them(project: Project) -> None:
    pids = killed(project, warden_too=True)
    found = project.orch("doctor")
    assert found.code == 0 or "left" in found.out
    assert project.orch("doctor", "--fix").code == 0
    assert not any(map(is_living, pids))
