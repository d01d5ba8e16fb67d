"""`kind: shell`: a command line, run directly where no shell is needed, else by `sh -c`.

Values reach it by its environment (`ORCH_*`), never by being pasted into the line. Success is exit code 0; what it
writes to its output is the task's output.
"""

from typing import Final

from orchestration.executors._ending import outcome_of, run_program
from orchestration.kinds import Failure
from orchestration.models import ShellAgent, runs_nothing
from orchestration.process import LiveChildren
from orchestration.process.command_line import command_line
from orchestration.protocols import Report, Work
from orchestration.results import Outcome

SAID_BY_SHELLS: Final = {
    126: "the shell could not execute a command",
    127: "the shell did not find a command",
}
"""Exit codes that a shell itself gives."""


class ShellExecutor:
    """Runs the agent's command, or the task's description where the agent has none."""

    def __init__(self, *, children: LiveChildren | None = None, supervised: bool = False) -> None:
        """`children` is the program's book of what lives; `supervised` programs have a supervisor each."""
        self._children = children
        self._supervised = supervised

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Do one attempt; see `protocols.Executor`."""
        line = _line(work)
        if runs_nothing(line):
            return Outcome(failure=Failure.AGENT_MISSING, error=_nothing_to_run(work))
        if "\0" in line:
            return Outcome(failure=Failure.AGENT_MISSING, error="a command line cannot hold a zero byte")
        argv = command_line(line)
        end = await run_program(work, argv, report, self._children, supervised=self._supervised)
        if isinstance(end, Outcome):
            return end
        said = SAID_BY_SHELLS.get(end.exit_code or 0) if argv[0] == "sh" else None
        return outcome_of(end, work, line.strip(), said)


def _line(work: Work) -> str:
    agent = work.agent
    if not isinstance(agent, ShellAgent):
        raise TypeError(f"{agent.kind} agents are done by another executor")
    return work.task.description if agent.command is None else agent.command


def _nothing_to_run(work: Work) -> str:
    return (
        f"agent {work.agent_name} has nothing to run: it has no command, and the description of {work.task.id} has none"
        " (write the command as the task's description, or give the agent one)"
    )
