"""The values that a task passes on, and output too long for the database.

A task appends `name=value` lines or JSON objects to the file `$ORCH_OUTPUT`. What agents write is untrusted: the file
may be missing, huge, binary, half-written, a folder or a link. A value by `name=value` stays the string that it was; a
later line wins over an earlier one.
"""

import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from orchestration.foreign import check_range, object_of

MAX_OUTPUTS_FILE: Final = 1 << 20
"""Bytes of `$ORCH_OUTPUT` that are read; values are facts to pass on, files are for the rest."""

MAX_INLINE: Final = 64 * 1024
"""Bytes of output that live in the event itself; longer output goes to a file first."""


class BadOutputs(ValueError):
    """What a task wrote to `$ORCH_OUTPUT` is neither `name=value` nor JSON; the text says where."""


def read_outputs(path: str, mask: Callable[[str], str] = str) -> dict[str, Any]:
    """Read what a task wrote; most write nothing, which one look tells.

    Args:
        path: the file.
        mask: hides secrets in what an error quotes, before that is cut to size.

    Raises:
        BadOutputs: a line has neither form, or the file is gone, no file, or too long.
    """
    try:
        if _is_empty(path):
            return {}
        data = _read_regular(path)
    except FileNotFoundError as error:
        raise BadOutputs("$ORCH_OUTPUT is gone; whoever removed it removed what was to be passed on") from error
    except OSError as error:
        raise BadOutputs(f"$ORCH_OUTPUT cannot be read: {error.strerror}") from error
    if len(data) > MAX_OUTPUTS_FILE:
        raise BadOutputs(f"$ORCH_OUTPUT is over {MAX_OUTPUTS_FILE} bytes; pass the name of a file instead")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadOutputs(f"$ORCH_OUTPUT is not UTF-8 at byte {error.start}") from error
    return parse_outputs(text, mask)


def _is_empty(path: str) -> bool:
    found = os.lstat(path)
    return not found.st_size and stat.S_ISREG(found.st_mode)


def _read_regular(path: str) -> bytes:
    """Read a file that may have been replaced by anything: a pipe must not stop us, a link must not lead elsewhere."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise BadOutputs("$ORCH_OUTPUT is no file any more")
        with open(number, "rb", closefd=False) as file:  # it is open already
            return file.read(MAX_OUTPUTS_FILE + 1)
    finally:
        os.close(number)


def make_empty(path: str) -> None:
    """Make the file that `$ORCH_OUTPUT` names, so that one that is missing later was removed.

    Its folder is made again where a task removed that.
    """
    os.close(_opened(path))


def write_inputs(path: str, upstream: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, Any]) -> None:
    """Write the file that `$ORCH_INPUTS` names: what came of each dependency, and the task's own inputs.

    Each value has a line of its own, for agents that are shown the beginnings of lines; an indent would take ten times
    as long.
    """
    told = json.dumps({"tasks": upstream, "inputs": inputs}, default=str, separators=(",\n", ": "))
    left, file = memoryview(told.encode()), _opened(path, os.O_TRUNC)
    try:
        while left:
            left = left[os.write(file, left) :]
    finally:
        os.close(file)


def _opened(path: str, flags: int = 0) -> int:
    """A file for the attempt alone, whose folder is made where it is missing."""
    flags |= os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def parse_outputs(text: str, mask: Callable[[str], str] = str) -> dict[str, Any]:
    """Values by name from the text of the file; raises `BadOutputs` like `read_outputs`."""
    whole = _as_object(text)
    if whole is not None:
        return whole
    values: dict[str, Any] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped:
            continue
        found = _as_object(stripped)
        if found is not None:
            values.update(found)
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip() or stripped.startswith(("{", "[")):
            what = f"line {number} of $ORCH_OUTPUT is neither name=value nor a JSON object"
            raise BadOutputs(f"{what}: {mask(line)[:80]!r}{_why_not(stripped)}")
        values[name.strip()] = value.rstrip("\r")
    return values


def _as_object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return _read_object(text)
    except (ValueError, RecursionError):
        return None


def _read_object(text: str) -> dict[str, Any]:
    found = object_of(text)
    check_range(found)
    return found


def _why_not(line: str) -> str:
    """What keeps a line that looks like an object from being one, to be appended."""
    if not line.startswith("{"):
        return ""
    try:
        _read_object(line)
    except RecursionError:
        return ": too many levels"
    except UnicodeEncodeError:
        return ": it holds half of a surrogate pair"
    except ValueError as error:
        return f": {error}"
    return ""


def keep_inline(output: str, folder: Path) -> tuple[str, str | None]:
    """The output as it goes into the event, and the file that has all of it where it is too long for that.

    The end is what stays inline, because that is where a program says what came of it. The file is on disk, its folder
    entry included, when this returns.
    """
    if not output or len(data := output.encode(errors="replace")) <= MAX_INLINE:
        return output, None
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "output.txt"
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    for entry in dict.fromkeys(
        (folder, *(parent.parent for parent in made))
    ):  # a new folder is an entry of another one
        _sync_folder(entry)
    return data[-MAX_INLINE:].decode(errors="ignore"), str(path)


def _sync_folder(folder: Path) -> None:
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
