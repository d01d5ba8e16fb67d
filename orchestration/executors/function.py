"""`kind: python`: a function, called in a child of its own (from the command line) or in our process (the SDK).

The child is `orchestration.worker.child`. What its function prints becomes the log and the live output, untouched; the
items that it yields and what comes of it travel in between as messages. Success needs both: the message that it
returned, and a process that then ended with exit code 0.

Edges survived: functions that print what looks like a message, that end their process, that crash the interpreter, that
leave processes behind; a child that was ended in the middle of a message; a project with a package named as ours.
"""

import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestration.calls.threads import MAX_THREADS, Threads
from orchestration.errors import OrchError
from orchestration.executors._document import document_bytes, document_of
from orchestration.executors._ending import command_for, logs, not_started, outcome_of
from orchestration.executors._in_process import HostCall
from orchestration.executors._listening import Listening
from orchestration.executors._starting import refused, start_kept
from orchestration.kinds import Failure
from orchestration.models import PythonAgent
from orchestration.process import LiveChildren, run_process
from orchestration.protocols import Report, Work
from orchestration.results import Outcome
from orchestration.worker.frames import BadMessage

PACKAGE: Final = str(Path(__file__).resolve().parents[1])
"""The folder of our package, wherever it is installed."""

START: Final = (
    "import sys; ours = type(sys)('orchestration'); ours.__path__ = [sys.argv[1]]; "
    "sys.modules['orchestration'] = ours; "
    "from orchestration.worker.child import main; main()"
)
"""What the child runs.

Our package is found though its environment is clean, without looking for it, and without what importing it brings; the
search path stays the child's own. `main` takes the name away again.
"""


class FunctionExecutor:
    """Calls the agent's function."""

    def __init__(
        self, *, in_process: bool, children: LiveChildren | None = None, max_threads: int = MAX_THREADS
    ) -> None:
        """Choose where functions run; one that was given as an object, not by name, always runs in this process.

        Args:
            in_process: Whether functions given by name run in this process too.
            children: The program's book of what lives.
            max_threads: Plain functions that run at once in this process, abandoned ones included.
        """
        self._in_process = in_process
        self._children = children
        self._threads = Threads(max_threads)

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Do one attempt; see `protocols.Executor`."""
        if not isinstance(work.agent, PythonAgent):
            raise TypeError(f"{work.agent.kind} agents are done by another executor")
        function = work.agent.function
        if self._in_process or not isinstance(function, str):
            if (refusal := refused(work, "the function is called in this process")) is not None:
                return refusal
            return await HostCall(work, function, self._threads, report).outcome()
        return await self._in_child(work, function, report)

    async def _in_child(self, work: Work, function: str, report: Report) -> Outcome:
        if not sys.executable:
            return Outcome(failure=Failure.AGENT_MISSING, error="this Python does not know where its own program is")
        token = secrets.token_hex(16)
        document = {**document_of(work), "function": function, "token": token}
        argv = (sys.executable, "-P", "-c", START, PACKAGE)
        listening = Listening(token, report, logs(work), work.masker)
        try:
            start = start_kept(work, argv)
            command = replace(command_for(work, start, document_bytes(document), None, None), masker=None)
            end = await run_process(command, listening, children=self._children)
            await listening.finish()
        except OrchError as error:
            return not_started(error)
        except BadMessage as error:
            return Outcome(failure=Failure.INVALID_OUTPUT, error=f"{function}: {error}")
        finally:
            listening.close()
        return listening.judged(function, outcome_of(listening.printed(end), work, function))
