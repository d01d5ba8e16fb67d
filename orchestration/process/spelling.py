"""A command as the bytes that a system call takes.

What a task says is text, and reaches a child in the encoding of this machine, as it would from a shell. An encoding
that cannot say it (ASCII, in a locale such as POSIX whose UTF-8 mode was switched off) is no reason not to start: files
of tasks are UTF-8, and so is then what the child gets. Names that the system gave us as bytes stay those bytes.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from orchestration.process.command import Command

Word: TypeAlias = str | bytes
Words: TypeAlias = tuple[Sequence[Word], Path | bytes | None, Mapping[str, str] | Mapping[bytes, bytes]]


def in_bytes(text: str) -> bytes:
    """The text in the encoding of this machine, or in UTF-8 if that cannot say it.

    Raises:
        UnicodeEncodeError: It holds half of a character, which no encoding can say.
    """
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def words_of(command: Command) -> Words:
    """The program with its arguments, the folder and the environment, as `subprocess` takes them; raises as above."""
    if sys.getfilesystemencoding() == "utf-8":  # which says everything, and is spelled by `subprocess` itself
        return command.argv, command.cwd, command.env
    environment = {in_bytes(name): in_bytes(value) for name, value in command.env.items()}
    folder = None if command.cwd is None else in_bytes(str(command.cwd))
    return [in_bytes(word) for word in command.argv], folder, environment
