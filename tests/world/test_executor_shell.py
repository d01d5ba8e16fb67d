"""Command lines as agents: how each way to end is told, what is logged and reported, and that nothing stays behind."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import StoreError
from orchestration.executors.shell import ShellExecutor
from orchestration.kinds import Failure
from orchestration.models import Task
from orchestration.results import Outcome
from tests.world.attempts import Ear, function, shell, until_ready, work_for
from tests.world.processes import is_living, linux_only


async def run(folder: Path, line: str, ear: Ear | None = None, **fields: Any) -> Outcome:  # noqa: ANN401  # fields of an attempt
    return await ShellExecutor().execute(work_for(folder, shell(line), **fields), ear or Ear())


def by_output(outcome: Outcome) -> bool:
    """Whether the command came as far as saying something."""
    return bool(outcome.output)


async def test_a_command_that_ends_with_zero_has_succeeded_and_its_output_is_the_task_s(tmp_path: Path) -> None:
    ear = Ear()
    outcome = await run(tmp_path, "echo one; echo two; echo aside >&2", ear)
    assert outcome.succeeded
    assert (outcome.output, outcome.exit_code, outcome.ended_by) == ("one\ntwo", 0, "itself")
    assert (ear.text("stdout"), ear.text("stderr")) == ("one\ntwo\n", "aside\n")
    assert outcome.log_path == str(tmp_path / "attempt")
    assert (tmp_path / "attempt" / "stdout.log").read_text() == "one\ntwo\n"
    assert (tmp_path / "attempt" / "stderr.log").read_text() == "aside\n"
    assert outcome.metadata == {}


async def test_a_command_that_says_nothing_leaves_no_files(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "true")
    assert outcome.succeeded
    assert outcome.log_path is None
    assert not (tmp_path / "attempt").exists()


async def test_the_description_is_the_command_of_an_agent_without_one(tmp_path: Path) -> None:
    work = work_for(tmp_path, shell(), Task(id="T-1", description="echo from the description"))
    assert (await ShellExecutor().execute(work, Ear())).output == "from the description"


@pytest.mark.parametrize(
    ("command", "description"),
    [(None, " \n"), ("", "echo x"), ("  ", ""), (None, "# Build it\n\n  # later\n"), ("# no", "")],
)
async def test_an_agent_with_nothing_to_run_is_misconfigured(
    tmp_path: Path, command: str | None, description: str
) -> None:
    work = work_for(tmp_path, shell(command), Task(id="T-1", description=description))
    outcome = await ShellExecutor().execute(work, Ear())
    assert outcome.failure is Failure.AGENT_MISSING
    assert "the-agent has nothing to run" in (outcome.error or "")


async def test_a_failing_command_is_told_with_its_code_and_its_last_words(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "echo out; echo why >&2; exit 3")
    assert (outcome.failure, outcome.exit_code) == (Failure.EXIT_CODE, 3)
    assert outcome.error == "`echo out; echo why >&2; exit 3` ended with exit code 3:\nwhy"
    assert outcome.output == "out"


async def test_the_last_words_are_from_the_output_where_there_are_no_others(tmp_path: Path) -> None:
    assert (
        await run(tmp_path, "echo only this; exit 1")
    ).error == "`echo only this; exit 1` ended with exit code 1:\nonly this"


async def test_an_error_repeats_only_the_end_of_what_was_said(tmp_path: Path) -> None:
    error = (await run(tmp_path, "seq 100000 >&2; exit 1")).error or ""
    assert error.endswith("\n99999\n100000")
    assert len(error) < 2_200
    assert error.splitlines()[1].isdigit()


async def test_a_command_that_is_not_there_is_told_with_a_remedy(tmp_path: Path) -> None:
    direct = await run(tmp_path, "no-such-program-at-all --flag")
    assert direct.failure is Failure.AGENT_MISSING
    assert "no-such-program-at-all" in (direct.error or "")
    assert "PATH" in (direct.error or "")
    by_shell = await run(tmp_path, "'no-such-program-at-all' --flag")
    assert (by_shell.failure, by_shell.exit_code) == (Failure.EXIT_CODE, 127)
    assert "the shell did not find a command" in (by_shell.error or "")


async def test_a_zero_byte_in_a_command_is_a_failure_and_no_exception(tmp_path: Path) -> None:
    assert (await run(tmp_path, "echo a\0b")).failure is Failure.AGENT_MISSING


async def test_a_folder_that_is_not_there_is_a_failure_and_no_exception(tmp_path: Path) -> None:
    work = work_for(tmp_path, shell("true"))
    work.directory.rmdir()
    outcome = await ShellExecutor().execute(work, Ear())
    assert outcome.failure is Failure.AGENT_MISSING
    assert str(work.directory) in (outcome.error or "")


async def test_a_crash_is_told_apart_from_an_exit(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "kill -SEGV $$")
    assert (outcome.failure, outcome.signal, outcome.exit_code) == (Failure.CRASHED, signal.SIGSEGV, None)
    assert "signal 11 (SIGSEGV)" in (outcome.error or "")


async def test_a_command_sees_its_environment_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_SECRET", "hidden")
    outcome = await run(tmp_path, "env", environment={"GIVEN": "a value; with $(signs)"})
    names = {line.partition("=")[0] for line in outcome.output.splitlines()}
    assert "GIVEN=a value; with $(signs)" in outcome.output
    assert "OUR_SECRET" not in names
    assert names <= {"PATH", "ORCH_ATTEMPT_ID", "ORCH_OUTPUT", "GIVEN", "PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"}


async def test_a_command_is_no_template_and_works_in_the_project(tmp_path: Path) -> None:
    assert (await run(tmp_path, "pwd; echo '{{ task.id }}'")).output == f"{tmp_path / 'project'}\n{{{{ task.id }}}}"


@pytest.mark.slow
async def test_a_timeout_ends_the_command_and_what_it_started(tmp_path: Path) -> None:
    outcome, limit = await until_ready(
        lambda limit: run(tmp_path, "sleep 60 & echo $!; sleep 60", timeout=limit, kill_grace=1.0), by_output
    )
    assert (outcome.failure, outcome.ended_by) == (Failure.TIMEOUT, "timeout")
    assert f"timeout of {limit:g} s" in (outcome.error or "")
    assert not is_living(int(outcome.output))


@pytest.mark.slow
async def test_silence_is_told_apart_from_a_timeout(tmp_path: Path) -> None:
    outcome, limit = await until_ready(
        lambda limit: run(tmp_path, "echo begun; sleep 60", idle_timeout=limit, timeout=50), by_output
    )
    assert (outcome.failure, outcome.ended_by) == (Failure.IDLE_TIMEOUT, "idle_timeout")
    assert f"wrote nothing for {limit:g} s" in (outcome.error or "")
    assert outcome.output == "begun"


@pytest.mark.slow
async def test_a_command_that_ends_well_after_its_timeout_has_timed_out(tmp_path: Path) -> None:
    command = "trap 'exit 0' TERM; echo ready; sleep 60 & wait"
    outcome, _ = await until_ready(lambda limit: run(tmp_path, command, timeout=limit), by_output)
    assert (outcome.failure, outcome.exit_code) == (Failure.TIMEOUT, 0)


async def test_a_cancelled_command_is_dead_before_the_cancellation_gets_out(tmp_path: Path) -> None:
    ear = Ear()
    running = asyncio.create_task(run(tmp_path, "echo $$; sleep 60 & wait", ear, kill_grace=1.0))
    await ear.wait_for("\n")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_living(int(ear.text()))


@linux_only
async def test_what_a_command_leaves_behind_is_ended_and_told(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "sleep 60 & echo $!")
    assert outcome.succeeded
    assert outcome.metadata == {"leftover_processes_ended": 1}
    assert not is_living(int(outcome.output))


@pytest.mark.slow
async def test_output_that_was_cut_is_told(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' 'ä'; echo END")
    assert outcome.succeeded
    assert outcome.output.endswith("END")
    assert outcome.metadata["output_truncated_bytes"] == 3_000_000 + 4 - 1024 * 1024
    assert (tmp_path / "attempt" / "stdout.log").stat().st_size == 3_000_004


async def test_output_that_is_no_utf_8_is_shown_and_kept(tmp_path: Path) -> None:
    ear = Ear()
    outcome = await run(tmp_path, r"printf 'a\377b\303'", ear)
    assert outcome.output == ear.text() == "a\ufffdb\ufffd"
    assert (tmp_path / "attempt" / "stdout.log").read_bytes() == b"a\xffb\xc3"


@pytest.mark.slow
async def test_a_character_in_two_chunks_stays_one(tmp_path: Path) -> None:
    ear = Ear()

    async def hear(item: str, stream: str | None) -> None:
        ear(item, stream)
        await asyncio.sleep(0)

    line = r"printf '\303'; sleep 0.2; printf '\244'"
    outcome = await ShellExecutor().execute(work_for(tmp_path, shell(line)), hear)
    assert outcome.output == ear.text() == "ä"


async def test_a_listener_that_fails_is_no_failure_of_the_command(tmp_path: Path) -> None:
    def fail(_item: str, _stream: str | None) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        await ShellExecutor().execute(work_for(tmp_path, shell("echo x; sleep 60")), fail)


async def test_an_agent_of_another_kind_is_a_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="python agents"):
        await ShellExecutor().execute(work_for(tmp_path, function("m:f")), Ear())
