"""What is really started for an attempt: the executor's own command, or what the attempt's backend makes of it.

Edges survived: a backend that raises, that gives something else than a start, one without a program, or with an
environment that cannot be one, or in which the attempt's marker is missing (it is put back: by it the processes of the
attempt are found).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from orchestration.errors import AgentMissing, OrchError
from orchestration.executors._keeping import keep_command
from orchestration.kinds import Failure
from orchestration.protocols import Rewrite, Start, Work
from orchestration.results import Outcome

MARKER: Final = "ORCH_ATTEMPT_ID"
"""The variable by which everything that belongs to an attempt is found."""


def start_of(work: Work, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Start:
    """What is to be started; `environment` is what the program may see, instead of what the work says.

    Raises:
        AgentMissing: the backend cannot have it started.
    """
    start = Start(tuple(argv), work.directory, work.environment if environment is None else environment)
    return start if work.rewrite is None else _rewritten(work, work.rewrite, start)


def start_kept(work: Work, argv: Sequence[str]) -> Start:
    """The same; what a backend makes of it is kept, because nothing else shows what was run.

    Raises:
        AgentMissing: the backend cannot have it started.
    """
    start = start_of(work, argv)
    if work.rewrite is not None:
        keep_command(work, start)
    return start


def refused(work: Work, what: str) -> Outcome | None:
    """The outcome of work that is to be started elsewhere and cannot be; None for work that is done here."""
    if work.rewrite is None:
        return None
    told = f"{what}, so the backend {work.backend} cannot have it run elsewhere"
    hint = f"to have {work.agent_name} work here, give it `backend: local`"
    return Outcome(failure=Failure.AGENT_MISSING, error=f"{told} ({hint})")


def _rewritten(work: Work, rewrite: Rewrite, start: Start) -> Start:
    try:
        made: Any = rewrite(start)
    except OrchError as error:
        raise AgentMissing(f"the backend {work.backend}: {error.message}", hint=error.hint) from error
    if not isinstance(made, Start) or not _is_command(made.argv):
        raise AgentMissing(f"the backend {work.backend} does not say what is to be started instead of {start.argv[0]}")
    if not _is_environment(made.environment):
        raise AgentMissing(f"the backend {work.backend} gives {start.argv[0]} an environment that is not made of texts")
    marker = {MARKER: start.environment[MARKER]} if MARKER in start.environment else {}
    return replace(made, argv=tuple(made.argv), environment={**made.environment, **marker})


def _is_command(argv: object) -> bool:
    return isinstance(argv, tuple | list) and bool(argv) and _are_texts(argv)


def _is_environment(variables: object) -> bool:
    return isinstance(variables, Mapping) and _are_texts(variables, variables.values())


def _are_texts(*of: Iterable[Any]) -> bool:
    return all(isinstance(one, str) for one in chain(*of))
