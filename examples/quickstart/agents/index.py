"""Lists the files of the source tree, once the tree holds still, and keeps a copy of them: `python3 -m agents.index`.

All other surveys read the list and the copy, so these must not be taken while an editor, a build or a checkout is still
writing. One reading cannot tell; two that agree can. Each attempt therefore compares its reading with the one before.
If there is none, or it differs, the attempt leaves its own reading behind for the next and ends with exit code 75 ("try
again later"): the pause before the retry is the time in which the tree has to hold still.

Afterwards people may go on working: the surveys see the copy, so their numbers belong together.
"""

import hashlib
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from agents.facts import OUT, load, pass_on, save, write
from agents.tree import kind_of, list_files, source_tree

READING = OUT / "index-reading.json"
TEXT_FILES = OUT / "text-files.nul"
SNAPSHOT = OUT / ".snapshot"
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


@dataclass(frozen=True, slots=True)
class File:
    """One file of the tree; `lines` counts newlines, and an unfinished last line."""

    path: str
    kind: str
    size: int
    lines: int
    sha256: str


def indexed(kind: str | None = None) -> list[File]:
    """The files of the index, or those of one kind, sorted by path.

    Raises:
        FileNotFoundError: No index has been made.
    """
    files = [File(**entry) for entry in load("index")["files"]]
    return [file for file in files if kind in {None, file.kind}]


def content_of(file: File) -> bytes:
    """What is in a text file of the index, as it was when the index was made."""
    return (SNAPSHOT / file.path).read_bytes()


def read(tree: Path, name: str) -> File:
    """Look at one file."""
    content = (tree / name).read_bytes()
    kind = kind_of(name, content)
    lines = 0 if kind == "binary" else content.count(b"\n") + (content[-1:] not in {b"\n", b""})
    return File(name, kind, len(content), lines, hashlib.sha256(content).hexdigest())


def fingerprint(tree: Path, files: list[File]) -> str:
    """One value for the whole reading: which tree, which files, what is in them."""
    whole = json.dumps([str(tree), [(file.path, file.sha256) for file in files]])
    return hashlib.sha256(whole.encode("ascii")).hexdigest()


def copy(tree: Path, files: list[File]) -> str | None:
    """Keep a copy of all text files; returns the name of one that has changed since it was read, None if none has."""
    draft = SNAPSHOT.with_name(f"{SNAPSHOT.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for file in files:
        if file.kind == "binary":
            continue
        content = (tree / file.path).read_bytes()
        if hashlib.sha256(content).hexdigest() != file.sha256:
            return file.path
        (draft / file.path).parent.mkdir(parents=True, exist_ok=True)
        (draft / file.path).write_bytes(content)
    shutil.rmtree(SNAPSHOT, ignore_errors=True)
    draft.rename(SNAPSHOT)
    return None


def last_reading() -> str | None:
    """The fingerprint that an earlier attempt or run left behind."""
    try:
        return str(json.loads(READING.read_text(encoding="ascii"))["fingerprint"])
    except FileNotFoundError:
        return None


def take_stock(tree: Path) -> int:
    """Take a reading; keep it as the index if it agrees with the one before."""
    how, names = list_files(tree)
    files = [read(tree, name) for name in names]
    if not files:
        print(f"{tree} has no files", file=sys.stderr)
        return 1
    current, previous = fingerprint(tree, files), last_reading()
    write(READING, json.dumps({"fingerprint": current, "files": len(files)}) + "\n")
    print(f"{len(files)} files, {how}; reading {current[:12]}")
    if current != previous:
        why = "there is no earlier reading" if previous is None else f"the reading before was {previous[:12]}"
        print(f"cannot tell yet whether the tree holds still: {why}; read it again", file=sys.stderr)
        return TRY_AGAIN
    if changed := copy(tree, files):
        print(f"the tree does not hold still: {changed} changed while it was copied; read it again", file=sys.stderr)
        return TRY_AGAIN
    entries = [asdict(file) for file in files]
    save("index", {"tree": tree.name, "how": how, "fingerprint": current, "files": entries})
    texts = b"".join(os.fsencode(file.path) + b"\0" for file in files if file.kind != "binary")
    TEXT_FILES.write_bytes(texts)
    pass_on(files=len(files), fingerprint=current, tree=tree.name)
    return 0


def main() -> int:
    """Take stock; a file that vanishes meanwhile is one more way of not holding still."""
    try:
        return take_stock(source_tree())
    except FileNotFoundError as error:
        print(f"the tree does not hold still: {error.filename} went away; read it again", file=sys.stderr)
        return TRY_AGAIN
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
