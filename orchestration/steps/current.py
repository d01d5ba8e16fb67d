"""Which step is running here: known to the function of a step, and to all that it calls, by a context variable."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any, TypeAlias

from orchestration.calls import Beside, printed_into
from orchestration.records import dataclass


@dataclass(frozen=True, slots=True)
class CurrentStep:
    """A step that runs.

    Attributes:
        run_id: its run.
        path: its path in it.
        attempt: the number of its attempt.
        parameters: what the run was given.
        directory: where it works: the pipeline's directory, into which `catalog` brings files. (Functions of several
            steps share one process, so none of them must change its current folder.)
        secrets: the secrets that the step names, by name.
        logs: the folder in which the logs of all runs are, None where none are kept.
    """

    run_id: str
    path: str
    attempt: int
    parameters: Mapping[str, Any] = field(repr=False)
    directory: Path = field(default_factory=Path, repr=False, compare=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    logs: Path | None = field(default=None, repr=False, compare=False)

    @property
    def log_path(self) -> Path | None:
        """The folder of this attempt's log; it is there from the first line of the log on."""
        return None if self.logs is None else self.logs / self.run_id / self.path / str(self.attempt)


@dataclass(frozen=True, slots=True)
class Setting:
    """What all steps of a run have in common; see `CurrentStep`."""

    run_id: str
    parameters: Mapping[str, Any]
    directory: Path
    logs: Path | None


Situation: TypeAlias = tuple[Setting, str, int, Mapping[str, str]]
"""What a step is told of when it asks: the setting, its path, the number of its attempt, its secrets."""


def current_step() -> CurrentStep | None:
    """The step that the caller is a part of; None outside of steps."""
    here = printed_into.get()
    found: Situation | None = None if here is None else here.situation
    if found is None:
        return None
    setting, path, attempt, secrets = found
    return CurrentStep(setting.run_id, path, attempt, setting.parameters, setting.directory, secrets, setting.logs)


@contextmanager
def within(situation: Situation) -> Iterator[None]:
    """Say which step runs, where nothing that is printed is kept for it."""
    entered = printed_into.set(Beside(printed_into.get(), situation))
    try:
        yield
    finally:
        printed_into.reset(entered)
