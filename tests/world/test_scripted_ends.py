"""The scripted agent by itself: how it ends, what it leaves behind, and that all of it comes to an end."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from orchestration.scripted import TRICKS
from tests.world.processes import linux_only, living_with, read
from tests.world.scripted import PATIENCE, environment, is_there, lines_until, play, playing, words_for


@pytest.mark.parametrize("name", ["SEGV", "KILL", "ABRT", "TERM"])
def test_a_crash_is_an_end_by_that_signal_also_where_it_is_ignored(tmp_path: Path, name: str) -> None:
    done = play(tmp_path, {"on_term": "ignore"}, {"say": "hi"}, {"crash": name})
    assert done.code == -getattr(signal, f"SIG{name}")
    assert done.events[-1]["text"] == "hi"


def test_a_lifetime_ends_what_would_hang_for_ever(tmp_path: Path) -> None:
    assert play(tmp_path, {"on_term": "ignore"}, {"lifetime": 0.05}, "hang").code == -signal.SIGALRM


@pytest.mark.parametrize(
    ("step", "code"),
    [({"code": 0}, 0), ({"code": 143}, 143), ({"code": 5, "after": 0.05}, 5), (None, -signal.SIGTERM)],
)
def test_term_ends_it_as_the_script_says(tmp_path: Path, step: dict[str, Any] | None, code: int) -> None:
    steps = [{"on_term": step}] if step else []
    with playing(tmp_path, *steps, {"say": "ready"}, "hang") as child:
        lines_until(child, b"ready")
        child.terminate()
        assert child.wait(20) == code


def test_one_that_ignores_term_goes_on_and_can_only_be_killed(tmp_path: Path) -> None:
    with playing(tmp_path, {"on_term": "ignore"}, {"hang": {"every": 0.01, "text": "here"}}) as child:
        lines_until(child, b"here")
        child.terminate()
        for _ in range(5):
            lines_until(child, b"here")
        child.kill()
        assert child.wait(20) == -signal.SIGKILL


def left_by(folder: Path, how: str, **fields: Any) -> list[int]:  # noqa: ANN401  # fields of the step
    """Play a script that leaves processes, and read who they are."""
    steps = ({"leave": {"how": how, "pids": "pids", "seconds": 30, **fields}}, "final")
    assert play(folder, *steps).code == 0
    return [int(line) for line in (folder / "pids").read_text().split()]


def end_all(pids: list[int]) -> None:
    for pid in pids:
        if is_there(pid):
            os.kill(pid, signal.SIGKILL)


@linux_only
@pytest.mark.parametrize("how", ["child", "session", "daemon", "nohup"])
def test_what_is_left_behind_lives_on_in_the_group_or_the_session_that_was_asked_for(tmp_path: Path, how: str) -> None:
    with playing(tmp_path, {"leave": {"how": how, "pids": "pids", "seconds": 30}}, {"say": "left"}, "hang") as child:
        lines_until(child, b"left")
        (pid,) = [int(line) for line in (tmp_path / "pids").read_text().split()]
        try:
            assert is_there(pid)
            assert (os.getpgid(pid) == child.pid) == (how in {"child", "nohup"})
            assert (os.getsid(pid) == child.pid) == (how in {"child", "nohup"})
        finally:
            end_all([pid])


@linux_only
@pytest.mark.slow
def test_what_is_left_behind_lives_when_the_agent_has_gone_and_dies_by_itself(tmp_path: Path) -> None:
    (pid,) = left_by(tmp_path, "daemon", seconds=0.4)
    deadline = time.monotonic() + 20
    while is_there(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@linux_only
def test_the_deaf_ones_ignore_term_and_the_others_do_not(tmp_path: Path) -> None:
    pids = left_by(tmp_path, "session", deaf=True, count=2)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        status = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
        ignored = [int(text.partition("SigIgn:")[2].split()[0], 16) for text in status]
        assert all(mask & (1 << (signal.SIGTERM - 1)) for mask in ignored)
        assert len(set(pids)) == 2
    finally:
        end_all(pids)


@linux_only
@pytest.mark.slow
def test_one_without_a_marker_has_an_empty_environment_and_its_alarm_still_set(tmp_path: Path) -> None:
    (pid,) = left_by(tmp_path, "daemon", unmarked=True, deaf=True, seconds=1)
    deadline = time.monotonic() + 20
    while is_there(pid):
        if read(pid, "comm").strip() == b"sleep":
            assert read(pid, "environ") == b""
        assert time.monotonic() < deadline
        time.sleep(0.02)


@linux_only
@pytest.mark.slow
def test_a_grandchild_may_hold_stdout_open_when_the_agent_has_ended(tmp_path: Path) -> None:
    leave = {"leave": {"how": "daemon", "holds_stdout": True, "seconds": 20, "pids": "pids"}}
    with playing(tmp_path, leave, "final") as child:
        lines_until(child, b'"result"')
        assert child.wait(20) == 0
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        with pytest.raises(BlockingIOError):
            os.read(child.stdout.fileno(), 1)
        end_all([int(line) for line in (tmp_path / "pids").read_text().split()])


def test_a_loader_starts_the_agent_again_and_ends_as_it_ends(tmp_path: Path) -> None:
    code = {"run": {"command": "echo $PPID", "session": False}}
    with playing(tmp_path, "reexec", code, {"exit": 5}) as child:
        line = json.loads(lines_until(child, b"exit_code")[-1])
        assert int(line["output"]) != child.pid
        assert child.wait(20) == 5
    assert play(tmp_path, "reexec", {"crash": "ABRT"}).code == -signal.SIGABRT
    told = play(tmp_path, "reexec", {"save_prompt": "p"}, "final", prompt=b"for the agent")
    assert (told.code, (tmp_path / "p").read_bytes(), len(told.of("session"))) == (0, b"for the agent", 1)


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_every_trick_comes_to_an_end_within_its_lifetime(tmp_path: Path, first: int) -> None:
    marker = f"tricks/{first}/{os.getpid()}"
    surroundings = {**os.environ, **environment(ORCH_ATTEMPT_ID=marker, ORCH_OUTPUT=str(tmp_path / "out"))}
    names = list(TRICKS)[first::4]
    started = {}
    try:
        for name in names:
            command = words_for({"trick": name}, life=1)
            started[name] = subprocess.Popen(command, cwd=tmp_path, env=surroundings, stdin=-3, stdout=-3, stderr=-3)
        codes = {name: child.wait(PATIENCE) for name, child in started.items()}
    finally:
        end_all([*[child.pid for child in started.values() if child.poll() is None], *living_with(marker)])
        for child in started.values():
            child.wait()
    by_signal = ("hang", "term", "ever", "crash", "killed")
    assert {name for name, code in codes.items() if code < 0} == {n for n in names if any(w in n for w in by_signal)}
