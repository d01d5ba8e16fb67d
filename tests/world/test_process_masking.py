"""Secrets in the output of a process reach no log, no memory and no sink, however they are printed and cut off."""

import asyncio
from pathlib import Path

import pytest

from orchestration.masking import Masker
from orchestration.process import Command, EndedBy, Stream, run_process
from tests.world.processes import Ear, linux_only, python

SECRET = "sk-test-0123456789abcdef"
MASKER = Masker({"TOKEN": SECRET})


def leaks(*texts: bytes) -> bool:
    return any(SECRET.encode()[3:20] in text for text in texts)


async def test_log_memory_and_sink_get_the_same_masked_stream(tmp_path: Path) -> None:
    code = f"import sys; print('key {SECRET}!'); print('err {SECRET}', file=sys.stderr)"
    logs = {"stdout_log": tmp_path / "out.log", "stderr_log": tmp_path / "err.log"}
    ear = Ear()
    end = await run_process(python(code, masker=MASKER, **logs), ear)
    assert end.stdout == logs["stdout_log"].read_bytes() == bytes(ear.said[Stream.STDOUT]) == b"key ***!\n"
    assert end.stderr == logs["stderr_log"].read_bytes() == bytes(ear.said[Stream.STDERR]) == b"err ***\n"
    assert (end.stdout_total, end.stderr_total) == (9, 8)


async def test_a_secret_that_is_printed_byte_by_byte_is_masked_and_the_rest_comes_live() -> None:
    code = (
        "import os, sys, time\n"
        f"os.write(1, b'start ')\nfor byte in b'{SECRET}':\n    os.write(1, bytes([byte]))\n    time.sleep(0.002)\n"
        "os.write(1, b' middle ')\nsys.stdin.buffer.read(1)\ntime.sleep(60)"
    )
    ear = Ear()
    running = asyncio.ensure_future(run_process(python(code, masker=MASKER, stdin=b"", timeout=30), ear))
    heard = await ear.wait_for(b" middle ")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert heard == b"start *** middle "


async def test_what_only_looked_like_a_secret_comes_with_the_end_of_the_stream(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    ear = Ear()
    end = await run_process(python("print('it is sk-te', end='')", masker=MASKER, stdout_log=log), ear)
    assert end.stdout == log.read_bytes() == bytes(ear.said[Stream.STDOUT]) == b"it is sk-te"


async def test_what_was_held_back_reaches_a_sink_that_waits(tmp_path: Path) -> None:
    taken: list[bytes] = []

    async def slow(stream: Stream, data: bytes) -> None:
        await asyncio.sleep(0)
        assert stream is Stream.STDOUT
        assert data, "an empty chunk is none"
        taken.append(data)

    code = f"import os\nfor n in range(300): os.write(1, b'{SECRET}'); os.write(1, b', sk-te')"
    log = tmp_path / "out.log"
    end = await run_process(python(code, masker=MASKER, stdout_log=log), slow)
    assert b"".join(taken) == end.stdout == log.read_bytes() == b"***, sk-te" * 300


@pytest.mark.slow
async def test_a_process_that_is_killed_in_the_middle_of_a_secret_leaves_no_part_worth_having(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    code = f"import os, time; os.write(1, b'x' * 10 + b'\\n'); os.write(1, b'{SECRET[:-2]}'); time.sleep(60)"
    make = python(code, masker=MASKER, stdout_log=log, idle_timeout=2, kill_grace=0)
    end = await run_process(make)
    assert end.ended_by is EndedBy.IDLE_TIMEOUT
    assert end.stdout == log.read_bytes() == b"x" * 10 + b"\n***"


async def test_the_bound_of_a_log_does_not_cut_a_secret_open(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    code = f"print('y' * 90 + '{SECRET}' + 'z' * 100)"
    end = await run_process(python(code, masker=MASKER, stdout_log=log, max_log=100, max_capture=105))
    assert log.read_bytes() == b"y" * 90 + b"***" + b"z" * 7
    assert end.stdout == b"y***" + b"z" * 100 + b"\n"
    assert end.log_dropped == end.stdout_total - 100


@pytest.mark.slow
async def test_output_that_is_held_back_still_counts_as_a_sign_of_life() -> None:
    """Every byte belongs to what may become a secret of a thousand lines, and none is given out before the end."""
    long = "".join(f"{number:04}" for number in range(250))
    code = f"import os, time\nfor at in range(0, 900, 60):\n    os.write(1, b'{long}'[at:at + 60]); time.sleep(0.1)"
    ear = Ear()
    end = await run_process(python(code, masker=Masker([long]), idle_timeout=1.2), ear)
    assert end.ended_by is EndedBy.ITSELF
    assert bytes(ear.said[Stream.STDOUT]) == end.stdout == b"***"


@linux_only
async def test_a_sink_that_fails_still_leaves_no_secret_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "out.log"

    def failing(_: Stream, data: bytes) -> None:
        raise RuntimeError(f"got {len(data)} bytes")

    code = f"import os\nfor n in range(100): os.write(1, b'a {SECRET[:9]}'); os.write(1, b'{SECRET[9:]} b')"
    with pytest.raises(RuntimeError, match="got"):
        await run_process(python(code, masker=MASKER, stdout_log=log), failing)
    assert not leaks(log.read_bytes())


async def test_a_masker_without_secrets_changes_nothing_and_makes_no_file(tmp_path: Path) -> None:
    end = await run_process(python("print('hello')", masker=Masker({})))
    assert end.stdout == b"hello\n"
    await run_process(python("pass", masker=MASKER, stdout_log=tmp_path / "out.log"))
    assert list(tmp_path.iterdir()) == []


def test_a_command_shows_neither_environment_nor_input_when_it_is_printed() -> None:
    shown = repr(Command(("true",), env={"TOKEN": SECRET}, stdin=SECRET.encode(), masker=MASKER))
    assert SECRET not in shown
    assert "true" in shown


@pytest.mark.slow
async def test_five_megabytes_full_of_secrets_are_masked_whole(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    code = f"import sys; sys.stdout.write(('{SECRET}' + 'n' * 17) * 130_000)"
    end = await run_process(python(code, masker=MASKER, stdout_log=log, timeout=60))
    assert end.exit_code == 0
    assert log.read_bytes() == (b"***" + b"n" * 17) * 130_000
