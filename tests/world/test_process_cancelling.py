"""Cancelling, hurrying and killing: nothing is left when the call returns, however often it was interrupted."""

import asyncio
import signal
import time

import anyio
import pytest

from orchestration.process import EndedBy, LiveChildren, ProcessEnd, Stream, run_process
from tests.world.processes import (
    Ear,
    command,
    is_living,
    linux_only,
    living_with,
    marked,
    pids_in,
    python,
    run_script,
    run_until_ready,
)

IGNORES_TERM = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) < 3: subprocess.Popen([sys.executable, '-I', '-S', '-c', sys.argv[1], sys.argv[1], 'child'])
print(os.getpid(), flush=True)
while True: signal.pause()
"""


async def test_the_tree_is_dead_when_the_cancellation_arrives() -> None:
    ends: list[ProcessEnd] = []
    ear = Ear()
    run = command("sh", "-c", "sleep 60 & echo $!; setsid sleep 60 & echo $!; echo $$; echo ready; wait")
    running = asyncio.create_task(run_process(run, ear, on_end=ends.append))
    pids = pids_in(await ear.wait_for(b"ready"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(pids) == 3
    assert not any(map(is_living, pids))
    assert [(end.ended_by, end.signal, end.survivors) for end in ends] == [(EndedBy.CANCELLED, signal.SIGTERM, ())]


@pytest.mark.slow
async def test_cancelling_again_and_again_does_not_cut_the_ending_short() -> None:
    ends: list[ProcessEnd] = []
    ear = Ear()
    run = python(IGNORES_TERM, IGNORES_TERM, kill_grace=2)
    running = asyncio.create_task(run_process(run, ear, on_end=ends.append))
    pids = pids_in(await ear.wait_for(b"\n", times=2))
    for _ in range(10):
        running.cancel()
        await asyncio.sleep(0.01)
        assert not running.done()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not any(map(is_living, pids))
    assert [end.signal for end in ends] == [signal.SIGKILL]


@linux_only
@pytest.mark.parametrize("turns", range(12))
async def test_nothing_is_left_whenever_the_cancellation_comes(turns: int) -> None:
    ends: list[ProcessEnd] = []
    run, value = marked("import subprocess; subprocess.Popen(['sleep', '60']).wait()")
    running = asyncio.create_task(run_process(run, on_end=ends.append))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert living_with(value) == []
    assert len(ends) <= 1


@pytest.mark.slow
async def test_a_cancellation_after_the_end_does_not_change_who_ended_it() -> None:
    ends: list[ProcessEnd] = []
    busy, gate = asyncio.Event(), asyncio.Event()

    said = b""

    async def sink(_: Stream, data: bytes) -> None:
        nonlocal said
        said = data
        busy.set()
        await gate.wait()

    running = asyncio.create_task(run_process(command("sh", "-c", "echo $$"), sink, on_end=ends.append))
    await busy.wait()
    (pid,) = pids_in(said)
    while is_living(pid):  # noqa: ASYNC110  # what is waited for happens in another process
        await asyncio.sleep(0.001)
    await run_process(command("true"))  # the end of the other was learned before this one's
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [(end.exit_code, end.ended_by, end.stdout) for end in ends] == [(0, EndedBy.ITSELF, said)]


@pytest.mark.slow
async def test_a_sink_that_waits_for_ever_does_not_stop_a_cancellation() -> None:
    busy = asyncio.Event()

    async def sink(_: Stream, __: bytes) -> None:
        busy.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(run_process(python("import time; print(1, flush=True); time.sleep(60)"), sink))
    await busy.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_timeout_of_asyncio_around_the_call_ends_the_tree() -> None:
    ends: list[ProcessEnd] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await run_process(command("sleep", "60"), on_end=ends.append)
    assert [end.ended_by for end in ends] == [EndedBy.CANCELLED]


@pytest.mark.slow
async def test_a_scope_of_anyio_around_the_call_does_not_make_the_wait_spin() -> None:
    ear = Ear()
    ends: list[ProcessEnd] = []
    started = time.process_time()
    scope = anyio.CancelScope()

    async def leave() -> None:
        await ear.wait_for(b"\n", times=2)
        scope.cancel()

    leaving = asyncio.create_task(leave())
    with scope:
        await run_process(python(IGNORES_TERM, IGNORES_TERM, kill_grace=1.0), ear, on_end=ends.append)
    await leaving
    assert scope.cancelled_caught
    assert [end.signal for end in ends] == [signal.SIGKILL]
    assert time.process_time() - started < ends[0].duration / 2


@pytest.mark.slow
async def test_a_task_group_that_fails_ends_its_processes() -> None:
    ear = Ear()
    ends: list[ProcessEnd] = []

    async def fail() -> None:
        await ear.wait_for(b"ready", times=3)
        raise RuntimeError("enough")

    async def run_group() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(run_process(command("sh", "-c", "echo ready; sleep 60"), ear, on_end=ends.append))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        await run_group()
    assert [end.ended_by for end in ends] == [EndedBy.CANCELLED] * 3


@pytest.mark.slow
async def test_haste_ends_the_grace_of_all_and_of_those_to_come() -> None:
    children = LiveChildren()
    ear = Ear()
    ends: list[ProcessEnd] = []
    run = python(IGNORES_TERM, IGNORES_TERM, kill_grace=60)
    running = [asyncio.create_task(run_process(run, ear, children=children, on_end=ends.append)) for _ in range(3)]
    await ear.wait_for(b"\n", times=6)
    assert len(children) == 3
    for task in running[:2]:
        task.cancel()
    await asyncio.sleep(0.1)
    children.haste()
    await asyncio.wait(running[:2])
    assert [end.signal for end in ends] == [signal.SIGKILL] * 2
    assert not running[2].done()  # haste ends graces, not processes
    running[2].cancel()
    await asyncio.wait(running)
    assert [end.signal for end in ends] == [signal.SIGKILL] * 3
    assert children.is_hasty
    assert len(children) == 0
    assert max(end.duration for end in ends) < 30


@pytest.mark.slow
async def test_kill_now_kills_every_tree_before_it_returns() -> None:
    children = LiveChildren()
    ear = Ear()
    run = python(IGNORES_TERM, IGNORES_TERM, kill_grace=60)
    running = [asyncio.create_task(run_process(run, ear, children=children)) for _ in range(3)]
    pids = pids_in(await ear.wait_for(b"\n", times=6))
    children.kill_now()
    deadline = time.monotonic() + 10
    while any(map(is_living, pids)) and time.monotonic() < deadline:  # without giving the loop a turn
        time.sleep(0.001)  # noqa: ASYNC251  # as said
    assert len(pids) == 6
    assert not any(map(is_living, pids))
    ends = await asyncio.gather(*running)
    assert [(end.signal, end.ended_by) for end in ends] == [(signal.SIGKILL, EndedBy.CANCELLED)] * 3


async def test_kill_now_reaches_a_process_that_is_just_being_started() -> None:
    children = LiveChildren()
    running = asyncio.create_task(run_process(command("sleep", "60", kill_grace=60), children=children))
    for _ in range(2):
        await asyncio.sleep(0)
    children.kill_now()
    end = await running
    assert (end.signal, end.ended_by) == (signal.SIGKILL, EndedBy.CANCELLED)


@pytest.mark.slow
async def test_kill_now_during_an_ending_keeps_who_began_it() -> None:
    children = LiveChildren()

    def sink(_: Stream, data: bytes) -> None:
        if b"asked" in data:
            children.kill_now()

    code = """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'asked'))
