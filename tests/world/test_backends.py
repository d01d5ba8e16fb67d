"""Commands that a backend has run by another program: all that is promised of commands goes on; nothing is ignored."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestration.backends import Elsewhere
from orchestration.errors import UnknownBackend, UsageError
from orchestration.executor import Surroundings, TaskExecutor
from orchestration.executors.agent import AgentExecutor
from orchestration.executors.function import FunctionExecutor
from orchestration.executors.plugin import PluginExecutor
from orchestration.executors.script import ScriptExecutor
from orchestration.executors.shell import ShellExecutor
from orchestration.kinds import Failure
from orchestration.masking import Masker
from orchestration.models import Agent, CliAgent, PluginAgent, ScriptedAgent, Settings, Task
from orchestration.protocols import Backend, Executor, Report, Start, Work
from orchestration.results import Outcome
from tests.crash.sudden import has_lines, wait_until
from tests.world.attempts import Ear, function, script, shell, work_for
from tests.world.processes import is_living, linux_only
from tests.world.wrapped import ABOVE, Above, By, on


def command_of(folder: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((folder / "attempt" / "command.json").read_text())
    return kept


async def run(folder: Path, line: str, backend: Backend | None = None, **fields: Any) -> Outcome:  # noqa: ANN401  # of an attempt
    return await on(backend or Above()).execute(work_for(folder, shell(line), **fields), Ear())


def agents(folder: Path) -> AgentExecutor:
    return AgentExecutor(adapters=Surroundings(folder, Settings()).adapter_for)


async def test_a_wrapped_command_is_told_as_any_other_with_its_backend(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "echo out; echo $ORCH_ATTEMPT_ID")
    assert outcome.succeeded
    assert outcome.output.startswith("out\ntest-")
    assert outcome.metadata == {"backend": "box:1"}
    assert (tmp_path / "attempt" / "stderr.log").read_text() == "wrapped\n"
    kept = command_of(tmp_path)
    assert kept["argv"] == [*ABOVE, "sh", "-c", "echo out; echo $ORCH_ATTEMPT_ID"]
    assert (kept["backend"], kept["cwd"]) == ("box:1", str(tmp_path / "project"))
    assert "ORCH_ATTEMPT_ID" in kept["environment"]


async def test_its_exit_code_and_its_signal_are_its_own(tmp_path: Path) -> None:
    failed = await run(tmp_path, "exit 7")
    assert (failed.failure, failed.exit_code, failed.metadata) == (Failure.EXIT_CODE, 7, {"backend": "box:1"})


async def test_without_a_backend_nothing_is_kept_of_a_cheap_command(tmp_path: Path) -> None:
    outcome = await ShellExecutor().execute(work_for(tmp_path, shell("true")), Ear())
    assert (outcome.metadata, (tmp_path / "attempt").exists()) == ({}, False)


async def test_a_script_gets_its_task_and_is_believed_through_the_backend(tmp_path: Path) -> None:
    work = work_for(tmp_path, script("sh", "-c", """read task; echo '{"status": "failed", "error": "no"}'"""))
    outcome = await on(Above(), ScriptExecutor()).execute(work, Ear())
    assert (outcome.failure, outcome.error) == (Failure.EXIT_CODE, "no")


async def test_a_function_in_a_child_passes_on_what_it_returns(tmp_path: Path) -> None:
    work = work_for(tmp_path, function("os:getcwd"))
    outcome = await on(Above(), FunctionExecutor(in_process=False)).execute(work, Ear())
    assert outcome.output == str(tmp_path / "project"), outcome.error
    assert command_of(tmp_path)["argv"][: len(ABOVE)] == [*ABOVE]


async def test_an_agent_program_runs_under_the_backend_and_that_under_the_supervisor(tmp_path: Path) -> None:
    work = work_for(tmp_path, ScriptedAgent(script=("final",)))
    outcome = await on(Above(), agents(tmp_path)).execute(work, Ear())
    assert outcome.succeeded, outcome.error
    assert outcome.metadata["backend"] == "box:1"
    assert "agent_version" not in outcome.metadata
    kept = command_of(tmp_path)
    assert kept["argv"][: len(ABOVE)] == [*ABOVE]
    assert (kept["backend"], kept["adapter"]) == ("box:1", "scripted")
    assert not (tmp_path / "attempt" / "supervisor.json").exists()


async def test_an_agent_program_need_not_be_installed_here(tmp_path: Path) -> None:
    named = CliAgent(preset="codex", program=("nowhere-but-elsewhere",))
    there = By(lambda start: replace(start, argv=("echo", *start.argv)))
    outcome = await on(there, agents(tmp_path)).execute(work_for(tmp_path, named), Ear())
    assert outcome.failure is Failure.INVALID_OUTPUT
    assert "nowhere-but-elsewhere" in (tmp_path / "attempt" / "stdout.log").read_text()
    no_ssh = By(lambda start: replace(start, argv=("no-such-ssh", *start.argv)))
    outcome = await on(no_ssh, agents(tmp_path)).execute(work_for(tmp_path, named), Ear())
    assert outcome.failure is Failure.AGENT_MISSING
    assert outcome.error == "no-such-ssh cannot be started: it is not on PATH (the backend box:1 has it started)"


# -- ends -------------------------------------------------------------------------------------------------------------

TREE = "echo $$; (setsid sh -c 'echo $$; sleep 60' &); sleep 60"


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "failure"),
    [
        ({"timeout": 0.5}, Failure.TIMEOUT),
        ({"idle_timeout": 0.5}, Failure.IDLE_TIMEOUT),
    ],
)
async def test_a_limit_ends_the_whole_tree_below_the_backend(
    tmp_path: Path, limits: dict[str, Any], failure: Failure
) -> None:
    outcome = await run(tmp_path, TREE, kill_grace=0.2, **limits)
    assert (outcome.failure, outcome.metadata["backend"]) == (failure, "box:1")
    pids = [int(line) for line in (tmp_path / "attempt" / "stdout.log").read_text().split()]
    assert pids
    assert not any(is_living(pid) for pid in pids)


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shell", "agent"])
async def test_a_cancelled_attempt_leaves_nothing_also_what_is_deaf_to_term(tmp_path: Path, kind: str) -> None:
    line = f"trap '' TERM; {TREE}; sleep 60"
    here: Executor = ShellExecutor()
    agent: Any = shell(line)
    if kind == "agent":
        here, agent = agents(tmp_path), CliAgent(preset="codex", program=("sh", "-c", line, "sh"))
    kept: list[Outcome] = []
    ear, work = Ear(), work_for(tmp_path, agent, kill_grace=0.3, keep=kept.append)
    attempt = asyncio.create_task(on(Above(), here).execute(work, ear))
    log = tmp_path / "attempt" / "stdout.log"
    await asyncio.to_thread(wait_until, has_lines(log, 2), "it did not begin")
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    pids = [int(line) for line in log.read_text().split()]
    assert not any(is_living(pid) for pid in pids)
    assert all(outcome.metadata["backend"] == "box:1" for outcome in kept)
    assert bool(kept) is (kind == "agent")


async def test_secrets_are_masked_in_what_it_writes_and_in_what_is_kept(tmp_path: Path) -> None:
    shown = By(lambda start: replace(start, argv=("sh", "-c", "echo hunter2-and-more; true", *start.argv)))
    await run(tmp_path, "true", shown, masker=Masker({"KEY": "hunter2-and-more"}))
    texts = [path.read_text() for path in (tmp_path / "attempt").iterdir()]
    assert len(texts) == 2
    assert not any("hunter2" in text for text in texts)


# -- what a backend may say -------------------------------------------------------------------------------------------


async def test_folder_and_environment_may_be_others_and_the_marker_comes_back(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = {"PATH": os.environ["PATH"]}
    moved = By(lambda start: Start(start.argv, tmp_path / "other", {**path, "ONLY": "this"}))
    outcome = await run(tmp_path, "pwd; echo $ONLY; echo ${ORCH_OUTPUT-none}; echo ${ORCH_ATTEMPT_ID%%-*}", moved)
    assert outcome.output.splitlines() == [str(tmp_path / "other"), "this", "none", "test"]
    assert command_of(tmp_path)["environment"] == ["ONLY", "ORCH_ATTEMPT_ID", "PATH"]


def _raises(error: Exception) -> Callable[[Start], Start]:
    def rewrite(_: Start) -> Start:
        raise error

    return rewrite


@pytest.mark.parametrize(
    ("rewrite", "error"),
    [
        (lambda _: None, "the backend box:1 does not say what is to be started instead of sleep"),
        (lambda start: replace(start, argv=()), "does not say what is to be started"),
        (lambda start: replace(start, argv=("nice", 10)), "does not say what is to be started"),
        (lambda start: replace(start, argv="nice sleep"), "does not say what is to be started"),
        (lambda start: replace(start, environment=None), "an environment that is not made of texts"),
        (lambda start: replace(start, environment={"NICE": 10}), "an environment that is not made of texts"),
        (lambda start: replace(start, argv=("no-such-wrapper",)), "there is no program no-such-wrapper"),
        (lambda start: replace(start, directory=Path("/no/such/folder")), "cannot work in the folder"),
        (_raises(UsageError("not today", hint="tomorrow")), "the backend box:1: not today (tomorrow)"),
    ],
)
@pytest.mark.parametrize("kind", ["shell", "script", "python", "agent"])
async def test_a_backend_that_cannot_start_it_fails_the_attempt(
    tmp_path: Path, kind: str, rewrite: Callable[[Start], Any], error: str
) -> None:
    pairs: dict[str, tuple[Any, Executor]] = {
        "shell": (shell("sleep 0"), ShellExecutor()),
        "script": (script("sleep", "0"), ScriptExecutor()),
        "python": (function("os:getpid"), FunctionExecutor(in_process=False)),
        "agent": (CliAgent(preset="codex", program=("sleep", "0")), agents(tmp_path)),
    }
    agent, here = pairs[kind]
    outcome = await on(By(rewrite), here).execute(work_for(tmp_path, agent), Ear())
    told = outcome.error or ""
    assert outcome.failure is Failure.AGENT_MISSING, told
    if kind == "shell":
        assert error in told


async def test_a_fault_of_the_backend_is_no_outcome(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="oh"):
        await run(tmp_path, "true", By(_raises(KeyError("oh"))))


@pytest.mark.parametrize(
    ("agent", "here", "why"),
    [
        (function(len), FunctionExecutor(in_process=False), "called in this process"),
        (function("os:getpid"), FunctionExecutor(in_process=True), "called in this process"),
        (PluginAgent(plugin="shout"), PluginExecutor(), "the plug-in shout starts what it needs itself"),
    ],
)
async def test_what_cannot_be_moved_is_refused_and_not_done_here(
    tmp_path: Path, agent: Agent, here: Executor, why: str
) -> None:
    outcome = await on(Above(), here).execute(work_for(tmp_path, agent), Ear())
    assert outcome.failure is Failure.AGENT_MISSING
    assert why in (outcome.error or "")
    assert "`backend: local`" in (outcome.error or "")


class Queue:
    """A backend that does attempts in its own way."""

    async def execute(self, work: Work, report: Report, here: Executor) -> Outcome:
        """Done, by nobody of ours."""
        del here
        report("queued", None)
        return Outcome(output=f"{work.task.id} on {work.backend}", outputs={"job": 7}, metadata={"host": "n1"})


@pytest.mark.parametrize("agent", [function(len), PluginAgent(plugin="shout"), shell("exit 1")])
async def test_a_backend_may_do_attempts_of_any_kind_in_its_own_way(tmp_path: Path, agent: Agent) -> None:
    ear = Ear()
    outcome = await on(Queue()).execute(work_for(tmp_path, agent), ear)
    assert (outcome.output, outcome.outputs, ear.items) == ("T-1 on box:1", {"job": 7}, ["queued"])
    assert outcome.metadata == {"host": "n1", "backend": "box:1"}


class Odd:
    """As somebody's plug-in might be."""

    async def execute(self, *_: object) -> Outcome:
        """Give nonsense."""
        return "done"  # type: ignore[return-value]  # that is the point


