"""The same on a system that has neither `/proc` nor pidfds, as macOS is: `ps` tells, and we look again and again."""

import signal

import pytest

from orchestration.process import EndedBy, ending, run_process, spawn, table
from tests.world.processes import IGNORES_TERM, THREE_GENERATIONS, command, is_living, pids_in, python, run_until_ready


@pytest.fixture(autouse=True)
def a_poorer_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "HAS_PROC", False)
    monkeypatch.setattr(ending, "open_pidfd", lambda _: None)
    monkeypatch.setattr(spawn, "has_pidfds", lambda: False)


@pytest.mark.slow
async def test_a_tree_is_ended_too() -> None:
    tree = [THREE_GENERATIONS, "2", THREE_GENERATIONS]
    end, _ = await run_until_ready(lambda timeout: python(*tree, timeout=timeout), lines=7)
    pids = pids_in(end.stdout)
    assert len(pids) == 7
    assert not any(map(is_living, pids))
    assert (end.signal, end.ended_by, end.survivors) == (signal.SIGTERM, EndedBy.TIMEOUT, ())


@pytest.mark.slow
async def test_who_ignores_term_in_a_session_of_its_own_is_killed() -> None:
    code = """
import subprocess, sys, time
subprocess.Popen([sys.executable, '-I', '-S', '-c', sys.argv[1]], start_new_session=True)
time.sleep(60)
"""
    end, _ = await run_until_ready(lambda timeout: python(code, IGNORES_TERM, timeout=timeout, kill_grace=0.2))
    (pid,) = pids_in(end.stdout)
    assert not is_living(pid)
    assert (end.swept, end.survivors) == (1, ())


async def test_a_leftover_in_the_group_keeps_nobody_waiting() -> None:
    end = await run_process(command("sh", "-c", "sleep 60 & echo $!", kill_grace=30))
    (pid,) = pids_in(end.stdout)
    assert not is_living(pid)
    assert (end.exit_code, end.swept) == (0, 1)
    assert end.duration < 10
