"""Signals: the first ends a run gracefully, the second at once, and nothing is left running or unrecorded."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli.interrupts import ECHO, Interrupts
from tests.cli.project import PATIENCE, Done, Project, command_line
from tests.cli.terminal import CTRL_C, terminal

WAIT = "while :; do sleep 0.05; done"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_in(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


# ---- what each signal asks for ---------------------------------------------------------------------------------------


class Run:
    """A run that only notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def stop(self, cause: str, *, now: bool = False) -> None:
        self.asked.append(f"{cause}, now" if now else cause)

    def note(self, text: str) -> None:
        self.asked.append(text.split(":", maxsplit=1)[0])


@pytest.mark.parametrize(
    ("signals", "asked"),
    [
        ([2], ["ending", "signal 2"]),
        ([15], ["ending", "signal 15"]),
        ([2, 2], ["ending", "signal 2", "killing what still runs", "signal 2, now"]),
        ([15, 2], ["ending", "signal 15", "killing what still runs", "signal 2, now"]),
        ([1, 1, 1], ["ending", "signal 1"]),
        ([1, 15], ["ending", "signal 1", "killing what still runs", "signal 15, now"]),
    ],
)
async def test_the_first_signal_ends_gracefully_and_the_second_at_once(signals: list[int], asked: list[str]) -> None:
    interrupts, run = Interrupts(), Run()
    with interrupts.end(run.stop, run.note):
        for number in signals:
            interrupts.on_signal(number)
            await asyncio.sleep(2 * ECHO)
    assert run.asked == asked
    assert interrupts.signal == signals[0]


async def test_a_third_signal_gives_up_waiting_for_the_end() -> None:
    run = Run()

    async def work(interrupts: Interrupts) -> None:
        interrupts.listen()
        with interrupts.end(run.stop, run.note):
            for _ in range(3):
                interrupts.on_signal(signal.SIGINT)
                await asyncio.sleep(2 * ECHO)
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work(Interrupts()))
    assert len(run.asked) == 4


@pytest.mark.parametrize("signals", [[2, 2], [15, 15, 15]])
async def test_a_signal_that_arrives_twice_at_one_time_was_sent_once(signals: list[int]) -> None:
    interrupts, run = Interrupts(), Run()
    with interrupts.end(run.stop, run.note):
        for number in signals:
            interrupts.on_signal(number)
        await asyncio.sleep(2 * ECHO)
    assert run.asked == ["ending", f"signal {signals[0]}"]


async def test_two_signals_at_one_time_are_two_requests() -> None:
    interrupts, run = Interrupts(), Run()
    with interrupts.end(run.stop, run.note):
        interrupts.on_signal(signal.SIGTERM)
        interrupts.on_signal(signal.SIGINT)
        await asyncio.sleep(2 * ECHO)
    assert run.asked == ["ending", "signal 15", "killing what still runs", "signal 2, now"]


# ---- for real --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ctrl_c_ends_a_run_gracefully(project: Project) -> None:
    project.shell("A", f"trap 'echo cleaned; exit 1' TERM; echo $$ > pid; echo ready; {WAIT}")
    project.shell("B", "true", "A")
    with terminal(project, "run-batch") as shown:
        shown.read_until(b"ready")
        shown.press(CTRL_C)
        assert shown.wait() == 130
    assert b"press Ctrl-C again" in shown.shown
    assert b"Traceback" not in shown.shown
    assert shown.shown.strip().splitlines()[-1].startswith(b"orch: the run ended early: signal 2")
    assert not is_alive(pid_in(project.root / "pid"))
    assert project.orch("logs", "A").out.endswith("cleaned\n")
    assert project.json("status")["live_runs"] == []
    assert project.json("report")["reason"] == "signal 2"


@pytest.mark.slow
def test_after_ctrl_c_the_same_command_continues(project: Project) -> None:
    project.shell("A", "touch A-done")
    project.shell("B", "echo ready; test -e go || sleep 60", "A")
    with terminal(project, "run-batch") as shown:
        shown.read_until(b"ready")
        shown.press(CTRL_C)
        assert shown.wait() == 130
    project.write("go", "")
    done = project.orch("run-batch")
    assert done.code == 0, done.err
    assert "started   A" not in done.err
    assert "started   B" in done.err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("timeout") is None, reason="needs timeout of the coreutils")
