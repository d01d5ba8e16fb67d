"""`doctor`, `backup`, `restore`: whether the state is whole, and copies of it.

None of them reads settings or tasks, so all work in a project whose files are broken.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.exit_codes import FAILED, SUCCESS
from cli.render.clean import clean_line
from cli.render.tables import Cell, table
from cli.render.words import count
from cli.session import Session, say, session_of

if TYPE_CHECKING:
    from orchestration.doctor import Report

Fix = Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend, and say what was done.")]
Target = Annotated[
    str | None, typer.Argument(metavar="[FILE]", help="Where to; must not exist yet.", show_default=False)
]
Source = Annotated[str, typer.Argument(metavar="FILE", help="A backup.", show_default=False)]

_COLOURS: Final = {"ok": "green", "mended": "cyan", "note": "yellow", "problem": "red"}
_HAS_NOT: Final = "it has runs, events and results; it does not have logs, long outputs or the project's files"


def doctor(context: typer.Context, fix: Fix = False) -> int:
    """Look the state over: the database, what dead runs left, the disk.

    Without --fix nothing is changed. The exit code is 0 when all is well or mended, 1 when problems remain.
    """
    from cli.main import drive
    from orchestration.doctor import end_orphans, examine

    session = session_of(context)
    folder = state_folder(session)

    def end(run: str) -> tuple[int, tuple[int, ...]]:
        return drive(lambda _: end_orphans(folder, run))

    report = examine(folder, end if fix else None)
    session.give("doctor", report.to_dict(), _lines(session, report))
    if report.is_well:
        return SUCCESS
    first = report.problems[0]
    more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
    hint = f" ({first.hint})" if first.hint else ""
    say(f"{count(len(report.problems), 'problem')}: {first.check}: {first.message}{hint}{more}")
    return FAILED


def backup(context: typer.Context, file: Target = None) -> None:
    """Make a verified copy of the state; it never replaces a file.

    A run may go on meanwhile. Without FILE it goes into .orchestration/backups/, under a name with the time.
    """
    from orchestration.store.backup import back_up

    session = session_of(context)
    made = back_up(state_folder(session), None if file is None else Path(file))
    said = f"{count(made.runs, 'run')}, {count(made.events, 'event')}, {made.size:,} bytes, verified"
    session.give_line("backup", made.to_dict(), f"{made.file}: {said}")
    session.remark(_HAS_NOT)


def restore(context: typer.Context, file: Source) -> None:
    """Put a backup in place of the state, which is kept as a backup.

    Refused while a run goes on.
    """
    from orchestration.store.restoring import restore as put_back

    session = session_of(context)
    done = put_back(state_folder(session), Path(file))
    data = {
        "file": file,
        "runs": done.state.runs,
        "events": done.state.events,
        "kept": None if done.kept is None else str(done.kept),
        "kept_is_verified": done.kept_is_verified,
    }
    said = f"restored {count(done.state.runs, 'run')}, {count(done.state.events, 'event')} from {file}"
    session.give_line("restored", data, said)
    if done.kept is not None:
        unread = "" if done.kept_is_verified else ", as it was: it could not be read"
        session.remark(f"the state before is kept in {done.kept}{unread}")


def state_folder(session: Session) -> Path:
    """The state folder of the project that was meant.

    Raises:
        NoProject: there is no project.
    """
    from orchestration.errors import NoProject
    from orchestration.loading.project import STATE_FOLDER
    from orchestration.loading.walking import SETTINGS_FILE

    root = session.folder
    if not any((root / name).exists() for name in (SETTINGS_FILE, STATE_FOLDER, "tasks")):
        raise NoProject(f"{root} is no project", hint="make one there with `orch init`, or name another with -C")
    return root / STATE_FOLDER


def _lines(session: Session, report: "Report") -> Iterator[str]:
    rows = [
        (
            Cell(finding.level.value, _COLOURS.get(finding.level.value)),
            finding.check,
            clean_line(finding.message + (f" ({finding.hint})" if finding.hint else "")),
        )
        for finding in report.findings
    ]
    yield table(("", "CHECK", "FOUND"), rows, width=session.width(), colour=session.colour_of_data)
