"""A disk of its own that is really full, or may only be read: what is said, what is kept, and how it goes on.

The disk is a small tmpfs in a namespace of mounts, which goes with the process that holds it.
"""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.cli.project import PATIENCE, Done, Project, command_line
from tests.crash import checking

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces of mounts")]

ROOT: Final = Path(__file__).resolve().parent.parent.parent
KIB: Final = 1024
SIZE: Final = 8 * KIB * KIB
BALLAST: Final = "ballast"


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A project on a disk of its own; commands run where it is mounted."""

    project: Project
    holder: int

    def run(self, *argv: str) -> Done:
        """Run a program there."""
        inside = ["nsenter", "-t", str(self.holder), "-U", "-m", "--preserve-credentials"]
        inside += ["sh", "-c", 'cd "$0" && exec "$@"', str(self.project.root)]
        done = subprocess.run(
            [*inside, *argv],
            env=self.project.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def orch(self, *arguments: str) -> Done:
        """Run the command there."""
        return self.run(*command_line(*arguments))

    def fill(self, *, leave: int) -> None:
        """Write a file that leaves so many bytes free; the deeds of tasks are on the same disk."""
        code = (
            "import os, sys; free = os.statvfs('.'); left = free.f_bavail * free.f_frsize - int(sys.argv[1]);"
            f"file = open('{BALLAST}', 'wb'); file.write(bytes(left)); file.close()"
        )
        assert self.run(sys.executable, "-c", code, str(leave)).code == 0

    def empty(self) -> None:
        """Take that file away."""
        assert self.run("rm", BALLAST).code == 0

    def copied(self, folder: Path) -> Path:
        """A copy of the project, where a test can look at it."""
        shutil.rmtree(folder, ignore_errors=True)
        assert self.run("cp", "-r", str(self.project.root), str(folder)).code == 0
        return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Six tasks, one after the other, that print much; where namespaces may not be made, the test is skipped."""
    root = tmp_path / "project"
    root.mkdir()
    mount = f"mount -t tmpfs -o size={SIZE} small '{root}' && echo ready && exec cat"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    try:
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    with holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n" or shutil.which("nsenter") is None:
            holder.kill()
            pytest.skip("namespaces of mounts cannot be made here")
        made = SmallDisk(Project(root, {"PYTHONPATH": str(ROOT)}), holder.pid)
        plan = Project(tmp_path / "plan")
        plan.root.mkdir()
        plan.settings()
        deed = f'echo "${{ORCH_ATTEMPT_ID#*/}}" >> "{tmp_path / checking.DEEDS}"'
        for number in range(6):
            needs = [f"T{number - 1}"] if number else []
            plan.shell(f"T{number}", f"{deed}; head -c 200000 /dev/zero | tr '\\0' x", *needs)
        assert made.run("cp", "-r", f"{plan.root}/.", ".").code == 0
        yield made
        holder.kill()


def told_by(done: Done) -> list[checking.Event]:
    return checking.told_by(done.out.encode())


def check_kept(root: Path, told: list[checking.Event]) -> None:
    """Whatever was told is there, and all rules hold."""
    stored = list(checking.stored_events(root)) if told else []
    wrong = [*checking.gaps(stored), *checking.lost(stored, told)]
    if (root / checking.STATE).exists():
        wrong += checking.unsound(root / checking.STATE)
    assert not wrong


@pytest.mark.parametrize("leave", [0, 20 * KIB, 100 * KIB, 300 * KIB, 700 * KIB, 1200 * KIB])
def test_a_disk_that_runs_full_is_told_loses_nothing_and_is_got_over(
    disk: SmallDisk, tmp_path: Path, leave: int
) -> None:
    disk.fill(leave=leave)
    done = disk.orch("run-batch", "--events")
    told = told_by(done)
    assert done.code == 1, done.err
    assert "space" in done.last
    assert "internal error" not in done.err
    assert told[-1]["type"] != "run_completed" if told else leave <= 100 * KIB
    check_kept(disk.copied(tmp_path / "full"), told)

    disk.empty()
    again = disk.orch("run-batch", "--events")
    assert again.code == 0, again.err
    check_kept(disk.copied(tmp_path / "mended"), [*told, *told_by(again)])
    deeds = Counter((tmp_path / checking.DEEDS).read_text(encoding="utf-8").split())
    assert set(deeds.values()) == {1}, "no attempt was made twice"
    finished = [event["task_id"] for event in told if event["type"] == "task_completed"]
    assert all(f"{task_id}/2" not in deeds for task_id in finished), "what was told as finished was done again"
    assert disk.orch("doctor").code in {0, 1}  # it may say that a disk of 8 MiB is small
    assert disk.orch("run-batch").code == 0


def test_a_disk_that_may_only_be_read_shows_everything_and_begins_nothing(disk: SmallDisk, tmp_path: Path) -> None:
    assert disk.orch("run-batch", "T0", "T1").code == 0
    assert disk.run("mount", "-o", "remount,ro", str(disk.project.root)).code == 0
    assert "2 done" in disk.orch("status").out
    assert disk.orch("why", "T0").code == 0
    assert disk.orch("logs", "T0").code == 0
    for arguments in (["run-batch"], ["retry", "T0"], ["backup"], ["execute-task", "T2"]):
        done = disk.orch(*arguments)
        assert done.code != 0
        assert "internal error" not in done.err
    assert "cannot be written" in disk.orch("run-batch").last
    assert len((tmp_path / checking.DEEDS).read_text(encoding="utf-8").split()) == 2, "nothing was begun"

    assert disk.run("mount", "-o", "remount,rw", str(disk.project.root)).code == 0
    assert disk.orch("run-batch").code == 0
    assert disk.orch("doctor", "--json").data["findings"][0]["level"] == "ok"