def test_timeout_around_a_run_ends_it_gracefully(project: Project) -> None:
    project.shell("A", f"trap 'sleep 0.5; touch cleaned; exit 1' TERM; touch ready; {WAIT}")
    running = subprocess.Popen(
        ["timeout", "1h", *command_line("run-batch")],
        cwd=project.root,
        env=project.environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with running:
        while not (project.root / "ready").exists():
            time.sleep(0.01)
        running.send_signal(signal.SIGALRM)  # which tells `timeout` that the time is over
        _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 124
    assert b"killing what still runs" not in said
    assert (project.root / "cleaned").exists(), said


@pytest.mark.slow
def test_a_second_ctrl_c_kills_at_once(project: Project) -> None:
    project.shell("A", f"trap '' TERM; echo $$ > pid; echo ready; {WAIT}", kill_grace="1h")
    with terminal(project, "run-batch") as shown:
        shown.read_until(b"ready")
        shown.press(CTRL_C)
        shown.read_until(b"press Ctrl-C again")
        begun = time.monotonic()
        shown.press(CTRL_C)
        assert shown.wait() == 130
        assert time.monotonic() - begun < PATIENCE / 2
    assert b"killing what still runs" in shown.shown
    assert not is_alive(pid_in(project.root / "pid"))
    assert project.json("status")["live_runs"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
@pytest.mark.parametrize("arguments", [["run-batch"], ["execute-task", "A"], ["run-batch", "--json"]])
def test_a_signal_ends_the_work_with_its_code(
    project: Project, number: signal.Signals, code: int, arguments: list[str]
) -> None:
    project.shell("A", "touch ready; exec sleep 60")
    with project.start(*arguments) as running:
        while not (project.root / "ready").exists():
            time.sleep(0.01)
        running.send_signal(number)
        out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == code
    assert b"Traceback" not in err
    if "--json" in arguments:
        assert b'"kind":"run_result"' in out


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_only_waits_ends_without_a_word(project: Project, number: signal.Signals, code: int) -> None:
    project.shell("A", "echo ready; while ! test -e go; do sleep 0.05; done")
    with project.start("run-batch", "--events") as running:
        assert running.stdout is not None
        while b"ready" not in running.stdout.readline():
            pass
        with project.start("events", "-f") as following:
            assert following.stdout is not None
            following.stdout.readline()
            following.send_signal(number)
            _, err = following.communicate(timeout=PATIENCE)
            assert (following.returncode, err) == (code, b"")
        project.write("go", "")
        running.stdout.read()
        assert running.wait(PATIENCE) == 0


def assert_no_noise(code: int, err: bytes) -> None:
    """Nothing but words of ours; before our first line runs, which may be late, the interpreter speaks for itself."""
    assert not any(word in err for word in (b"BaseEventLoop", b"never awaited", b"wakeup fd")), err
    noise = rb'cli/main\.py", line \d+, in main\n' if code in {-signal.SIGINT, 1} else b"Traceback"
    assert re.search(noise, err) is None, err


@pytest.mark.slow
@pytest.mark.parametrize("is_json", [False, True])
def test_a_run_that_ends_early_after_its_state_was_removed_says_one_thing(project: Project, *, is_json: bool) -> None:
    project.shell("A", f"echo $$ > pid; {WAIT}")
    project.shell("B", WAIT)
    project.shell("C", "true")
    with project.start("run-batch", "--max-concurrent", "2", *["--json"] * is_json) as process:
        pid = project.pid()
        (project.root / ".orchestration/state.db").unlink()
        process.send_signal(signal.SIGTERM)
        out, err = (stream.decode() for stream in process.communicate(timeout=PATIENCE))
    done = Done(process.returncode, out, err)
    assert done.code == 1
    assert "removed or replaced while it was in use" in done.last
    assert not [line for line in err.splitlines() if "exception" in line or "Traceback" in line]
    assert not is_json or (done.kind, done.data["code"], done.data["exit_code"]) == ("error", "store", 1)
    assert not is_alive(pid)


@pytest.mark.slow
def test_an_interrupt_while_it_is_still_starting_makes_no_traceback(project: Project) -> None:
    project.shell("A", "sleep 60")
    for delay in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
        with project.start("run-batch") as running:
            time.sleep(delay)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=PATIENCE)
        assert running.returncode in {130, -signal.SIGINT, 1}
        assert_no_noise(running.returncode, err)
    assert project.json("status")["live_runs"] == []


@pytest.mark.slow
def test_an_interrupt_as_everything_ends_makes_no_noise(project: Project) -> None:
    project.shell("A", "true")
    begun = time.monotonic()
    assert project.orch("run-batch", "--force").code == 0
    takes = time.monotonic() - begun
    for part in range(60, 108, 4):
        with project.start("run-batch", "--force") as running:
            time.sleep(takes * part / 100)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=PATIENCE)
        assert running.returncode in {0, 130, -signal.SIGINT, 1}
        assert_no_noise(running.returncode, err)
    assert project.json("status")["live_runs"] == []


@pytest.mark.slow
def test_signals_that_our_parent_ignores_stay_ignored(project: Project) -> None:
    project.shell("A", "touch ready; while ! test -e go; do sleep 0.05; done")
    script = 'trap "" HUP INT; exec "$@"'
    running = subprocess.Popen(
        ["sh", "-c", script, "-", *command_line("run-batch")],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with running:
        while not (project.root / "ready").exists():
            time.sleep(0.01)
        running.send_signal(signal.SIGHUP)
        running.send_signal(signal.SIGINT)
        project.write("go", "")
        assert running.wait(PATIENCE) == 0