class Rebooted:
    """One that takes its own end for ours."""

    async def execute(self, *_: object) -> Outcome:
        """Say so."""
        return Outcome(failure=Failure.INTERRUPTED, error="n1 was rebooted", output="half")


async def test_that_an_attempt_was_interrupted_is_not_for_a_backend_to_say(tmp_path: Path) -> None:
    outcome = await on(Rebooted()).execute(work_for(tmp_path, shell("true")), Ear())
    assert (outcome.failure, outcome.output) == (Failure.INVALID_OUTPUT, "half")
    assert outcome.error == "the backend box:1 says `interrupted`, which only orch can know: n1 was rebooted"


async def test_what_returns_no_outcome_or_is_not_there_fails_the_attempt(tmp_path: Path) -> None:
    def lost(_: str) -> Backend:
        raise UnknownBackend("there is no backend 'box:1'", hint="install it")

    odd = await on(Odd()).execute(work_for(tmp_path, shell("true")), Ear())
    assert (odd.failure, odd.error) == (Failure.INVALID_OUTPUT, "the backend box:1 returned a str, no Outcome")
    gone = await Elsewhere("box:1", lost, ShellExecutor()).execute(work_for(tmp_path, shell("true")), Ear())
    assert gone.failure is Failure.AGENT_MISSING
    assert gone.error == "there is no backend 'box:1' (install it)"


async def test_tasks_without_a_project_are_told_of_an_unknown_one_by_their_result(tmp_path: Path) -> None:
    task = Task(id="A", agent="shell", description="echo ran")
    result = await TaskExecutor(directory=tmp_path, backend="no-such").execute(task)
    assert (result.failure, result.output) == (Failure.AGENT_MISSING, "")
    assert "there is no backend 'no-such'" in (result.error or "")
    here = await TaskExecutor(directory=tmp_path, settings=Settings(backend="no-such"), backend="local").execute(task)
    assert (here.output, here.metadata) == ("ran", {})
