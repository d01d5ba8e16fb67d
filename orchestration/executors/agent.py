"""`kind: cli` and `kind: scripted`: an agent program, driven and judged by its adapter.

The adapter (pure, declarative) says how the program is started and what its output means; here it is started, heard
and ended. An exit code is never believed alone: the program must have ended by itself and well, its final event must be
there and good, and its own words must not say otherwise; the task's checks come after that.

Edges survived: a program that hangs before its first word, in the middle, or after its last one (there its result
stands); that is a loader of the real one; that leaves children; that writes lines of megabytes; a cancellation in the
middle, where what it used and said so far is kept.
"""

import asyncio
import errno
import os
import signal
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestration.adapters import Adapter, End, Invocation, Launch, Reader
from orchestration.adapters.verdict import HAD_REPORTED
from orchestration.errors import OrchError
from orchestration.executors._clock import with_moment
from orchestration.executors._ending import command_for, facts_of, logs, not_started, sentence, text_of, with_hint
from orchestration.executors._hearing import Hearing
from orchestration.executors._keeping import keep_command, keep_prompt
from orchestration.executors._scripting import as_program
from orchestration.executors._side_files import SideFiles
from orchestration.executors._starting import start_of
from orchestration.executors._supervising import told_by_supervisor, under_supervisor
from orchestration.executors._versions import Versions, path_of, program_of, why_missing
from orchestration.kinds import Failure
from orchestration.models import CliAgent
from orchestration.process import Control, EndedBy, LiveChildren, ProcessEnd, run_process
from orchestration.protocols import Report, Start, Work
from orchestration.results import Outcome

BACKGROUND: Final = (
    "The process that was started ended while others of it went on in the background, and they were ended with it; "
    "an agent program has to stay until its work is done."
)
"""Told of a program that said nothing of its end, and left others behind."""

NO_INTERPRETER: Final = "the program that its first line names is not there"
"""Why a file that is there cannot be started; the system says only that something is missing."""

_SOONER: Final = frozenset({EndedBy.TIMEOUT, EndedBy.IDLE_TIMEOUT})
"""Ends by which a program that has said its last word is only ended a little sooner than by its grace."""


