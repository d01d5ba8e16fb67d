"""Orphans that come to a subreaper: who is ours to end, what is reaped, and what is left alone.

Being a subreaper is a property of a whole process, so every test runs one of its own.
"""

import pytest

from tests.world.processes import linux_only, run_script

pytestmark = [linux_only, pytest.mark.slow]

SUBREAPER = """
import asyncio, os, pathlib, subprocess, sys, uuid
from orchestration.process import Command, LiveChildren, become_subreaper, children, run_process
assert become_subreaper()
LIVE = LiveChildren()

def python(code, marked=True, **options):
    env, marker = {'PATH': os.environ['PATH']}, None
    if marked:
        marker = ('ORCH_ATTEMPT_ID', str(uuid.uuid4()))
        env[marker[0]] = marker[1]
    return Command((sys.executable, '-I', '-S', '-c', code), env=env, marker=marker, **options)

def state(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return 'gone'

def our_children():
    return pathlib.Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()

# Two forks, a session of its own, nothing open that we know, deaf to TERM.
DAEMON = '''
import os, signal
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        null = os.open('/dev/null', os.O_RDWR)
        os.write(writing, b'%d' % os.getpid())
        for descriptor in (0, 1, 2): os.dup2(null, descriptor)
        os.closerange(3, 100)
        while True: signal.pause()
    os._exit(0)
os.wait()
print(os.read(reading, 100).decode(), flush=True)
'''

# A daemon's middle process has the session, its child ends at once: nobody can have started it here.
SHORT_DAEMON = '''
import os
if os.fork() == 0:
    os.setsid()
    os.fork()
    os._exit(0)
os.wait()
'''

# An orphan that leads a session of its own and ends at once: it could be a child that was started here.
SHORT_LEADER = '''
import os
if os.fork() == 0:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)
    os._exit(0)
os.wait()
'''

# An orphan in the session of its task, but in a group of its own.
IN_SESSION = '''
import os, time
if os.fork() == 0:
    os.setpgid(0, 0)
    os.closerange(0, 100)
    time.sleep(60)
time.sleep(0.1)
'''
"""


async def test_a_daemon_that_broke_every_other_tie_is_ended_at_a_normal_end() -> None:
    code = """
async def main():
    end = await run_process(python(DAEMON, kill_grace=0.1), children=LIVE)
    print(end.exit_code, end.swept, end.survivors, state(int(end.stdout)), our_children())
asyncio.run(main())
"""
    assert await run_script(SUBREAPER + code) == "0 1 () gone []\n"


async def test_eight_tasks_at_once_that_each_leave_a_daemon_leave_none() -> None:
    code = """
async def main():
    ends = await asyncio.gather(*(run_process(python(DAEMON, kill_grace=0.1), children=LIVE) for _ in range(8)))
    print({(end.exit_code, end.swept, state(int(end.stdout))) for end in ends}, our_children())
asyncio.run(main())
"""
    assert await run_script(SUBREAPER + code) == "{(0, 1, 'gone')} []\n"


async def test_a_daemon_of_another_task_is_left_to_the_end_of_that_task() -> None:
    code = """
async def main():
    ready = asyncio.Event()
    run = python(DAEMON + 'signal.pause()', kill_grace=0.1)
    running = run_process(run, lambda *_: ready.set(), children=LIVE, on_end=ends.append)
    first = asyncio.create_task(running)
    await ready.wait()
    second = await run_process(python('pass'), children=LIVE)
    (daemon,) = set(map(int, our_children())) - {leader()}
    print(second.swept, state(daemon) in 'RS')
    first.cancel()
    await asyncio.wait([first])
    print(ends[0].ended_by, state(daemon), our_children())

def leader():
    return next(int(pid) for pid in our_children() if os.getsid(int(pid)) == int(pid))

ends = []
asyncio.run(main())
"""
    assert await run_script(SUBREAPER + code) == "0 True\ncancelled gone []\n"


async def test_an_orphan_in_the_session_of_its_task_is_ended_without_any_marker() -> None:
    code = """
async def main():
    end = await run_process(python(IN_SESSION, marked=False), children=LIVE)
    print(end.exit_code, end.swept, our_children())
asyncio.run(main())
"""
    assert await run_script(SUBREAPER + code) == "0 1 []\n"


async def test_an_adopted_orphan_that_ended_by_itself_is_reaped() -> None:
    code = """
async def main():
    for _ in range(5): await run_process(python(SHORT_DAEMON), children=LIVE)
    await run_process(python('import time; time.sleep(0.1)'), children=LIVE)
    print(our_children())
asyncio.run(main())
"""
    assert await run_script(SUBREAPER + code) == "[]\n"


async def test_an_ended_child_in_a_session_of_its_own_is_reaped_when_nobody_can_want_it_any_more() -> None:
    code = """
async def main():
    await run_process(python(SHORT_LEADER), children=LIVE)
    await run_process(python('import time; time.sleep(0.1)'), children=LIVE)
    print(len(our_children()))
    children.NOBODY_WAITS = 0.05
    await asyncio.sleep(0.1)
    await run_process(python('pass'), children=LIVE)
    print(len(our_children()))
asyncio.run(main())
"""
    assert await run_script(SUBREAPER + code) == "1\n0\n"


async def test_nobody_elses_exit_code_is_stolen() -> None:
    code = """
foreign = [subprocess.Popen(['sh', '-c', 'exit 9'], start_new_session=own) for own in (False, True)]
async def main():
    for book in (LIVE, None):
        ends = await asyncio.gather(
            *(run_process(python(f'import os; os._exit({n})'), children=book) for n in range(40)))
        print([end.exit_code for end in ends] == list(range(40)))
    print([child.wait() for child in foreign])
asyncio.run(main())
"""
    assert await run_script(SUBREAPER + code) == "True\nTrue\n[9, 9]\n"
