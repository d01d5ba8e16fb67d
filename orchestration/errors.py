"""Every error raised on purpose, each with its exit code and, where there is one, the remedy.

A failing agent is a value (`results.Outcome`); what stands here is a broken input, a broken machine or a broken rule
of ours, and it always propagates. Two families:

- `OrchError` and its children are meant for people: `message` names the place, `hint` the remedy, `exit_code` is what
  the command line ends with.
- `IllegalEvent` says that our own code broke the plan's table; nobody should ever see it.

Many things can be wrong at once with a backlog, so `InvalidProject` carries a list of `Problem`, never only the first.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from orchestration.records import dataclass

MOST_NOTES: Final = 20
"""So many problems are shown below a traceback; all of them are in `problems`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with what the user wrote: where, what, and what to do about it."""

    message: str
    file: str | None = None
    line: int | None = None
    hint: str | None = None
    about: str | None = None
    """The id of what is wrong, for whoever knows where that is written."""

    @property
    def place(self) -> str:
        """The place as `file:line`, `file`, or nothing."""
        if self.file is None:
            return ""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        """One line for a terminal: place, message and hint."""
        text = f"{self.place}: {self.message}" if self.file else self.message
        return f"{text} ({self.hint})" if self.hint else text

    def to_dict(self) -> dict[str, str | int | None]:
        """The problem as JSON for the error envelope."""
        return {"message": self.message, "file": self.file, "line": self.line, "hint": self.hint}


class OrchError(Exception):
    """Something that a person can understand and mend.

    Attributes:
        code: a stable word for programs, such as `unknown_task`.
        exit_code: what the command line exits with.
        message: what is wrong, naming the place.
        hint: what to do, if we know.
        problems: all single problems, when several were found at once.
        facts: what a program is told beside, by name.
    """

    code = "error"
    exit_code = 1
    facts: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        file: str | Path | None = None,
        line: int | None = None,
        problems: Iterable[Problem] = (),
    ) -> None:
        """Keep the facts apart from the text, so that `--json` can show them apart."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = None if file is None else str(file)
        self.line = line
        self.problems = tuple(problems)
        for note in self._notes():
            self.add_note(note)

    def __str__(self) -> str:
        """The message with its place, without the hint."""
        return str(Problem(self.message, self.file, self.line))

    def _notes(self) -> list[str]:
        """What a traceback shows below the message: what to do, or all that was found."""
        if len(self.problems) > 1:
            told = [str(problem) for problem in self.problems[:MOST_NOTES]]
            more = len(self.problems) - len(told)
            return [*told, f"and {more} more"] if more else told
        return [self.hint] if self.hint else []

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes as it is, whatever the class takes to make one."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[OrchError], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> OrchError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


class UsageError(OrchError):
    """The caller asked for something that makes no sense: flags that exclude each other, a number out of range."""

    code = "usage"
    exit_code = 2


class NoProject(OrchError):
    """No project root was found upward of the folder, or the named one is no folder."""

    code = "no_project"
    exit_code = 2


class InvalidProject(OrchError):
    """The task files or `orchestration.yaml` are wrong; `problems` lists everything that was found."""

    code = "invalid_project"
    exit_code = 2


class UnknownTask(OrchError):
    """The caller named a task that the backlog does not have."""

    code = "unknown_task"
    exit_code = 2


class UnknownAgent(OrchError):
    """The caller named an agent that the registry does not have, or one that is disabled."""

    code = "unknown_agent"
    exit_code = 2


class UnknownBackend(OrchError):
    """The caller, or the settings, named a backend that neither we nor an installed package has."""

    code = "unknown_backend"
    exit_code = 2


class UnknownRun(OrchError):
    """The caller named a run that the store does not have."""

    code = "unknown_run"
    exit_code = 2


class GraphError(OrchError):
    """The tasks do not form a graph that can be run: a cycle, a missing dependency, an id given twice."""

    code = "graph"
    exit_code = 2


class UnmetDependencies(OrchError):
    """A single task was to be run while tasks that it depends on are not done.

    Attributes:
        task_id: the task that was asked for.
        unmet: the ids that are not done, with their state, in declaration order.
    """

    code = "unmet_dependencies"
    exit_code = 2

    def __init__(self, task_id: str, unmet: dict[str, str]) -> None:
        """Name each dependency with the state that it is in."""
        self.task_id = task_id
        self.unmet = unmet
        listed = ", ".join(f"{name} ({state})" for name, state in unmet.items())
        super().__init__(
            f"{task_id} depends on tasks that are not done: {listed}",
            hint="run them first, or add --with-dependencies (with_dependencies=True in Python)",
            problems=[Problem(f"{name} is {state}") for name, state in unmet.items()],
        )


