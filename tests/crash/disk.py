"""A disk of which only what was synced is certain: the calls of a recorded run, and the images a power cut could leave.

What a write changed is *pending* until a sync of its file has returned, what a name points to until a sync of its
folder has. At a cut each pending change is there, or not, or (a write) there in part, in whole sectors. Folders are
taken to be there when their files are: file systems with a journal write them down with the first sync in them.

Read from a trace of `strace -f -y -xx`: a write counts from its beginning, and a sync covers what was written before it
began, from its end.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

SECTOR: Final = 512
STDOUT: Final = 1

_LINE: Final = re.compile(r"(\d+) +(\w+)\((.*)")
_RESUMED: Final = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR: Final = re.compile(r"(\d+)<((?:\\x[0-9a-f]{2})*)>")
_SPLIT: Final = "<unfinished ...>"


@dataclass(frozen=True, slots=True)
class Told:
    """Bytes on standard output."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes in a file, at a place, or at its end."""

    path: str
    data: bytes
    offset: int | None


@dataclass(frozen=True, slots=True)
class Cut:
    """A file was cut, or made longer."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Made:
    """A name was made (an empty file)."""

    path: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A name was removed."""

    path: str


@dataclass(frozen=True, slots=True)
class Synced:
    """Whatever of the file, or of the names in the folder, had happened before step `covers` is certain now."""

    path: str
    covers: int


Change: TypeAlias = Wrote | Cut | Made | Removed
Step: TypeAlias = Change | Told | Synced


@dataclass(slots=True)
class Reader:
    """Reads a trace; only files below `folder` are of interest."""

    folder: str
    steps: list[Step] = field(default_factory=list)
    _begun: dict[str, tuple[str, int]] = field(default_factory=dict)

    def read(self, trace: Path) -> Sequence[Step]:
        """All steps, in the order in which they happened."""
        for line in trace.read_text(encoding="ascii").splitlines():
            if (found := _RESUMED.match(line)) is not None:
                path, covers = self._begun.pop(found[1], ("", 0))
                if path and found[3].endswith("= 0"):
                    self.steps.append(Synced(path, covers))
            elif (found := _LINE.match(line)) is not None:
                self._read(found[1], found[2], found[3])
        return self.steps

    def _read(self, thread: str, call: str, rest: str) -> None:
        texts = [_decoded(text) for text in _TEXT.findall(rest)]
        descriptor = _DESCRIPTOR.match(rest)
        number, path = (int(descriptor[1]), _decoded(descriptor[2]).decode()) if descriptor else (-1, "")
        if call == "write" and number == STDOUT:
            self.steps.append(Told(texts[0]))
        elif call in {"unlink", "openat"}:
            self._name(call, texts[0].decode(), rest)
        elif not path.startswith(self.folder) or " = -1 " in rest:
            return
        elif call in {"fsync", "fdatasync"}:
            if rest.endswith(_SPLIT):
                self._begun[thread] = path, len(self.steps)
            else:
                self.steps.append(Synced(path, len(self.steps)))
        elif call == "ftruncate":
            self.steps.append(Cut(path, _number(rest, 1)))
        elif call in {"write", "pwrite64"}:
            offset = _number(rest, 3) if call == "pwrite64" else None
            self.steps.append(Wrote(path, texts[0], offset))
        else:
            raise AssertionError(f"a call that nobody reckoned with: {call} {path}")

    def _name(self, call: str, path: str, rest: str) -> None:
        if not path.startswith(self.folder) or " = -1 " in rest:
            return
        if call == "unlink":
            self.steps.append(Removed(path))
        elif "O_CREAT" in rest:
            self.steps.append(Made(path))
            if "O_TRUNC" in rest:
                self.steps.append(Cut(path, 0))


def _number(rest: str, place: int) -> int:
    """The argument at that place of a call, which is a number."""
    found = re.match(r"\d+", rest.split(", ")[place])
    assert found is not None, rest
    return int(found[0])


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class Image:
    """The files as a cut after some of the steps could leave them."""

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}

    def apply(self, change: Change) -> None:
        """Let a change be there, wholly."""
        if isinstance(change, Removed):
            self.files.pop(change.path, None)
            return
        file = self.files.setdefault(change.path, bytearray())
        if isinstance(change, Cut):
            del file[change.size :]
            file.extend(bytes(change.size - len(file)))
        elif isinstance(change, Wrote):
            start = len(file) if change.offset is None else change.offset
            file.extend(bytes(max(0, start + len(change.data) - len(file))))
            file[start : start + len(change.data)] = change.data

    def write_to(self, folder: Path, root: str) -> None:
        """Put the files below `folder`; `root` is where they were."""
        for path, data in self.files.items():
            place = folder / Path(path).relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def image(steps: Sequence[Step], fate: str, random: Random) -> Image:
    """The image of a cut after these steps.

    Args:
        steps: what had happened.
        fate: of what was pending: `lost`, `kept`, or `torn` (each is there, or not, or in part, as it is drawn).
        random: draws it.
    """
    found = Image()
    for change, certain in _changes(steps):
        if certain or fate == "kept":
            found.apply(change)
        elif fate == "torn" and (drawn := _torn(change, random)) is not None:
            found.apply(drawn)
    return found


def _changes(steps: Sequence[Step]) -> Iterator[tuple[Change, bool]]:
    """Each change, and whether it is certain."""
    covered: dict[str, int] = {}
    for step in steps:
        if isinstance(step, Synced):
            covered[step.path] = max(covered.get(step.path, 0), step.covers)
    for i, step in enumerate(steps):
        if isinstance(step, Made | Removed):
            yield step, i < covered.get(step.path.rpartition("/")[0], 0)
        elif isinstance(step, Wrote | Cut):
            yield step, i < covered.get(step.path, 0)


def _torn(change: Change, random: Random) -> Change | None:
    fate = random.randrange(3)
    if fate == 0:
        return None
    if fate == 1 and isinstance(change, Wrote):
        sectors = random.randrange(1 + len(change.data) // SECTOR)
        return Wrote(change.path, change.data[: sectors * SECTOR], change.offset)
    return change