class AgentExecutor:
    """Runs agent programs.

    Args:
        children: the program's book of what lives.
        adapters: the adapter of an agent.
    """

    def __init__(self, *, children: LiveChildren | None = None, adapters: Callable[[CliAgent], Adapter]) -> None:
        """Nothing is started."""
        self._children = children
        self._adapters = adapters
        self._versions = Versions(children)

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Do one attempt; see `protocols.Executor`."""
        try:
            agent = as_program(work)
            adapter = self._adapters(agent)
            launch = _launch(work, agent)
            invocation = adapter.invocation(launch)
        except OrchError as error:
            return Outcome(failure=Failure.AGENT_MISSING, error=with_hint(error.message, error.hint))
        environment = {**work.agent_environment, **invocation.environment}
        name, found = program_of(invocation, environment, work.directory)
        try:
            start = start_of(work, (name, *invocation.argv[1:]), environment)
        except OrchError as error:
            return not_started(error)
        version = None
        if work.rewrite is None:
            version = await self._versions.of(found, invocation, adapter, environment, work.timeout)
        else:  # which version there is elsewhere, and whether there is one, nobody knows here
            found = path_of(start.argv[0], start.environment, start.directory)
        facts = {"adapter": adapter.name, "agent_version": version, "session": invocation.resumed}
        keep_prompt(work)
        keep_command(work, start, **facts)
        if found is None:
            return _missing(start, why_missing(start.argv[0], start.directory), work.backend)
        if invocation.prompt_file is not None:
            _write(*invocation.prompt_file)
        attempt = _Attempt(work, adapter, invocation, agent.model)
        outcome = await attempt.run(start, report, self._children, agent.first_output_timeout)
        told = {name: facts[name] for name in ("adapter", "agent_version") if facts[name]}
        return replace(outcome, metadata={**outcome.metadata, **told})


class _Attempt:
    """One start of the program, from its argv to its outcome."""

    def __init__(self, work: Work, adapter: Adapter, invocation: Invocation, model: str | None) -> None:
        self._work = work
        self._adapter = adapter
        self._invocation = invocation
        self._side_files = SideFiles(work.directory, invocation.side_files)
        totals = work.session.totals if work.session and invocation.resumed else None
        self._reader: Reader = adapter.reader(
            session=invocation.resumed, totals=totals, model=model, assigned=invocation.assigned
        )

    async def run(
        self, start: Start, report: Report, children: LiveChildren | None, first_output: float | None
    ) -> Outcome:
        work, control, form = self._work, Control(), self._adapter.form
        hearing = Hearing(self._reader, work, report, control, form.linger)
        stdout, stderr = logs(work)
        grace = max(work.kill_grace, form.stop.grace or 0.0)
        command = replace(
            command_for(work, start, self._invocation.stdin, stdout, stderr),
            stop_signal=signal.Signals[f"SIG{form.stop.signal}"],
            kill_grace=grace,
        )
        command = under_supervisor(work, command)
        hearing.begin(first_output)
        ended: list[ProcessEnd] = []
        try:
            end = await run_process(command, hearing, children=children, on_end=ended.append, control=control)
            await hearing.finish()
        except OrchError as error:
            return not_started(error)
        except asyncio.CancelledError:
            told_by_supervisor(work.folder)  # nobody needs it any more
            if ended:
                work.keep(await self._judged(ended[0], hearing))
            raise
        finally:
            hearing.close()
        supervision = told_by_supervisor(work.folder)
        if "error" in supervision:
            problem = supervision["error"]
            told = NO_INTERPRETER if problem == os.strerror(errno.ENOENT) else problem
            return _missing(start, told, work.backend)
        end = replace(end, swept=end.swept + int(supervision.get("swept", 0)))
        return await self._judged(end, hearing)

    async def _judged(self, end: ProcessEnd, hearing: Hearing) -> Outcome:
        for path, text in await self._side_files.read():
            self._reader.side_file(path, text)
        ended_by = end.ended_by
        if ended_by in _SOONER and hearing.said_its_last:
            ended_by = EndedBy.LINGERING
        outcome = self._reader.verdict(
            End(
                exit_code=end.exit_code,
                signal=end.signal,
                ended_by=ended_by.value,
                stdout_tail=text_of(end.stdout, end.stdout_total),
                stderr_tail=text_of(end.stderr, end.stderr_total),
            )
        )
        return replace(
            outcome,
            error=_error(outcome, end, ended_by, self._work, self._adapter.name)
            if outcome.failure is not None
            else None,
            exit_code=end.exit_code,
            signal=end.signal,
            ended_by=ended_by.value,
            log_path=str(self._work.folder),
            metadata={**self._with_warnings(with_moment(outcome.metadata, datetime.now(UTC))), **facts_of(end)},
        )

    def _with_warnings(self, facts: dict[str, Any]) -> dict[str, Any]:
        """The facts with what was warned of before the start in front of what was noticed while it ran."""
        warnings = [*self._invocation.warnings, *facts.get("warnings", ())]
        return {**facts, "warnings": warnings} if warnings else facts


def _missing(start: Start, problem: str, backend: str | None) -> Outcome:
    """The outcome where the program cannot be started."""
    hint = "install it, or name it by `program`; `orch agents check` shows what is found"
    hint = hint if backend is None else f"the backend {backend} has it started"
    return Outcome(failure=Failure.AGENT_MISSING, error=f"{start.argv[0]} cannot be started: {problem} ({hint})")


def _error(outcome: Outcome, end: ProcessEnd, ended_by: EndedBy, work: Work, name: str) -> str | None:
    """What went wrong: why we ended it, with what it had reported before; else what its adapter makes of it."""
    error = outcome.error or ""
    if ended_by not in {EndedBy.ITSELF, EndedBy.LINGERING}:
        _, word, reported = error.partition(HAD_REPORTED)
        return with_hint(sentence(end, work, name), f"{word}{reported}" or None)
    if end.swept and outcome.failure is Failure.INVALID_OUTPUT and not outcome.metadata["final_event"]:
        return f"{error}\n{BACKGROUND}"
    return error


def _launch(work: Work, agent: CliAgent) -> Launch:
    own_retries = agent.own_retries if agent.own_retries is not None else agent.account is None
    return Launch(
        prompt=work.prompt,
        workspace=str(work.directory.absolute()),
        folder=str(work.folder.absolute()),
        home=work.environment.get("HOME", ""),
        agent=agent,
        session=work.session.session_id if work.session else None,
        new_session=str(uuid.uuid4()),
        own_retries=own_retries,
    )


def _write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8", errors="replace")
