"""`orch complete`: what is handed in, by whom, and what is said where checks fail."""

import os
import pwd
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.project import Done, Project, command_line
from tests.crash.sudden import wait_until
from tests.world.processes import linux_only

pytestmark = pytest.mark.slow

LONG = 200_000  # characters: more than an argument or an event may have


@pytest.fixture
def asking(project: Project) -> Project:
    project.person("P")
    assert project.orch("run-batch").code == 4
    return project


def test_the_output_can_come_by_standard_input(asking: Project) -> None:
    assert asking.orch("complete", "P", "-o", "-", stdin="one\n  two ✓\n").code == 0
    assert asking.json("show", "P")["result"]["output"] == "one\n  two ✓"


def test_a_long_output_is_kept_whole(asking: Project) -> None:
    text = "x" * LONG + "\nEND"
    assert asking.orch("complete", "P", "--output", "-", stdin=text).code == 0
    found = asking.json("show", "P")["result"]
    assert found["output"].endswith("x\nEND")
    assert Path(found["metadata"]["output_file"]).read_text() == text
    assert max(map(len, asking.orch("events").out.splitlines())) < LONG


def test_what_is_no_text_or_not_there_is_refused(asking: Project) -> None:
    (asking.root / "broken").write_bytes(b"\xff\xfe")
    for source in ("< broken", "<&-"):
        line = f"{shlex.join(command_line('complete', 'P', '-o', '-'))} {source}"
        done = subprocess.run(
            ["sh", "-c", line], cwd=asking.root, env=asking.environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "standard input is" in done.stderr) == (2, True), done.stderr
    assert asking.json("show", "P")["result"]["status"] == "needs_input"


@pytest.mark.parametrize("names", [{"USER": "ada"}, {"LOGNAME": "ada"}, {"USER": "", "LOGNAME": "ada"}, {}])
def test_who_says_so_is_the_user_by_whichever_way_that_is_known(asking: Project, names: dict[str, str]) -> None:
    environment = {name: value for name, value in asking.environment.items() if name not in {"USER", "LOGNAME"}}
    assert asking.orch("complete", "P", environment={**environment, **names}).code == 0
    expected = "ada" if names else pwd.getpwuid(os.getuid()).pw_name
    assert asking.json("show", "P")["result"]["metadata"]["input"]["by"] == expected


FAILS = {"verify": ["echo bad; exit 3"], "outputs": ["x"], "deliverables": ["nope.txt"]}


def test_failed_checks_are_told_apart_and_from_their_reasons(project: Project) -> None:
    project.person("P", **FAILS)
    assert project.orch("run-batch").code == 4
    done = project.orch("complete", "P")
    assert done.code == 1
    assert "3 of 3 checks failed: verify echo bad; exit 3, deliverable nope.txt, output x (" in done.last
    assert done.err.splitlines()[:2] == [
        "verify failed: echo bad; exit 3 (exit code 3): bad",
        f"deliverable failed: nope.txt: it does not exist in {project.root}",
    ]
    assert "output failed: x: it was not passed on" in done.err


def test_failed_checks_of_an_attempt_are_told_so_too(project: Project) -> None:
    project.shell("A", "true", **FAILS)
    done = project.orch("run-batch")
    assert "check_failed: verify failed: echo bad; exit 3 (exit code 3) (after " in done.err
    first = project.orch("why", "A").out.splitlines()[0]
    assert "(exit code 3): bad; deliverable failed: nope.txt: it does not exist" in first
    assert "; output failed: x: it was not passed on" in first


def test_of_two_who_complete_a_task_at_once_one_is_told_so_and_the_checks_of_the_other_are_left_alone(
    project: Project,
) -> None:
    project.person("P", verify=["echo $$ > pid; until test -e go; do sleep 0.05; done"])
    assert project.orch("run-batch").code == 4
    with project.start("complete", "P", "--json") as first:
        project.pid()
        second = project.orch("complete", "P", "--json")
        assert (second.code, second.data["code"]) == (2, "wrong_state"), second.err
        assert f"process {first.pid} is completing P now" in second.data["message"]
        assert project.json("show", "P")["result"]["status"] == "needs_input"
        project.write("go", "")
        out, err = first.communicate(timeout=60)
        assert (first.returncode, b'"status":"success"' in out) == (0, True), err
    third = project.orch("complete", "P", "--json")
    assert (third.code, third.data["code"]) == (2, "wrong_state")
    assert not list(project.root.rglob("complete.lock"))


@pytest.mark.parametrize("by_owner", [False, True], ids=["at rest", "while the run goes on"])
@pytest.mark.parametrize("target", ["the task", "the run"])
def test_a_task_that_is_cancelled_while_its_checks_run_has_none_left(
    project: Project, target: str, *, by_owner: bool
) -> None:
    project.person(
        "P", verify=["trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done", "touch second"], kill_grace=1
    )
    if by_owner:
        project.shell("A", "echo $$ > running; until test -e go; do sleep 0.05; done")
    with project.start("run-batch") as batch:
        if by_owner:
            project.pid("running")
            wait_until(lambda: project.json("show", "P")["result"]["status"] == "needs_input", "nobody is asked")
        else:
            assert batch.wait(60) == 4
        with project.start("complete", "P", "--json") as completing:
            checks = project.pid()
            cancelled = project.orch("cancel", "P" if target == "the task" else project.json("runs")[0]["run_id"])
            assert cancelled.code == 0, cancelled.err
            with pytest.raises(ProcessLookupError):
                os.kill(checks, 0)
            out, err = (stream.decode() for stream in completing.communicate(timeout=60))
        told = Done(completing.returncode, out, err)
        assert (told.code, told.data["code"]) == (2, "wrong_state"), err
        assert "P does not wait for a person any more, so its checks were ended; it is cancelled" in told.last
        project.write("go", "")
    assert not (project.root / "second").exists()
    assert project.json("show", "P")["result"]["status"] == "cancelled"


@linux_only
def test_the_checks_of_a_process_that_is_stopped_are_ended_by_whoever_cancels(project: Project) -> None:
    project.person("P", verify=["echo $$ > pid; while :; do sleep 0.05; done"])
    assert project.orch("run-batch").code == 4
    with project.start("complete", "P", "--json") as completing:
        checks = project.pid()
        completing.send_signal(signal.SIGSTOP)
        assert project.orch("cancel", "P").code == 0
        assert not is_at_work(checks)
        completing.send_signal(signal.SIGCONT)
        assert completing.wait(60) == 2


def is_at_work(pid: int) -> bool:
    """Whether a process lives, and is not only kept for a parent that is stopped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