class GraphChanged(OrchError):
    """An open run was to be continued, but tasks, edges or kinds are not what they were when it started."""

    code = "graph_changed"
    exit_code = 2


class WrongState(OrchError):
    """A command does not fit the state that the task or run is in, such as completing a task nobody waits for."""

    code = "wrong_state"
    exit_code = 2


class ChecksFailed(OrchError):
    """A person said that a task is done, and its checks did not pass; it still needs input."""

    code = "checks_failed"


class AgentMissing(OrchError):
    """The program of an agent is not installed or cannot be executed."""

    code = "agent_missing"
    exit_code = 127


class AdapterError(OrchError):
    """The description of an agent program is wrong; `problems` lists everything that was found.

    Attributes:
        paths: for each of the problems, the keys and list positions that lead to the field that it is about.
    """

    code = "adapter"
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        problems: Iterable[Problem] = (),
        paths: Iterable[tuple[str | int, ...]] = (),
    ) -> None:
        """Keep the places, so that whoever read a file can tell the lines."""
        super().__init__(message, hint=hint, problems=problems)
        self.paths = tuple(paths)


class LaunchError(OrchError):
    """An agent program cannot be started as asked: too long a prompt, an option or permission that it does not know."""

    code = "launch"
    exit_code = 2


class SecretMissing(OrchError):
    """A named secret cannot be had where its source says; neither the message nor anything else holds its value.

    Attributes:
        name: the secret.
    """

    code = "secret_missing"
    exit_code = 2

    def __init__(self, name: str, what: str, *, hint: str | None = None) -> None:
        """`what` goes on after the name, and says which source has which fault."""
        self.name = name
        super().__init__(f"the secret {name} is missing: {what}", hint=hint)


class TemplateError(OrchError):
    """A template or condition in a task cannot be evaluated: bad syntax, an unknown name, a forbidden attribute."""

    code = "template"
    exit_code = 2


class NoThread(OrchError):
    """The system had no room for the thread in which a plain function was to be called; it was not."""

    code = "no_thread"


class RunOwned(OrchError):
    """Another live process owns the run."""

    code = "run_owned"
    exit_code = 2


class OwnerStopped(OrchError):
    """Something was asked of a run whose owner is a stopped process (Ctrl-Z, a debugger), which cannot answer."""

    code = "owner_stopped"

    def __init__(self, run_id: str, pid: int) -> None:
        """Name it, and both ways out."""
        super().__init__(
            f"run {run_id} belongs to process {pid}, which is stopped: the request stands, and nothing came of it yet",
            hint=f"let it go on with `kill -CONT {pid}`, or end it with `kill -KILL {pid}` and ask again",
        )


class StillAlive(OrchError):
    """Processes that a run left when `orch` was killed cannot be ended, so nothing of it may begin anew.

    Attributes:
        pids: those processes.
    """

    code = "still_alive"

    def __init__(self, run_id: str, pids: Iterable[int]) -> None:
        """Name them."""
        self.pids = tuple(pids)
        listed = ", ".join(map(str, self.pids))
        super().__init__(
            f"what run {run_id} left running cannot be ended: {listed}",
            hint="end these processes, then give the same command again",
        )


class StoreError(OrchError):
    """The state could not be read or written: full disk, read-only folder, damaged or newer file, lock not given."""

    code = "store"
    exit_code = 1


class NewerStore(StoreError):
    """The state file was written by a newer version; it was left untouched."""

    code = "newer_store"
    exit_code = 2


class Interrupted(OrchError):
    """A signal ended a command before it had a result.

    Args:
        number: of the signal.
    """

    code = "interrupted"
    exit_code = 130

    def __init__(self, number: int) -> None:
        super().__init__(
            f"signal {number} ended the command before it had a result", hint="give the same command again"
        )
        self.exit_code = 128 + number


class OutcomeTaken(StoreError):
    """A late writer tried to record a second outcome for one attempt, or reused a number; nothing was written."""

    code = "outcome_taken"


class RequestRefused(OrchError):
    """The server refused what it was sent: by its Host, Origin, token, size or address, or because it is ending.

    Attributes:
        status: the status of the answer, as HTTP has it.
    """

    code = "refused"
    exit_code = 2

    def __init__(self, status: int, message: str, *, hint: str | None = None) -> None:
        """Say what was refused, and why."""
        self.status = status
        super().__init__(message, hint=hint)


class LoopIsRunning(OrchError):
    """A synchronous door was called from inside a running event loop; the message says what to await instead."""

    code = "loop_is_running"
    exit_code = 2


class IllegalEvent(Exception):
    """Our own code offered the plan an event that its table refuses; the plan is unchanged."""
