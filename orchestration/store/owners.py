"""Which process took a claim: told to people, and looked at by `orch doctor`; it decides nothing.

Whether a claim holds is decided by the owner lock of its run alone. A pid means something only together with the time
of birth and the boot: numbers come round, and a state folder may be on a disk that another machine has mounted. Where a
system tells neither (macOS), the number has to do.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Final

from orchestration.protocols import Claim, Owner

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_STATE, _BORN = 0, 19
"""Fields of `/proc/<pid>/stat`, counted from behind the program's name."""


class Fate(StrEnum):
    """What has become of an owner, in words that fit behind its number."""

    LIVES = "which lives, and has let go of the run"
    ENDED = "which has ended"
    OTHER_BOOT = "before the machine was started again, or on another one"


def this_process() -> Owner:
    """This process, as its claims carry it."""
    pid = os.getpid()
    return Owner(pid, _born(pid), _boot_id())


def fate_of(owner: Owner) -> Fate:
    """What has become of the owner of a run that nobody owns any more."""
    if owner.boot_id != _boot_id():
        return Fate.OTHER_BOOT
    if owner.born is not None:
        return Fate.LIVES if _born(owner.pid) == owner.born else Fate.ENDED
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return Fate.ENDED
    except PermissionError:
        pass
    return Fate.LIVES


def is_stopped(owner: Owner) -> bool:
    """Whether the owner lives and has been stopped, so that it hears nothing until somebody lets it go on.

    One whose time of birth is not known is whoever has its number now.
    """
    found = _stat(owner.pid)
    return bool(found) and found[_STATE] in {b"T", b"t"} and owner.born in {None, int(found[_BORN])}


def told_of(claim: Claim) -> str:
    """Who took a claim, and when, in this machine's time."""
    if claim.owner is None or claim.since is None:
        return "a process of an older version"
    stopped = ", which is stopped" if is_stopped(claim.owner) else ""
    return f"process {claim.owner.pid}{stopped}, since {claim.since.astimezone():%Y-%m-%d %H:%M:%S}"


def _born(pid: int) -> int | None:
    """The time of birth of a living process, in ticks since the boot."""
    found = _stat(pid)
    return int(found[_BORN]) if found and found[_STATE] not in {b"Z", b"X"} else None


def _stat(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
