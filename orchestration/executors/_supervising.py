"""Programs of attempts under a supervisor, out of whose sight nothing gets that they start.

Edges survived: a program that cannot be started (the supervisor says so, and not its exit code), an attempt without a
folder yet (it is made for the supervisor's report, and taken away again if nothing else came to be in it), a supervisor
that could say nothing.
"""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestration.process import Command
from orchestration.protocols import Work
from orchestration.supervisor import supervised

SUPERVISED: Final = "supervisor.json"
"""Where the supervisor of an attempt says what it did, until that was read."""


def under_supervisor(work: Work, command: Command) -> Command:
    """The same command, supervised."""
    work.folder.mkdir(parents=True, exist_ok=True)
    report = str((work.folder / SUPERVISED).absolute())
    argv = supervised(command.argv, grace=command.kill_grace, report=report)
    return replace(command, argv=argv, supervised=True)


def told_by_supervisor(folder: Path) -> dict[str, Any]:
    """What the supervisor said, which is not kept; nothing where it could say nothing."""
    data: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        report = folder / SUPERVISED
        data = json.loads(report.read_text(encoding="utf-8"))
        report.unlink()
        folder.rmdir()  # which it refuses where the attempt has left something
    return data
