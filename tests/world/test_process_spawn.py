"""Starting a process: what it is given, and what is said when it cannot be started."""

import asyncio
import gc
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.errors import AgentMissing, OrchError, UsageError
from orchestration.process import Command, LiveChildren, ProcessEnd, run_process, spawn
from tests.world.processes import command, linux_only, python, run_script


async def test_a_child_gets_the_environment_it_was_given_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "1")
    end = await run_process(command("/usr/bin/env", env={"ONE": "1", "TWO": "zwei ü"}))
    assert sorted(end.stdout.decode().splitlines()) == ["ONE=1", "TWO=zwei ü"]


async def test_a_program_is_looked_up_on_the_path_of_the_child(tmp_path: Path) -> None:
    tool = tmp_path / "tool-of-the-child"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    end = await run_process(Command(("tool-of-the-child",), env={"PATH": str(tmp_path)}))
    assert end.stdout == b"found\n"


async def test_a_child_works_in_the_folder_it_was_given(tmp_path: Path) -> None:
    end = await run_process(command("pwd", "-P", cwd=tmp_path))
    assert Path(end.stdout.decode().strip()) == tmp_path.resolve()


async def test_a_child_leads_a_session_of_its_own() -> None:
    end = await run_process(python("import os; print(os.getpid() == os.getsid(0) == os.getpgrp())"))
    assert end.stdout == b"True\n"


@linux_only
async def test_a_child_inherits_three_descriptors() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    code = "import os; print(*(fd for fd in range(256) if os.path.exists(f'/proc/self/fd/{fd}')))"
    try:
        end = await run_process(python(code))
    finally:
        os.close(reading)
        os.close(writing)
    assert end.stdout == b"0 1 2\n"


@linux_only
async def test_children_without_input_share_what_gives_none_until_the_book_is_closed() -> None:
    def held() -> int:
        links = (Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd"))  # noqa: PTH208  # numbers
        return sum(link.is_symlink() and link.readlink() == Path(os.devnull) for link in links)

    gc.collect()  # books of other tests, whose failures still hold them
    before, book = held(), LiveChildren()
    running = [asyncio.create_task(run_process(python("input()"), children=book)) for _ in range(3)]
    await asyncio.sleep(0)
    assert (len(book), held()) == (3, before + 1)
    ends = await asyncio.gather(*running)
    assert all(b"EOFError" in end.stderr for end in ends)
    del book, running
    assert held() == before


@linux_only
async def test_a_child_is_there_before_anybody_else_has_a_turn() -> None:
    book, pids = LiveChildren(), Path(f"/proc/self/task/{os.getpid()}/children")
    before = set(pids.read_text().split())
    running = asyncio.create_task(run_process(command("sleep", "60"), children=book))
    await asyncio.sleep(0)
    (pid,) = set(pids.read_text().split()) - before
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not Path(f"/proc/{pid}").exists()


async def test_the_streams_of_a_child_block() -> None:
    code = "import os; print(*(os.get_blocking(fd) for fd in (0, 1, 2)))"
    end = await run_process(python(code, stdin=b"x"))
    assert end.stdout == b"True True True\n"


async def test_input_is_at_its_end_if_there_is_none() -> None:
    end = await run_process(command("cat", timeout=30))
    assert (end.exit_code, end.stdout) == (0, b"")


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3_000_000])
async def test_input_is_written_and_then_closed(size: int) -> None:
    end = await run_process(command("wc", "-c", stdin=b"x" * size, timeout=30))
    assert int(end.stdout) == size


async def test_a_child_that_exits_before_reading_three_megabytes_is_no_error() -> None:
    end = await run_process(python("import os; os._exit(5)", stdin=b"x" * 3_000_000))
    assert end.exit_code == 5


async def test_a_child_that_closes_its_input_half_read_goes_on() -> None:
    code = "import os; n = len(os.read(0, 10)); os.close(0); print(n)"
    end = await run_process(python(code, stdin=b"x" * 3_000_000))
    assert (end.exit_code, end.stdout) == (0, b"10\n")


async def test_a_child_that_never_reads_its_input_meets_its_timeout() -> None:
    end = await run_process(command("sleep", "60", stdin=b"x" * 3_000_000, timeout=0.1))
    assert end.ended_by == "timeout"


async def test_input_and_output_flow_at_the_same_time() -> None:
    data = os.urandom(2_000_000)
    end = await run_process(command("cat", stdin=data, max_capture=len(data), timeout=30))
    assert end.stdout == data


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of files that are no programs."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("no program\n")
    (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
    (tmp_path / "shapeless").write_text("echo hello\n")
    for name in ("lost", "shapeless"):
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("program", "message", "hint"),
    [
        ("no-such-program", "there is no program no-such-program on the PATH", "install"),
        ("./no/such", "there is no program ./no/such", "path"),
        ("./plain/tool", "there is no program ./plain/tool", "path"),
        ("x" * 5000, "there is no program xxxxx", "install"),
        ("", "cannot be executed", "program"),
        ("./plain", "./plain cannot be executed: Permission denied", "chmod"),
        ("./folder", "./folder cannot be executed", "program"),
        ("./shapeless", "./shapeless is no program", "#!/bin/sh"),
    ],
)
async def test_a_program_that_cannot_be_run_is_named_with_the_remedy(
    program: str, message: str, hint: str, programs: Path
) -> None:
    ends: list[ProcessEnd] = []
    with pytest.raises(AgentMissing) as caught:
        await run_process(command(program, cwd=programs), on_end=ends.append)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert len(caught.value.message) < 400
    assert ends == []  # nothing was started


