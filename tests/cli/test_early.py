"""An interrupt that Python drops while it imports is not lost; one that our parent ignores stays ignored."""

import signal
import subprocess
import sys

import pytest

from tests.cli.project import PATIENCE, Done, Project

DROPPED = """
import signal, sys, weakref
from cli import early, main
remember = early.remember
def interrupted():
    remember()
    class Lock: pass
    lock = Lock()
    kept = weakref.ref(lock, lambda _: signal.raise_signal(signal.SIGINT))
    del lock
    print("went on", file=sys.stderr)
early.remember = interrupted
sys.argv = ["orch", *sys.argv[1:]]
main.main()
"""

AT_THE_EDGES = """
import signal, sys
from cli import main, streams
def interrupted(*_):
    signal.raise_signal(signal.SIGINT)
class Last:
    flush = interrupted
def ending():
    sys.stdout = Last()
    return 0
{moment} = {deed}
main.main()
"""


def run(project: Project, *arguments: str, ignored: bool) -> "subprocess.CompletedProcess[str]":
    before = f"import signal; signal.signal(signal.SIGINT, signal.{'SIG_IGN' if ignored else 'default_int_handler'})\n"
    return subprocess.run(
        [sys.executable, "-c", before + DROPPED, "run-batch", *arguments],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_an_interrupt_that_is_dropped_while_we_import_still_ends_the_command(project: Project) -> None:
    project.shell("A", "touch done")
    done = run(project, ignored=False)
    assert "went on" in done.stderr, "the interrupt was not dropped, so this proves nothing"
    assert done.returncode == 128 + signal.SIGINT
    assert "orch: interrupted" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / "done").exists()


@pytest.mark.parametrize("is_json", [False, True])
def test_whoever_wants_one_document_gets_one_before_a_run_has_begun(project: Project, *, is_json: bool) -> None:
    project.shell("A", "touch done")
    done = run(project, *["--json"] * is_json, ignored=False)
    told = Done(done.returncode, done.stdout, done.stderr)
    assert (told.code, told.last) == (130, "orch: interrupted")
    if not is_json:
        assert told.out == ""
        return
    assert (told.kind, told.data["code"], told.data["exit_code"]) == ("error", "interrupted", 130)
    assert told.data["hint"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_a_signal_ends_while_the_loop_runs_gives_a_document(
    project: Project, number: signal.Signals, code: int
) -> None:
    project.person("A", verify=["echo $$ > pid; sleep 60"])
    assert project.orch("run-batch").code == 4
    with project.start("complete", "A", "--json") as running:
        project.pid()
        running.send_signal(number)
        out, err = (stream.decode() for stream in running.communicate(timeout=PATIENCE))
    told = Done(running.returncode, out, err)
    assert (told.code, told.kind, told.data["code"], told.data["exit_code"]) == (code, "error", "interrupted", code)
    assert err == ""


def test_an_interrupt_that_is_ignored_for_us_is_not_remembered(project: Project) -> None:
    project.shell("A", "touch done")
    done = run(project, ignored=True)
    assert done.returncode == 0, done.stderr
    assert (project.root / "done").exists()


@pytest.mark.parametrize(("moment", "deed"), [("streams.adopt", "interrupted"), ("main._main", "ending")])
def test_an_interrupt_as_the_first_or_the_last_thing_is_an_interrupt(project: Project, moment: str, deed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_EDGES.format(moment=moment, deed=deed), "version"],
        env=project.environment,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, b"")
