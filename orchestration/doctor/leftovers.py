"""What runs have left whose owner is dead: processes, claims, questions, files.

Whoever mends something of a run owns it meanwhile, so no run is mended that somebody begins to continue. A run that
goes on is not looked at.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from orchestration.doctor.database import Known
from orchestration.doctor.findings import Finding, Level
from orchestration.doctor.orphans import CAN_BE_SEEN, find_orphans
from orchestration.errors import OrchError, RunOwned
from orchestration.protocols import Claim
from orchestration.store import recording
from orchestration.store.backup import PASSING
from orchestration.store.backups import backups_folder
from orchestration.store.committing import WritableState
from orchestration.store.files import StateFiles
from orchestration.store.locks import is_owned, owned
from orchestration.store.owners import fate_of, told_of
from orchestration.store.restoring import run_folders
from orchestration.store.schema import load_schema

End: TypeAlias = Callable[[str], tuple[int, Sequence[int]]]
"""Ends the processes of a run; returns how many were found, and the pids of those that live on."""

AGE_OF_LEFTOVERS: Final = 3600.0
"""Seconds after which the unfinished copy of a backup is nobody's: it takes seconds to make one."""
_FIX: Final = "orch doctor --fix"


def look_at_leftovers(files: StateFiles, known: Known, end: End | None) -> Iterator[Finding]:
    """Everything that dead runs have left; with `end`, what is safe to mend is mended."""
    mend = end is not None
    dead = _dead_runs(files, known)
    yield from _processes(files, dead, end)
    yield from _claims(files, known, dead, mend=mend and known.is_sound)
    yield from _open_runs(known, dead)
    yield from _files(files, dead, mend=mend)
    yield Finding("worktrees", Level.SKIPPED, "this version makes none")


def _dead_runs(files: StateFiles, known: Known) -> list[str]:
    """The runs that nobody owns."""
    found: list[str] = []
    for run in sorted(known.runs | known.claims.keys() | set(run_folders(files.folder))):
        with suppress(OrchError):  # a name that is no run's
            if not is_owned(files.folder, run):
                found.append(run)
    return found


# -- processes --------------------------------------------------------------------------------------------------------


def _processes(files: StateFiles, dead: Sequence[str], end: End | None) -> Iterator[Finding]:
    check = "processes"
    if not CAN_BE_SEEN:
        message = "the environments of processes cannot be seen on this system"
        yield Finding(check, Level.SKIPPED, message, "look for ORCH_ATTEMPT_ID yourself")
        return
    orphans = find_orphans(files.folder, dead)
    if not orphans:
        yield Finding(check, Level.OK, "none is left of a run that nobody owns")
    for run, entries in orphans.items():
        pids = ", ".join(str(entry.pid) for entry in entries)
        if end is None:
            yield Finding(check, Level.PROBLEM, f"run {run} is dead, but its processes live on: {pids}", _FIX)
            continue
        try:
            with owned(files.folder, run):
                ended, left = end(run)
        except RunOwned:
            yield Finding(check, Level.NOTE, f"run {run} goes on again; its processes were left alone")
            continue
        if left:
            message = f"run {run}: processes cannot be ended: {', '.join(map(str, left))}"
            yield Finding(check, Level.PROBLEM, message, "whose are they? they may be another user's")
        else:
            yield Finding(check, Level.MENDED, f"run {run}: ended {ended} processes that had outlived it: {pids}")


# -- what the database says -------------------------------------------------------------------------------------------


def _claims(files: StateFiles, known: Known, dead: Sequence[str], *, mend: bool) -> Iterator[Finding]:
    check = "claims"
    stale = {run: known.claims[run] for run in dead if run in known.claims}
    if not stale:
        yield Finding(check, Level.OK, "none is held by a dead run")
    for run, claims in stale.items():
        told = ", ".join(claim.task_id for claim in claims[:5]) + (" …" if len(claims) > 5 else "")  # noqa: PLR2004  # enough to know which
        if not mend:
            message = f"run {run} is dead and still claims {told}{_takers(claims)}; others may take them all the same"
            yield Finding(check, Level.PROBLEM, message, _FIX)
            continue
        try:
            _release(files, run)
        except RunOwned:
            yield Finding(check, Level.NOTE, f"run {run} goes on again, and keeps its claims")
        except OrchError as error:
            yield Finding(check, Level.PROBLEM, f"run {run}: its claims cannot be given back: {error}", error.hint)
        else:
            yield Finding(check, Level.MENDED, f"run {run}: gave back its claims: {told}")


