"""How a process ends, by itself or by us, and that the whole tree ends with it."""

import asyncio
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.process import EndedBy, ProcessEnd, run_process
from tests.world.processes import (
    ENVIRONMENT,
    IGNORES_TERM,
    PYTHON,
    THREE_GENERATIONS,
    Ear,
    all_pids,
    command,
    is_living,
    linux_only,
    living_with,
    marked,
    parent_of,
    pids_in,
    python,
    run_until_ready,
)

# A daemon by the book: two forks, a session of its own, nothing of its parents open, and it ignores TERM.
DAEMON = """
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        null = os.open('/dev/null', os.O_RDWR)
        print(os.getpid(), flush=True)
        for descriptor in (0, 1, 2): os.dup2(null, descriptor)
        while True: signal.pause()
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("code", [0, 1, 3, 255])
async def test_an_exit_code_is_told(code: int) -> None:
    end = await run_process(command("sh", "-c", f"exit {code}"))
    assert (end.exit_code, end.signal, end.ended_by) == (code, None, EndedBy.ITSELF)
    assert (end.swept, end.survivors) == (0, ())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_a_signal_is_told_from_an_exit_code(number: int) -> None:
    end = await run_process(command("sh", "-c", f"kill -{int(number)} $$"))
    assert (end.exit_code, end.signal, end.ended_by) == (None, number, EndedBy.ITSELF)


async def test_the_record_is_handed_over_once_and_is_the_one_that_is_returned() -> None:
    ends: list[ProcessEnd] = []
    end = await run_process(command("true"), on_end=ends.append)
    assert ends == [end]


async def test_a_process_that_takes_too_long_is_asked_to_end() -> None:
    end = await run_process(command("sleep", "60", timeout=0.05))
    assert (end.signal, end.ended_by) == (signal.SIGTERM, EndedBy.TIMEOUT)
    assert 0.05 <= end.duration < 30


@pytest.mark.slow
async def test_a_process_that_is_asked_may_tidy_up_within_its_grace() -> None:
    code = """
import signal, sys
def tidy(*_): print('tidied'); sys.exit(4)
signal.signal(signal.SIGTERM, tidy)
print('ready', flush=True)
while True: signal.pause()
"""
    end, _ = await run_until_ready(lambda timeout: python(code, timeout=timeout))
    assert (end.exit_code, end.ended_by) == (4, EndedBy.TIMEOUT)
    assert end.stdout == b"ready\ntidied\n"


@pytest.mark.slow
async def test_a_child_that_ignores_term_is_killed_after_the_grace() -> None:
    end, timeout = await run_until_ready(lambda timeout: python(IGNORES_TERM, timeout=timeout, kill_grace=0.3))
    assert (end.signal, end.ended_by) == (signal.SIGKILL, EndedBy.TIMEOUT)
    assert end.duration >= timeout + 0.3
    assert not any(map(is_living, pids_in(end.stdout)))


@pytest.mark.slow
async def test_nobody_is_asked_twice() -> None:
    code = """
