"""One look at everything, in the order in which one would act on it."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from orchestration.doctor.database import look_at_database
from orchestration.doctor.findings import Finding, Level
from orchestration.doctor.leftovers import End, look_at_leftovers
from orchestration.doctor.machine import look_at_machine
from orchestration.errors import OrchError
from orchestration.records import dataclass
from orchestration.store.files import StateFiles


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Attributes:
        folder: the state folder.
        findings: in the order of looking.
    """

    folder: Path
    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        """Whether no problem remains."""
        return not self.problems

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What is wrong and was not mended."""
        return tuple(finding for finding in self.findings if finding.level is Level.PROBLEM)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "well": self.is_well,
            "folder": str(self.folder),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def examine(folder: Path, end: End | None = None) -> Report:
    """Look a state folder over, which need not exist.

    Args:
        folder: the state folder, `.orchestration` in a project.
        end: how the processes of a dead run are ended; with it, whatever is safe to mend is mended.
    """
    files = StateFiles(folder)
    about_database, known = look_at_database(files)
    findings = [*about_database]
    if folder.is_dir():
        findings += _guarded("leftovers", lambda: look_at_leftovers(files, known, end))
    elif os.path.lexists(folder):
        findings = [
            Finding("state folder", Level.PROBLEM, f"{folder} is no folder, so nothing can run", "move it away")
        ]
    findings += _guarded("machine", lambda: look_at_machine(files))
    return Report(folder, tuple(findings))


def _guarded(check: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a look finds; an error on the way is a finding too, because the other looks still count."""
    found: list[Finding] = []
    try:
        found += look()
    except OrchError as error:
        found.append(Finding(check, Level.PROBLEM, str(error), error.hint))
    except OSError as error:
        found.append(Finding(check, Level.PROBLEM, f"it cannot be looked at: {error}"))
    return found