async def test_a_script_whose_interpreter_is_missing_is_told_from_a_missing_script(programs: Path) -> None:
    with pytest.raises(AgentMissing, match=r"the interpreter of .*lost is missing"):
        await run_process(command(str(programs / "lost")))


@pytest.mark.parametrize("folder", ["missing", "plain"])
async def test_a_folder_that_cannot_be_worked_in_is_not_a_missing_program(folder: str, programs: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot work in the folder .*{folder}") as caught:
        await run_process(command("true", cwd=programs / folder))
    assert "folder" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "odd",
    [command("echo", "a\0b"), command("echo", env={"A=B": "c"}), command("echo", env={"A": "b\0c"}), command("a\0b")],
)
async def test_zero_bytes_and_odd_names_are_refused_with_a_reason(odd: Command) -> None:
    with pytest.raises(UsageError, match="cannot run") as caught:
        await run_process(odd)
    assert "zero bytes" in (caught.value.hint or "")


async def test_an_empty_command_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        await run_process(command())


async def test_a_large_environment_arrives() -> None:
    env = {f"VARIABLE_{n}": "x" * 1000 for n in range(500)}
    end = await run_process(command("/usr/bin/env", env=env))
    assert end.stdout_total == sum(len(name) + len("=\n") + 1000 for name in env)


async def test_arguments_that_are_too_big_are_told_with_the_way_round() -> None:
    with pytest.raises(UsageError, match="too big for this system") as caught:
        await run_process(command("echo", "x" * 40_000_000))
    assert "stdin" in (caught.value.hint or "")


async def test_a_spawn_that_fails_leaves_no_descriptor_open() -> None:
    gc.collect()  # what earlier tests have left must not count
    before, errors = len(os.listdir("/dev/fd")), list[OrchError]()  # noqa: PTH208  # a count only
    for stdin in (b"x", None):
        for broken in (command("no-such-program", stdin=stdin), command("a\0b", stdin=stdin)):
            with pytest.raises(OrchError) as caught:
                await run_process(broken)
            errors.append(caught.value)  # which hold on to all that was there when they were raised
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208  # as above


@pytest.mark.slow
async def test_fifty_children_at_once_take_no_thread_each() -> None:
    before = threading.active_count()
    children = LiveChildren()
    everybody = asyncio.Event()
    arrived = 0

    def sink(_: object, __: bytes) -> None:
        nonlocal arrived
        arrived += 1
        if arrived == 50:
            everybody.set()

    one = command("sh", "-c", "echo ready; sleep 60", timeout=60)
    running = [asyncio.create_task(run_process(one, sink, children=children)) for _ in range(50)]
    await everybody.wait()
    threads = threading.active_count()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert threads <= before  # those of others may have ended meanwhile


@pytest.mark.slow
async def test_loops_in_several_threads_run_children_at_the_same_time() -> None:
    async def several() -> list[int | None]:
        ends = []
        for _ in range(5):
            ends += await asyncio.gather(*(run_process(command("sh", "-c", "exit 3")) for _ in range(3)))
        return [end.exit_code for end in ends]

    def in_a_loop_of_its_own() -> list[int | None]:
        return asyncio.run(several())  # noqa: TID251  # a thread that has no loop yet

    codes = await asyncio.gather(*(asyncio.to_thread(in_a_loop_of_its_own) for _ in range(4)))
    assert codes == [[3] * 15] * 4


@pytest.mark.slow
async def test_too_few_descriptors_make_a_process_wait_and_not_fail() -> None:
    code = """
import asyncio, os, resource
from orchestration.process import Command, run_process
open_now = len(os.listdir('/dev/fd'))
asyncio.get_event_loop_policy()
resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, open_now + 20))
async def main():
    one = Command(('sleep', '0.05'), env={'PATH': os.environ['PATH']})
    ends = await asyncio.gather(*(run_process(one) for _ in range(30)))
    print({end.exit_code for end in ends}, len(ends))
asyncio.run(main())
"""
    assert await run_script(code) == "{0} 30\n"


@contextmanager
def no_descriptor_free() -> Iterator[None]:
    """Leave no descriptor free for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = os.open(os.devnull, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(last)


async def test_no_descriptor_for_too_long_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "SPAWN_PATIENCE", 0.02)
    no_room = "no room to start true: Too many open files, for this program may have only [0-9]+ at once"
    with no_descriptor_free(), pytest.raises(OrchError, match=no_room) as caught:
        await run_process(command("true"))
    assert "ulimit -n" in (caught.value.hint or "")


async def test_descriptors_that_children_have_are_waited_for_however_long_these_live(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spawn, "SPAWN_PATIENCE", 0.02)
    children, gate = LiveChildren(), tmp_path / "gate"
    lives = command("sh", "-c", 'while [ ! -e "$0" ]; do sleep 0.02; done', str(gate))
    first = [asyncio.create_task(run_process(lives, children=children)) for _ in range(4)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert children.any_started
    with no_descriptor_free():
        second = asyncio.create_task(run_process(command("true"), children=children))
        await asyncio.wait([second], timeout=0.15)
        assert not second.done()
        gate.touch()
        assert [(await one).exit_code for one in (*first, second)] == [0] * 5


async def test_who_waits_for_room_can_be_cancelled() -> None:
    ends: list[ProcessEnd] = []
    with no_descriptor_free():
        running = asyncio.create_task(run_process(command("true"), on_end=ends.append))
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert ends == []


async def test_the_limit_of_open_files_is_raised_within_bounds() -> None:
    code = """
import resource
from orchestration.process import raise_file_limit
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (50, min(hard, 1000)))
print(raise_file_limit(100), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(raise_file_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(raise_file_limit(100), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    assert (await run_script(code)).splitlines() == ["100 100", "1000 1000", "1000 1000"]