import signal, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
print('ready', flush=True)
while not asked: time.sleep(0.01)
deadline = time.monotonic() + 0.4
while time.monotonic() < deadline: time.sleep(0.01)
print(len(asked))
"""
    end, _ = await run_until_ready(lambda timeout: python(code, timeout=timeout))
    assert end.stdout == b"ready\n1\n"


async def test_a_stopped_process_hears_the_request() -> None:
    script = "trap 'exit 6' TERM; echo ready; kill -STOP $$; exit 7"
    end, _ = await run_until_ready(lambda timeout: command("sh", "-c", script, timeout=timeout))
    assert (end.exit_code, end.ended_by) == (6, EndedBy.TIMEOUT)


async def test_a_grace_of_nothing_kills_at_once() -> None:
    end, _ = await run_until_ready(lambda timeout: python(IGNORES_TERM, timeout=timeout, kill_grace=0))
    assert end.signal == signal.SIGKILL


async def test_a_silent_process_ends_by_its_idle_timeout() -> None:
    script = "echo hello; sleep 60"
    end, _ = await run_until_ready(lambda idle: command("sh", "-c", script, idle_timeout=idle, timeout=60))
    assert (end.ended_by, end.stdout) == (EndedBy.IDLE_TIMEOUT, b"hello\n")


@pytest.mark.slow
@pytest.mark.parametrize("redirect", ["", ">&2"])
async def test_a_chatty_process_outlives_its_idle_timeout(redirect: str) -> None:
    script = f"for i in 1 2 3 4 5 6 7 8 9; do echo $i {redirect}; sleep 0.25; done"
    end = await run_process(command("sh", "-c", script, idle_timeout=2))
    assert (end.exit_code, end.ended_by) == (0, EndedBy.ITSELF)
    assert end.duration > 2


@pytest.mark.slow
async def test_silence_while_the_sink_keeps_us_from_reading_is_not_the_childs() -> None:
    async def sink(_: object, __: bytes) -> None:
        await asyncio.sleep(1.2)

    script = "echo one; sleep 0.05; echo two; sleep 0.05; echo three"
    end = await run_process(command("sh", "-c", script, idle_timeout=1), sink)
    assert (end.exit_code, end.ended_by) == (0, EndedBy.ITSELF)


async def test_a_process_that_never_stops_talking_meets_its_timeout() -> None:
    end = await run_process(command("sh", "-c", "while :; do echo again; done", timeout=0.1, idle_timeout=30))
    assert end.ended_by is EndedBy.TIMEOUT
    assert end.stdout_total > 0


@pytest.mark.slow
@linux_only
async def test_who_ends_before_being_asked_has_ended_itself() -> None:
    timeout = 0.3
    before = set(all_pids())
    running = asyncio.create_task(run_process(command("sleep", "0.1", timeout=timeout)))
    while not (ours := [pid for pid in set(all_pids()) - before if parent_of(pid) == os.getpid()]):  # noqa: ASYNC110
        await asyncio.sleep(0)
    while any(map(is_living, ours)):  # the loop is held up until the process has ended, and its time is over as well
        time.sleep(0.001)  # noqa: ASYNC251  # as said
    time.sleep(timeout)  # noqa: ASYNC251  # as said
    end = await running
    assert (end.exit_code, end.ended_by) == (0, EndedBy.ITSELF)


@pytest.mark.slow
async def test_a_tree_of_three_generations_is_gone_within_its_grace() -> None:
    grace = 10.0
    tree = [THREE_GENERATIONS, "2", THREE_GENERATIONS]
    end, timeout = await run_until_ready(lambda timeout: python(*tree, timeout=timeout, kill_grace=grace), lines=7)
    pids = pids_in(end.stdout)
    assert len(pids) == 7
    assert not any(map(is_living, pids))
    assert end.ended_by is EndedBy.TIMEOUT
    assert end.duration < timeout + grace
    assert end.survivors == ()


@pytest.mark.slow
@linux_only
async def test_descendants_in_sessions_of_their_own_are_gone_at_the_timeout() -> None:
    code = """
import subprocess, sys, time
for _ in range(3): subprocess.Popen([sys.executable, '-I', '-S', '-c', sys.argv[1]], start_new_session=True, env={})
time.sleep(60)
"""
    end, _ = await run_until_ready(lambda timeout: python(code, IGNORES_TERM, timeout=timeout, kill_grace=0.2), lines=3)
    pids = pids_in(end.stdout)
    assert len(pids) == 3
    assert not any(map(is_living, pids))
    assert end.signal == signal.SIGTERM  # the leader heard; the others had to be killed
    assert end.swept == 3


@pytest.mark.slow
@linux_only
async def test_a_daemon_is_found_by_its_marker_when_we_end_its_task() -> None:
    run, value = marked(f"{DAEMON}\nimport time; time.sleep(60)", kill_grace=0.1)
    end, _ = await run_until_ready(lambda timeout: replace(run, timeout=timeout))
    (daemon,) = pids_in(end.stdout)
    assert not is_living(daemon)
    assert living_with(value) == []
    assert end.ended_by is EndedBy.TIMEOUT


@pytest.mark.slow
@linux_only
async def test_who_runs_away_from_fork_to_fork_is_caught() -> None:
    code = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    for _ in range(1500):  # not for ever: were the test cut short, nobody would end it
        os.setsid()
        if os.fork(): os._exit(0)
        print('here', flush=True)
        time.sleep(0.02)
time.sleep(60)
"""
    run, value = marked(code, kill_grace=0.1)
    end, _ = await run_until_ready(lambda timeout: replace(run, timeout=timeout), lines=3)
    assert living_with(value) == []
    assert end.survivors == ()


@pytest.mark.slow
@linux_only
async def test_what_is_started_by_the_request_to_end_is_ended_too() -> None:
    code = """
import os, signal, subprocess, sys
def start(*_):
    subprocess.Popen(['sleep', '60'], start_new_session=True)
    os._exit(0)
signal.signal(signal.SIGTERM, start)
print('ready', flush=True)
while True: signal.pause()
"""
    run, value = marked(code)
    end, _ = await run_until_ready(lambda timeout: replace(run, timeout=timeout))
    assert end.exit_code == 0
    assert living_with(value) == []
    assert end.swept == 1


