"""The state folder and what lies in it, and what kind of disk it is on.

`.orchestration/` is made by the first write, ignores itself in git, and is on disk (its name too) before anything in it
counts as kept.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestration.errors import StoreError
from orchestration.records import dataclass
from orchestration.store.faults import said_clearly

MOUNTS: Final = Path("/proc/self/mounts")
"""Where Linux lists what is mounted; other systems have no such file, and no network disk is recognised there."""
NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    },
)
_NETWORK_FUSE: Final = frozenset(
    {"fuse.davfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs"}
)
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class StateFiles:
    """The paths of one project's state."""

    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "state.db"

    @property
    def log(self) -> Path:
        """What SQLite has not yet moved into its file."""
        return self.folder / "state.db-wal"

    @property
    def journal(self) -> Path:
        """What SQLite undoes after a crash where it uses no log, as while a new file is being set up."""
        return self.folder / "state.db-journal"

    @property
    def write_lock(self) -> Path:
        """The file whose lock writers hold."""
        return self.folder / "write.lock"

    @property
    def own(self) -> tuple[Path, ...]:
        """All files beside the runs that nobody but the store may touch."""
        return (self.database, self.log, self.folder / "state.db-shm", self.journal, self.write_lock)

    def make_folder(self) -> None:
        """Make the folder and let it ignore itself in git; does nothing when both are there.

        Raises:
            StoreError: it cannot be made, or is something else than a folder.
        """
        with said_clearly(self.folder):
            if not self.folder.is_dir():
                self.folder.mkdir(parents=True, exist_ok=True)
                sync_folder(self.folder.parent)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
                sync_folder(self.folder)

    def has_log(self) -> bool:
        """Whether SQLite's log holds anything; an empty one is left behind by readers."""
        try:
            return self.log.stat().st_size > 0
        except FileNotFoundError:
            return False

    def check_kinds(self) -> None:
        """Refuse what is no file, for opening a pipe may wait for ever; and a link to something outside.

        Raises:
            StoreError: the state file would be somebody else's, or it or what SQLite keeps beside it is no file.
        """
        if self.database.is_symlink() and not self.database.resolve().is_relative_to(self.folder.resolve()):
            raise StoreError("the state file is a link that leads out of the state folder", file=self.database)
        for path in (self.database, self.log, self.journal):
            if path.exists() and not path.is_file():
                raise StoreError("this is no file", hint="move it away; `orch` makes it anew", file=path)


def network_type(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the network file system that the folder is on; None for a local disk, or where nobody can tell."""
    try:
        text = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    there = folder.resolve()
    best, kind = -1, ""
    for point, type_ in _mounts(text):
        depth = len(point.parts)
        if depth >= best and there.is_relative_to(point):  # the later of two mounts on one point hides the earlier
            best, kind = depth, type_
    return kind if kind in NETWORK or kind in _NETWORK_FUSE else None


def _mounts(text: str) -> Iterator[tuple[Path, str]]:
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) > 2:  # noqa: PLR2004  # device, mount point, type
            yield Path(_ESCAPE.sub(lambda found: chr(int(found[1], 8)), words[1])), words[2]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
