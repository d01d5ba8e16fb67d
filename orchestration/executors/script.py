"""`kind: script`: any executable that speaks the JSON protocol of `docs/script-agents.md`.

The task goes in as JSON on stdin; out come progress on stderr, a report or plain text on stdout, and an exit code. The
exit code and the report must both say success: a script that reports a failure and exits with 0 has failed, and so has
one that reports success and exits with 1.
"""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestration.executors._document import document_bytes, document_of
from orchestration.executors._ending import outcome_of, run_program, text_of, with_hint
from orchestration.executors._report import BadReport, ScriptReport, read_report
from orchestration.kinds import Failure
from orchestration.models import ScriptAgent
from orchestration.process import LiveChildren, ProcessEnd
from orchestration.protocols import Report, Work
from orchestration.results import Outcome

MEANINGS: Final = {2: "it says that it is misconfigured", 3: "it says that the task makes no sense to it"}
"""Exit codes of the protocol that mean more than a failure."""


class ScriptExecutor:
    """Runs the agent's command with the task on its stdin, and believes its report as far as its exit code agrees."""

    def __init__(self, *, children: LiveChildren | None = None, supervised: bool = False) -> None:
        """`children` is the program's book of what lives; `supervised` programs have a supervisor each."""
        self._children = children
        self._supervised = supervised

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Do one attempt; see `protocols.Executor`."""
        if not isinstance(work.agent, ScriptAgent):
            raise TypeError(f"{work.agent.kind} agents are done by another executor")
        try:
            argv = _argv(work.agent.command, work.directory)
        except ValueError as error:
            wrong = f"the command of agent {work.agent_name} cannot be split into words: {error}"
            return Outcome(failure=Failure.AGENT_MISSING, error=wrong)
        stdin = document_bytes(document_of(work))
        end = await run_program(work, argv, report, self._children, stdin, supervised=self._supervised)
        if isinstance(end, Outcome):
            return end
        return _judged(end, outcome_of(end, work, shlex.join(argv), MEANINGS.get(end.exit_code or 0)))


def _argv(command: tuple[str, ...], directory: Path) -> tuple[str, ...]:
    """The words of a command: as listed; one text with blanks is split, unless there is a file of that very name."""
    if len(command) == 1 and len(command[0].split()) != 1 and not (directory / command[0]).exists():
        words = tuple(shlex.split(command[0]))
        if not words:
            raise ValueError("it is empty")
        return words
    return command


def _judged(end: ProcessEnd, outcome: Outcome) -> Outcome:
    """Put the report beside the end of the process; the worse of the two counts."""
    try:
        said = read_report(text_of(end.stdout, end.stdout_total), cut=end.stdout_total > len(end.stdout))
    except BadReport as error:
        if outcome.failure is not None:  # how it ended says more than a report that it did not finish
            return replace(outcome, metadata={**outcome.metadata, "report_error": str(error)})
        return replace(outcome, failure=Failure.INVALID_OUTPUT, error=str(error))
    return outcome if said is None else _with_report(outcome, said)


def _with_report(outcome: Outcome, said: ScriptReport) -> Outcome:
    failure, error = _verdict(outcome, said)
    return replace(
        outcome,
        failure=failure,
        error=error,
        output=said.output,
        outputs=said.outputs,
        claim=said.status,
        usage=said.usage,
        metadata={**outcome.metadata, **_facts(said)},
    )


def _verdict(outcome: Outcome, said: ScriptReport) -> tuple[Failure | None, str | None]:
    ended = outcome.failure
    if ended is None:
        return (
            said.failure,
            None if said.failure is None else said.error or f"it reported {said.status or said.failure}",
        )
    if ended is not Failure.EXIT_CODE:  # we ended it, or it crashed: whatever it said before is not the reason
        return ended, with_hint(outcome.error or "", f"it reported {said.error}" if said.error else None)
    if said.failure is None:
        return ended, f"it reported {said.status or 'no failure'}, but {outcome.error}"
    return said.failure, said.error or outcome.error


def _facts(said: ScriptReport) -> dict[str, Any]:
    facts = {"model": said.model, "warning": said.error if said.claims_success else None, "report": dict(said.others)}
    return {name: fact for name, fact in facts.items() if fact}
