"""Standard output and error that are closed, dead, full or not UTF-8 cost output and nothing else."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.streams import Tolerant
from tests.cli.project import Project, command_line


def test_what_nobody_reads_any_more_is_swallowed() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    raw = Tolerant(writer)
    assert raw.write(b"gone") == 4
    assert raw.silent
    assert raw.error is None
    os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_remembered() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    raw = Tolerant(descriptor)
    raw.write(b"data")
    assert raw.error is not None
    os.close(descriptor)


def test_a_pipe_that_does_not_block_gets_everything_all_the_same() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    child = subprocess.Popen(["wc", "-c"], stdin=reader, stdout=subprocess.PIPE)
    os.close(reader)
    Tolerant(writer).write(b"x" * 1_000_000)
    os.close(writer)
    out, _ = child.communicate(timeout=30)
    assert int(out) == 1_000_000


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_nothing_in_a_traceback(project: Project) -> None:
    for i in range(300):
        project.shell(f"T-{i}", "true", title="x" * 500)
    pipeline = 'set -o pipefail; "$@" | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", pipeline, "-", *command_line("list")],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("TASK")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_do_no_harm(project: Project, closed: str) -> None:
    project.shell("A", "echo out; echo err >&2")
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "-", *command_line("run-batch")],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert project.orch("logs", "A").out == "out\n"


@pytest.mark.slow
def test_a_run_goes_on_when_nobody_reads_what_it_says(project: Project) -> None:
    for i in range(5):
        project.shell(f"T{i}", "sleep 0.05; touch done-$ORCH_TASK_ID")
    reader, writer = os.pipe()
    os.close(reader)
    with project.start("run-batch", "-j", "1", output=writer) as running:
        os.close(writer)
        assert running.wait(60) == 0
    assert len(list(project.root.glob("done-*"))) == 5


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [("version",), ("list",), ("--help",), ("list", "--json")])
def test_data_that_cannot_be_written_is_a_failure(project: Project, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command_line(*arguments),
            cwd=project.root,
            env=project.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "orch: cannot write the output: No space left on device; free some space or write elsewhere\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}])
def test_an_encoding_that_cannot_say_it_costs_accents_only(project: Project, encoding: dict[str, str]) -> None:
    project.shell("A", "printf 'h\\303\\251\\n'", title="Über ✓ 中文")
    ascii_project = Project(project.root, {**project.variables, "PYTHONCOERCECLOCALE": "0", **encoding})
    for arguments in (["list"], ["graph"], ["show", "A"], ["run-batch"], ["report"], ["why", "A"], ["list", "--json"]):
        done = ascii_project.orch(*arguments)
        assert done.code == 0, (arguments, done.err)
        assert "Traceback" not in done.err
    assert ascii_project.orch("logs", "A").out == "hé\n"  # the bytes of a log are passed on as they are
    assert ascii_project.json("list")["tasks"][0]["title"] == "Über ✓ 中文"


@pytest.mark.slow
def test_the_installed_command_is_the_same(project: Project) -> None:
    command = Path(sys.executable).with_name("orch")
    if not command.exists():
        pytest.skip("the command is not installed in this environment")
    done = subprocess.run([command, "version"], capture_output=True, text=True, check=False, cwd=project.root)
    assert (done.returncode, done.stdout) == (0, project.orch("version").out)
