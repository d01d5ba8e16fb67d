"""What a process writes reaches logs, memory and sink, whatever it writes and however it closes."""

import asyncio
import gc
import hashlib
import os
import stat
from pathlib import Path

import pytest

from orchestration.process import EndedBy, ProcessEnd, Stream, run_process
from tests.world.processes import Ear, command, is_living, linux_only, pids_in, python, run_until_ready

MEGABYTE = 1024 * 1024


async def test_a_line_of_five_megabytes_arrives_whole(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    ear = Ear()
    end = await run_process(python("import sys; sys.stdout.write('x' * 5_000_000 + 'end')", stdout_log=log), ear)
    assert end.exit_code == 0
    assert end.stdout_total == 5_000_003 == len(ear.said[Stream.STDOUT]) == log.stat().st_size
    assert end.stdout == b"x" * (MEGABYTE - 3) + b"end"


async def test_a_hundred_thousand_lines_are_all_logged_in_order(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    end = await run_process(python("for n in range(100_000): print(n)", stdout_log=log))
    assert end.exit_code == 0
    assert log.read_text() == "".join(f"{n}\n" for n in range(100_000))
    assert end.stdout_total == log.stat().st_size


async def test_memory_keeps_the_last_bytes_of_each_stream() -> None:
    code = "import sys; sys.stdout.write('a' * 50_000 + 'tail'); sys.stderr.write('b' * 50_000 + 'last')"
    end = await run_process(python(code, max_capture=10))
    assert (end.stdout, end.stderr) == (b"aaaaaatail", b"bbbbbblast")
    assert (end.stdout_total, end.stderr_total) == (50_004, 50_004)


async def test_memory_keeps_the_last_bytes_when_they_come_one_by_one() -> None:
    code = "import os\nfor n in range(3000): os.write(1, b'%d' % (n % 10))"
    end = await run_process(python(code, max_capture=7))
    assert end.stdout == b"3456789"
    assert end.stdout_total == 3000


async def test_nothing_is_kept_in_memory_if_nothing_is_asked_for() -> None:
    end = await run_process(command("echo", "hello", max_capture=0))
    assert (end.stdout, end.stdout_total) == (b"", 6)


async def test_a_child_that_closes_stdout_early_goes_on() -> None:
    code = "import os, sys; os.write(1, b'early'); os.close(1); os.write(2, b'late'); os._exit(7)"
    end = await run_process(python(code))
    assert (end.exit_code, end.stdout, end.stderr) == (7, b"early", b"late")
    assert end.ended_by is EndedBy.ITSELF


async def test_a_child_that_closes_both_streams_is_waited_for() -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(0.1); os._exit(7)"
    end = await run_process(python(code))
    assert end.exit_code == 7
    assert end.duration >= 0.1


async def test_binary_garbage_is_kept_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "err.log"
    garbage = bytes(range(256)) * 1000
    code = "import sys; sys.stderr.buffer.write(bytes(range(256)) * 1000)"
    end = await run_process(python(code, stderr_log=log))
    assert end.stderr == garbage == log.read_bytes()


async def test_a_silent_process_makes_no_log_and_no_folder(tmp_path: Path) -> None:
    end = await run_process(
        command("true", stdout_log=tmp_path / "a" / "out.log", stderr_log=tmp_path / "a" / "err.log")
    )
    assert end.exit_code == 0
    assert list(tmp_path.iterdir()) == []


async def test_a_log_is_made_with_its_folders_for_its_owner_only(tmp_path: Path) -> None:
    log = tmp_path / "a" / "b" / "out.log"
    await run_process(command("echo", "hello", stdout_log=log, stderr_log=tmp_path / "err.log"))
    assert log.read_text() == "hello\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert not (tmp_path / "err.log").exists()


async def test_what_a_log_held_before_stays(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    log.write_text("before\n")
    await run_process(command("echo", "after", stdout_log=log))
    assert log.read_text() == "before\nafter\n"


async def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "out.log").symlink_to(target)
    with pytest.raises(OSError, match=r"out\.log"):
        await run_process(command("echo", "hello", stdout_log=tmp_path / "out.log"))
    assert target.read_text() == "precious"


async def test_a_log_stops_at_its_bound_and_the_rest_is_counted(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.write('a' * 300_000); sys.stderr.write('b' * 300_000)"
    logs = {"stdout_log": tmp_path / "out.log", "stderr_log": tmp_path / "err.log"}
    end = await run_process(python(code, max_log=100_000, **logs))
    assert end.exit_code == 0
    assert [path.stat().st_size for path in logs.values()] == [100_000, 100_000]
    assert end.log_dropped == 400_000
    assert end.stdout_total == 300_000


@linux_only
async def test_a_full_disk_ends_the_process_and_is_told() -> None:
    ends: list[ProcessEnd] = []
    ear = Ear()
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(OSError, match="No space left"):
        await run_process(python(code, stdout_log=Path("/dev/full")), ear, on_end=ends.append)
    assert [end.ended_by for end in ends] == [EndedBy.CANCELLED]
    assert not any(map(is_living, pids_in(ends[0].stdout)))


async def test_a_sink_is_given_everything_and_knows_the_stream() -> None:
    ear = Ear()
    await run_process(python("import sys; sys.stdout.write('o' * 200_000); sys.stderr.write('e' * 200_000)"), ear)
    assert {stream: bytes(said) for stream, said in ear.said.items()} == {
        Stream.STDOUT: b"o" * 200_000,
        Stream.STDERR: b"e" * 200_000,
    }


@pytest.mark.slow
async def test_a_waiting_sink_is_given_everything_in_order_one_call_at_a_time() -> None:
    digest = hashlib.sha256()
    calls = 0
    at_once = []

    async def sink(stream: Stream, data: bytes) -> None:
        nonlocal calls
        calls += 1
        at_once.append(calls)
        await asyncio.sleep(0)
        assert stream is Stream.STDOUT
        digest.update(data)
        calls -= 1

    code = "for n in range(400_000): print(n)"
    end = await run_process(python(code), sink)
    assert digest.hexdigest() == hashlib.sha256("".join(f"{n}\n" for n in range(400_000)).encode()).hexdigest()
    assert set(at_once) == {1}
    assert end.exit_code == 0


async def test_a_stream_that_never_pauses_does_not_starve_the_other() -> None:
    heard = asyncio.Event()

    async def sink(stream: Stream, _: bytes) -> None:
        await asyncio.sleep(0)
        if stream is Stream.STDERR:
            heard.set()

    code = """
import os, threading
def flood():
    while True: os.write(1, b'x' * 65536)
threading.Thread(target=flood, daemon=True).start()
os.write(2, b'listen')
threading.Event().wait()
"""
    running = asyncio.create_task(run_process(python(code, timeout=30), sink))
    await heard.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_sink_that_does_not_return_slows_the_child_down(tmp_path: Path) -> None:
    gate = asyncio.Event()
    taken = 0

    async def sink(_: Stream, data: bytes) -> None:
        nonlocal taken
        taken += len(data)
        await gate.wait()

    code = "import pathlib, sys; sys.stdout.write('x' * 3_000_000); pathlib.Path(sys.argv[1]).touch()"
    slow = asyncio.create_task(run_process(python(code, str(tmp_path / "slow")), sink))
    fast = await run_process(python(code, str(tmp_path / "fast")))
    assert fast.stdout_total == 3_000_000
    assert (tmp_path / "fast").exists()
    assert not (tmp_path / "slow").exists()
    gate.set()
    end = await slow
    assert taken == end.stdout_total == 3_000_000
    assert (tmp_path / "slow").exists()


@pytest.mark.slow
async def test_a_sink_that_is_still_busy_at_the_end_is_given_the_rest() -> None:
    first, gate = asyncio.Event(), asyncio.Event()
    taken: list[bytes] = []

    async def sink(_: Stream, data: bytes) -> None:
        taken.append(data)
        first.set()
        await gate.wait()

    code = "import os, time\nos.write(1, b'first')\ntime.sleep(0.05)\nos.write(1, b'second')\nos.write(2, b'third')"
    running = asyncio.create_task(run_process(python(code), sink))
    await first.wait()
    again = await run_process(python("import time; time.sleep(0.2)"))  # by now the first has ended
    assert again.exit_code == 0
    assert taken == [b"first"]
    gate.set()
    end = await running
    assert taken == [b"first", b"second", b"third"]
    assert end.stdout == b"firstsecond"


@pytest.mark.parametrize("kind", ["plain", "waiting"])
async def test_what_a_sink_raises_is_raised_when_the_process_is_ended(kind: str, tmp_path: Path) -> None:
    def plain(_: Stream, __: bytes) -> None:
        raise RuntimeError("cannot show this")

    async def waiting(_: Stream, __: bytes) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("cannot show this")

    ends: list[ProcessEnd] = []
    log = tmp_path / "out.log"
    code = """
import os, signal
def tell(*_):
    for _ in range(50): os.write(1, b'x' * 10_000)
    os._exit(0)
signal.signal(signal.SIGTERM, tell)
print(os.getpid(), flush=True)
signal.pause()
"""
    with pytest.raises(RuntimeError, match="cannot show this"):
        await run_process(python(code, stdout_log=log), plain if kind == "plain" else waiting, on_end=ends.append)
    (end,) = ends
    assert end.ended_by is EndedBy.CANCELLED
    assert end.exit_code == 0  # it was asked, and read to its last byte
    assert end.stdout_total > 500_000
    assert log.stat().st_size == end.stdout_total


async def test_a_sink_that_fails_after_the_end_is_heard_too() -> None:
    async def sink(_: Stream, __: bytes) -> None:
        await asyncio.sleep(0.1)
        raise RuntimeError("too late")

    ends: list[ProcessEnd] = []
    with pytest.raises(RuntimeError, match="too late"):
        await run_process(command("echo", "hello"), sink, on_end=ends.append)
    assert [(end.exit_code, end.ended_by) for end in ends] == [(0, EndedBy.ITSELF)]


async def test_a_sink_that_meets_a_cancellation_of_its_own_ends_the_process() -> None:
    async def sink(_: Stream, __: bytes) -> None:
        lost = asyncio.get_running_loop().create_future()
        lost.cancel()
        await lost

    ends: list[ProcessEnd] = []
    with pytest.raises(asyncio.CancelledError):
        await run_process(python("import time; print(1, flush=True); time.sleep(60)"), sink, on_end=ends.append)
    assert [end.ended_by for end in ends] == [EndedBy.CANCELLED]


@pytest.mark.slow
async def test_a_sink_that_never_returns_does_not_stop_the_timeout() -> None:
    dismissed = asyncio.Event()

    async def sink(_: Stream, __: bytes) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            dismissed.set()

    code = "import time; print(flush=True); print('x' * 200_000, flush=True); time.sleep(60)"
    end, _ = await run_until_ready(lambda timeout: python(code, timeout=timeout, kill_grace=0.1), sink=sink)
    assert end.ended_by is EndedBy.TIMEOUT
    assert dismissed.is_set()


@pytest.mark.slow
async def test_a_sink_that_cannot_even_be_cancelled_is_left_behind() -> None:
    gate = asyncio.Event()
    stubborn: list[asyncio.Task[object] | None] = []

    async def sink(_: Stream, __: bytes) -> None:
        stubborn.append(asyncio.current_task())
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    code = "import time; print(1, flush=True); time.sleep(60)"
    end, _ = await run_until_ready(lambda timeout: python(code, timeout=timeout), sink=sink)
    assert end.ended_by is EndedBy.TIMEOUT
    gate.set()
    for task in stubborn:
        assert task is not None
        await task


async def test_the_end_is_shown_in_one_short_line() -> None:
    end = await run_process(python("import sys; sys.stdout.write('x' * 1_000_000); sys.exit(3)"))
    assert repr(end).startswith("<ProcessEnd: exit code 3, itself after ")
    assert len(repr(end)) < 100


@linux_only
async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    async def sink(_: Stream, __: bytes) -> None:
        await asyncio.sleep(0)

    async def run_all() -> None:
        await run_process(command("true"))
        await run_process(command("cat", stdin=b"x" * 200_000, stdout_log=tmp_path / "log"), sink)
        await run_process(python("import os; os.close(1); os.close(2)"))
        await run_process(command("sleep", "60", timeout=0.02))
        await run_process(command("sh", "-c", "sleep 60 &"))

    await run_all()
    gc.collect()  # what earlier tests have left must not count
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names only
    await run_all()
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  # as above
