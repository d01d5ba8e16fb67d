"""Where the backups of a state are, and the way back from one that cannot be read any more."""

from pathlib import Path


def backups_folder(folder: Path) -> Path:
    """Where backups go that nobody gave a place."""
    return folder / "backups"


def way_back(folder: Path) -> str:
    """What to do about a state that cannot be read: the newest backup is named, where there is one."""
    own = backups_folder(folder)
    try:
        newest = max(own.glob("state-*.db"), default=None)
    except OSError:
        newest = None
    if newest is not None:
        return f"put back the newest backup: orch restore {newest}"
    return f"there is no backup in {own}: put back one from elsewhere (orch restore FILE), or move the file away"