print('ready', flush=True)
while True: signal.pause()
"""
    start = time.monotonic()
    end, _ = await run_until_ready(
        lambda timeout: python(code, kill_grace=60, timeout=timeout), sink=sink, children=children
    )
    assert (end.signal, end.ended_by) == (signal.SIGKILL, EndedBy.TIMEOUT)
    assert time.monotonic() - start < 60


async def test_the_book_is_empty_after_every_kind_of_end() -> None:
    children = LiveChildren()
    await run_process(command("true"), children=children)
    await run_process(command("sleep", "60", timeout=0.02), children=children)
    with pytest.raises(Exception, match="no program"):
        await run_process(command("no-such-program"), children=children)
    running = asyncio.create_task(run_process(command("sleep", "60"), children=children))
    while not children:  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0.001)
    assert len(children) == 1
    running.cancel()
    await asyncio.wait([running])
    assert len(children) == 0


LEFT_ALONE = """
import asyncio, os, sys
from orchestration.process import Command, run_process
env = {'PATH': os.environ['PATH'], 'ORCH_ATTEMPT_ID': sys.argv[1]}
run = Command(('sh', '-c', 'sleep 60 & setsid sleep 60 & wait'), env=env, marker=('ORCH_ATTEMPT_ID', sys.argv[1]))
async def main():
    task = asyncio.create_task(run_process(run, on_end=lambda end: print(end.ended_by)))
    for _ in range(int(sys.argv[2])): await asyncio.sleep(0)
    await asyncio.sleep(float(sys.argv[3]))
    return task
"""


async def test_kill_now_right_after_a_cancellation_is_still_a_cancellation() -> None:
    children = LiveChildren()
    ends: list[ProcessEnd] = []
    ear = Ear()
    run = command("sh", "-c", "echo ready; sleep 60")
    running = asyncio.create_task(run_process(run, ear, children=children, on_end=ends.append))
    await ear.wait_for(b"ready")
    running.cancel()
    await asyncio.sleep(0)
    children.kill_now()
    await asyncio.wait([running])
    assert [(end.signal, end.ended_by) for end in ends] == [(signal.SIGKILL, EndedBy.CANCELLED)]


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize("turns", range(5))
async def test_a_loop_that_is_closed_while_a_process_is_started_leaves_nothing(turns: int) -> None:
    _, value = marked("")
    await run_script(f"{LEFT_ALONE}\nasyncio.run(main())", value, str(turns), "0")
    assert living_with(value) == []


@linux_only
@pytest.mark.slow
async def test_a_loop_that_is_closed_over_a_running_process_ends_it_first() -> None:
    _, value = marked("")
    assert await run_script(f"{LEFT_ALONE}\nasyncio.run(main())", value, "0", "0.2") == "cancelled\n"
    assert living_with(value) == []


@linux_only
@pytest.mark.slow
async def test_a_loop_that_is_thrown_away_takes_its_processes_with_it() -> None:
    code = f"""
{LEFT_ALONE}
import gc, logging, warnings
logging.disable()
warnings.simplefilter('ignore')
loop = asyncio.new_event_loop()
task = loop.run_until_complete(main())
loop.close()
del task
gc.collect()
print('over')
"""
    _, value = marked("")
    await run_script(code, value, "0", "0.2")
    async with asyncio.timeout(10):
        while living_with(value):
            await run_process(command("true"))
