"""A file → its text, whatever the file turns out to be.

Survives: a folder, a pipe that nobody writes to (it must not hang), a device, a link to nothing, a file that is gone
since it was listed, one that may not be read, one of gigabytes, one that grows while it is read, bytes that are not
UTF-8, a byte order mark, the line ends of Windows and of old Macs, and NUL characters, which no program takes.
"""

import os
import stat
from pathlib import Path
from typing import Final

from orchestration.loading.findings import Finding, Refused

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""A task file larger than this is not one that people wrote; 10,000 tasks in one file are about half of it."""

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # the last: opening a pipe must not wait
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: str, shown: str) -> str:
    """The text of the file at `path`, without byte order mark and with line feeds at the ends of lines.

    Raises:
        Refused: there is no text to be had; the finding calls the file `shown`.
    """
    text = _decoded(_read_bytes(path, shown), shown).removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Refused(Finding("holds a NUL character", shown, "remove it; this is a text file", line))
    return text


def _read_bytes(path: str, shown: str) -> bytes:
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        raise Refused(_unreadable(error, path, shown)) from error
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            what = "is a folder" if stat.S_ISDIR(about.st_mode) else "is neither a file nor a folder"
            raise Refused(Finding(f"{what}; a text file is expected here", shown, "rename or remove it"))
        data = os.read(handle, min(about.st_size, MAX_FILE_BYTES) + 1)
        if len(data) > about.st_size:  # it grew, or is one of those that do not know their size
            while len(data) <= MAX_FILE_BYTES and (more := os.read(handle, MAX_FILE_BYTES)):
                data += more
    except OSError as error:
        raise Refused(_unreadable(error, path, shown)) from error
    finally:
        os.close(handle)
    if len(data) > MAX_FILE_BYTES:
        size = f"is larger than {MAX_FILE_BYTES // (1024 * 1024)} MiB"
        raise Refused(Finding(size, shown, "split it, or move data out of it and name the data's file in `inputs`"))
    return data


def _decoded(data: bytes, shown: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        if data.startswith(_UTF16_MARKS):
            what, line = "is UTF-16, not UTF-8", 1
        raise Refused(Finding(what, shown, "save the file as UTF-8", line)) from error


def _unreadable(error: OSError, path: str, shown: str) -> Finding:
    if isinstance(error, FileNotFoundError):
        if Path(path).is_symlink():
            return Finding("is a link that leads to nothing", shown, "mend or remove the link")
        return Finding("does not exist any more", shown, "run the command again")
    reason = (error.strerror or str(error)).lower()
    return Finding(f"cannot be read: {reason}", shown, "make it a file that you may read")
