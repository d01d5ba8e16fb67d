"""What the state stands on: room on the disk, who may write, what kind of disk it is, SQLite, git."""

import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestration.doctor.findings import Finding, Level
from orchestration.store.files import MOUNTS, StateFiles, network_type

LEAST_FREE: Final = 100 * 1024 * 1024
"""Bytes; below, a run of some hours with logs of 64 MiB for each attempt may fill the disk."""
OLDEST_SQLITE: Final = (3, 37, 0)
PATIENCE: Final = 5.0
"""Seconds for `git --version`, which takes milliseconds."""


def look_at_machine(files: StateFiles, *, least_free: int = LEAST_FREE, mounts: Path = MOUNTS) -> Iterator[Finding]:
    """Everything about the surroundings of a state folder, which need not exist."""
    yield from _room(files, least_free)
    yield from _rights(files)
    yield _disk(files, mounts)
    yield _sqlite()
    yield _git()


def _room(files: StateFiles, least_free: int) -> Iterator[Finding]:
    place = files.folder if files.folder.is_dir() else files.folder.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        yield Finding("disk space", Level.SKIPPED, f"it cannot be asked for ({error.strerror})")
        return
    said = f"{free // (1024 * 1024):,} MiB free"
    if free < least_free:
        yield Finding("disk space", Level.PROBLEM, f"only {said}", "free some space before the next run")
    else:
        yield Finding("disk space", Level.OK, said)


def _rights(files: StateFiles) -> Iterator[Finding]:
    if not files.folder.is_dir():
        yield Finding("rights", Level.SKIPPED, "there is no state folder yet")
        return
    places = [files.folder, files.database, files.write_lock, files.folder / "runs"]
    wrong = 0
    for place in places:
        try:
            mode = place.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            wrong += 1
            yield Finding("rights", Level.PROBLEM, f"{place} cannot be looked at ({error.strerror})")
            continue
        needed = os.R_OK | os.W_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)
        if not os.access(place, needed):
            wrong += 1
            yield Finding("rights", Level.PROBLEM, f"{place} is not writable for this user", f"chmod u+rwX {place}")
        elif mode & stat.S_IWOTH:
            wrong += 1
            yield Finding("rights", Level.PROBLEM, f"{place} is writable for everybody", f"chmod o-w {place}")
    if not wrong:
        yield Finding("rights", Level.OK, "this user may write, and not everybody may")


def _disk(files: StateFiles, mounts: Path) -> Finding:
    network = network_type(files.folder, mounts)
    if network is None:
        return Finding("kind of disk", Level.OK, "no network file system")
    return Finding(
        "kind of disk",
        Level.NOTE,
        f"the state is on a network file system ({network}): writing is slower, and only one machine may use it",
        "a local disk is better",
    )


def _sqlite() -> Finding:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        return Finding(
            "SQLite", Level.PROBLEM, f"{sqlite3.sqlite_version} is older than {oldest}", "use a newer Python"
        )
    return Finding("SQLite", Level.OK, sqlite3.sqlite_version)


def _git() -> Finding:
    program = shutil.which("git")
    missing = "without it nobody can say which files an agent has changed"
    if program is None:
        return Finding("git", Level.NOTE, f"it is not installed; {missing}")
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("git", Level.NOTE, f"it cannot be run ({error}); {missing}")
    return Finding("git", Level.OK, done.stdout.decode(errors="replace").strip().removeprefix("git version "))