def _takers(claims: Sequence[Claim]) -> str:
    """By whom and when they were taken, and what has become of these."""
    taken = {claim.owner: f"{told_of(claim)}, {fate_of(claim.owner)}" for claim in claims if claim.owner is not None}
    return f" (taken by {'; '.join(taken.values())})" if taken else ""


def _release(files: StateFiles, run: str) -> None:
    state = WritableState(files, load_schema())
    try:
        with owned(files.folder, run):
            (answer,) = state.commit([partial(recording.release, run_id=run)])
    finally:
        state.close()
    if answer.error is not None:
        raise answer.error


def _open_runs(known: Known, dead: Sequence[str]) -> Iterator[Finding]:
    for run in dead:
        if known.open_runs.get(run) == "running":
            message = f"run {run} was interrupted: whoever drove it is dead"
            yield Finding("runs", Level.NOTE, message, "orch run-batch continues it, orch cancel ends it")
        asked = known.commands.get(run)
        if asked:
            message = f"run {run}: nobody has answered {', '.join(asked[:5])}"
            yield Finding("commands", Level.NOTE, message, "whoever continues the run answers them")


# -- files ------------------------------------------------------------------------------------------------------------


def _files(files: StateFiles, dead: Sequence[str], *, mend: bool) -> Iterator[Finding]:
    check = "leftover files"
    found = [(None, path) for path in _unfinished_copies(files)]
    left = [*found, *((run, path) for run in dead for path in _of_dead_run(files.folder / "runs" / run))]
    if not left:
        yield Finding(check, Level.OK, "none")
        return
    names = ", ".join(str(path.relative_to(files.folder)) for _, path in left[:3])
    told = f"{len(left)} that nobody needs any more: {names}{' …' if len(left) > 3 else ''}"  # noqa: PLR2004
    if not mend:
        yield Finding(check, Level.PROBLEM, told, _FIX)
        return
    kept = [path for run, path in left if not _removed(files, run, path)]
    if kept:
        yield Finding(check, Level.PROBLEM, f"{len(kept)} cannot be removed: {kept[0]}", "check who may write there")
    else:
        yield Finding(check, Level.MENDED, f"removed {told}")


def _unfinished_copies(files: StateFiles) -> Iterator[Path]:
    oldest = time.time() - AGE_OF_LEFTOVERS
    for folder in (files.folder, backups_folder(files.folder)):
        for path in _entries(folder):
            with suppress(OSError):
                if path.name.startswith(PASSING) and path.lstat().st_mtime < oldest:
                    yield path


def _of_dead_run(folder: Path) -> Iterator[Path]:
    """What only a living attempt needs: the file for the values that it passes on, and its supervisor's notes."""
    yield from _entries(folder / ".outputs")
    for task in _entries(folder):
        if task.is_dir() and not task.is_symlink() and not task.name.startswith("."):
            yield from (path for attempt in _entries(task) if (path := attempt / "supervisor.json").is_file())


def _entries(folder: Path) -> list[Path]:
    """What is in a folder that may not be there; nothing behind a link."""
    if folder.is_symlink():
        return []
    with suppress(OSError):
        return sorted(Path(entry.path) for entry in os.scandir(folder))
    return []


def _removed(files: StateFiles, run: str | None, path: Path) -> bool:
    try:
        if run is None:
            path.unlink(missing_ok=True)
        else:
            with owned(files.folder, run):
                path.unlink(missing_ok=True)
    except RunOwned:
        return True  # it goes on again, so it is no leftover
    except (OSError, OrchError):
        return False
    return True