async def test_a_background_child_that_holds_the_pipe_keeps_nobody_waiting() -> None:
    end = await run_process(command("sh", "-c", "sleep 60 & echo $!", kill_grace=30))
    (pid,) = pids_in(end.stdout)
    assert not is_living(pid)
    assert (end.exit_code, end.ended_by, end.swept) == (0, EndedBy.ITSELF, 1)
    assert end.duration < 10


@linux_only
async def test_a_background_child_that_ignores_term_and_closed_the_pipe_is_killed() -> None:
    code = """
import subprocess, sys
ignoring = [sys.executable, '-I', '-S', '-c', sys.argv[1]]
child = subprocess.Popen(ignoring, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
print(child.stdout.readline().decode(), flush=True)
"""
    end = await run_process(python(code, IGNORES_TERM, kill_grace=0.05))
    (pid,) = pids_in(end.stdout)
    assert not is_living(pid)
    assert (end.exit_code, end.swept) == (0, 1)


@linux_only
async def test_a_child_of_another_session_is_found_by_the_pipe_it_holds() -> None:
    code = """
import os, subprocess, sys
child = subprocess.Popen(['sleep', '60'], start_new_session=True, env={})
print(child.pid, flush=True)
os._exit(0)
"""
    end = await run_process(python(code))
    (pid,) = pids_in(end.stdout)
    assert not is_living(pid)
    assert end.swept == 1


@pytest.mark.slow
@linux_only
async def test_an_older_process_that_was_handed_our_pipe_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    receive = """
import array, socket, sys, time
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(); print('ready', flush=True)
connection, _ = server.accept()
held = socket.recv_fds(connection, 1, 1); connection.sendall(b'k')
time.sleep(60)
"""
    hand_over = """
import socket, sys
client = socket.socket(socket.AF_UNIX); client.connect(sys.argv[1])
socket.send_fds(client, [b'x'], [1]); client.recv(1)
"""
    older = subprocess.Popen([*PYTHON, receive, path], stdout=subprocess.PIPE, start_new_session=True)  # noqa: ASYNC220
    try:
        assert older.stdout is not None
        assert older.stdout.readline() == b"ready\n"
        await asyncio.sleep(0.02)  # birth is told in hundredths of a second
        end = await run_process(python(hand_over, path))
        assert (end.exit_code, end.swept, end.survivors) == (0, 0, ())
        assert older.poll() is None
    finally:
        older.kill()
        older.communicate()


@pytest.mark.slow
async def test_a_neighbour_is_not_touched() -> None:
    ear = Ear()
    run, _ = marked("import time; print('ready', flush=True); time.sleep(1); print('done')")
    neighbour = asyncio.create_task(run_process(run, ear))
    await ear.wait_for(b"ready")
    other, value = marked("import time; time.sleep(60)", timeout=0.1)
    assert (await run_process(other)).ended_by is EndedBy.TIMEOUT
    assert living_with(value) == []
    assert (await neighbour).stdout == b"ready\ndone\n"


async def test_children_of_others_in_this_process_are_not_touched() -> None:
    ours = subprocess.Popen(["sleep", "60"], start_new_session=True, env=ENVIRONMENT)  # noqa: ASYNC220  # a foreign child
    ended = subprocess.Popen(["sh", "-c", "exit 9"], start_new_session=True, env=ENVIRONMENT)  # noqa: ASYNC220
    try:
        run, _ = marked("import os; os.fork() or os.setsid(); print(1, flush=True); import time; time.sleep(60)")
        running = asyncio.create_task(run_process(run))
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert ours.poll() is None
        assert ended.wait() == 9
    finally:
        ours.kill()
        ours.wait()


@pytest.mark.slow
@linux_only
async def test_many_processes_that_leave_somebody_behind_leave_nobody() -> None:
    script = "sleep 60 & setsid sleep 60 & setsid sh -c 'sleep 60 & sleep 60' & exit 0"
    values = []
    runs = []
    for _ in range(8):
        run, value = marked("import subprocess, sys; sys.exit(subprocess.call(['sh', '-c', sys.argv[1]]))")
        values.append(value)
        runs.append(run_process(replace(run, argv=(*run.argv, script))))
    ends = await asyncio.gather(*runs)
    assert {end.exit_code for end in ends} == {0}
    assert [living_with(value) for value in values] == [[]] * 8
    assert all(end.survivors == () for end in ends)
