"""Names of secrets → their values, from where each is kept, just before an attempt that names them.

Nothing is read that was not asked for: a `.env` only where a source names it, the environment only for the name. What
cannot be had is an error that says which secret and which source, and never what was found there. Edges survived: a
file that is a folder, a pipe or too big, a command that fails, hangs, prints nothing or prints without end, values
that no variable can hold. What a command prints goes into no log; its environment is the allow-listed one, with the
marker of the attempt, so that what it leaves behind ends as all that the attempt starts.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from orchestration.errors import AgentMissing, SecretMissing, UsageError
from orchestration.models import SecretSource
from orchestration.process import Command, EndedBy, LiveChildren, child_environment, run_process
from orchestration.process.command_line import command_line
from orchestration.vault.dotenv import BadDotenv, parse_dotenv

MAX_SECRET: Final = 64 * 1024
"""Bytes of a secret: no variable of a child can be twice as long."""

MAX_FILE: Final = 1024 * 1024
"""Bytes of a `.env` file: it holds some lines."""

PATIENCE: Final = 60.0
"""Seconds for a command: a person may have to unlock a store of passwords, or to touch a key."""

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # the last: opening a pipe must not wait


async def secrets_for(
    names: Iterable[str],
    sources: Mapping[str, SecretSource],
    environment: Mapping[str, str],
    directory: Path,
    *,
    children: LiveChildren | None = None,
    patience: float = PATIENCE,
    marker: tuple[str, str] | None = None,
) -> dict[str, str]:
    """Look up secrets.

    Args:
        names: What is wanted; a name without a source is a variable of that name.
        sources: Where secrets are kept, from the settings.
        environment: Our own environment; commands get the allowed part of it.
        directory: The project's root: relative files start there, and commands run there.
        children: The program's book of what lives.
        patience: Seconds for each command.
        marker: The variable, with its value, by which all that commands start is found.

    Returns:
        Values by name, without the newlines at their ends.

    Raises:
        SecretMissing: one of them cannot be had.
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        source = sources.get(name) or SecretSource(env=name)
        if source.command is not None:
            command = _asking(source.command, environment, directory, patience, marker)
            value = _text(name, await _printed(name, source.command, command, children), _first_word(source.command))
        elif source.file is not None:
            value = _text(name, _read(name, _place(source.file, environment, directory), MAX_SECRET), source.file)
        elif source.dotenv is not None:
            value = _from_dotenv(name, source, environment, directory)
        else:
            value = _from_environment(name, source.env or name, environment)
        found[name] = _checked(name, value)
    return found


def _from_environment(name: str, variable: str, environment: Mapping[str, str]) -> str:
    if variable not in environment:
        raise SecretMissing(name, f"there is no variable {variable}", hint=f"export {variable}, or name another source")
    return environment[variable]


def _from_dotenv(name: str, source: SecretSource, environment: Mapping[str, str], directory: Path) -> str:
    shown, key = source.dotenv or "", source.key or name
    text = _text(name, _read(name, _place(shown, environment, directory), MAX_FILE), shown)
    try:
        values = parse_dotenv(text)
    except BadDotenv as error:
        raise SecretMissing(name, f"{shown}: {error}", hint="mend that line") from None
    if key not in values:
        raise SecretMissing(name, f"{shown} has no {key}", hint=f"add a line {key}=…, or name another `key`")
    return values[key]


def _place(written: str, environment: Mapping[str, str], directory: Path) -> Path:
    """The file that was named; `~` is the home of whoever started us."""
    if written == "~" or written.startswith("~/"):
        return Path(environment.get("HOME") or "~").expanduser() / written[2:]
    with suppress(RuntimeError):  # no such user: then it is the name of a file
        return directory / Path(written).expanduser()
    return directory / written


def _read(name: str, path: Path, limit: int) -> bytes:
    try:
        handle = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise SecretMissing(name, f"{path} cannot be read: {reason}", hint="correct the source") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise SecretMissing(name, f"{path} is no file", hint="name a file that holds nothing but the secret")
        with open(handle, "rb", closefd=False) as file:  # it is open already
            data = file.read(limit + 1)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise SecretMissing(name, f"{path} is over {limit} bytes", hint="name a file that holds nothing but secrets")
    return data


def _asking(
    line: str, environment: Mapping[str, str], directory: Path, patience: float, marker: tuple[str, str] | None
) -> Command:
    return Command(
        command_line(line),
        cwd=directory,
        env=child_environment(environment, extra=None if marker is None else dict([marker])),
        timeout=patience,
        kill_grace=1.0,
        max_capture=MAX_SECRET,
        marker=marker,
    )


async def _printed(name: str, line: str, command: Command, children: LiveChildren | None) -> bytes:
    """What a command prints; errors show its first word only, for an option may be a secret too."""
    shown = f"its command ({_first_word(line)} …)"
    try:
        end = await run_process(command, children=children)
    except (AgentMissing, UsageError) as error:
        raise SecretMissing(name, f"{shown} cannot be run: {error.message}", hint=error.hint) from None
    if end.ended_by is not EndedBy.ITSELF:
        raise SecretMissing(name, f"{shown} took longer than {command.timeout:g} s", hint="does it wait for a person?")
    if end.exit_code != 0:
        how = f"signal {end.signal}" if end.exit_code is None else f"exit code {end.exit_code}"
        raise SecretMissing(name, f"{shown} ended with {how}", hint="run it by hand; what it says is never kept")
    if end.stdout_total > MAX_SECRET:
        raise SecretMissing(name, f"{shown} printed over {MAX_SECRET} bytes", hint="have it print the secret alone")
    return end.stdout


def _first_word(line: str) -> str:
    return (line.split() or ["nothing"])[0][:60]


def _text(name: str, data: bytes, shown: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SecretMissing(name, f"what {shown} holds is not UTF-8", hint="encode it, as base64 for example") from None


def _checked(name: str, value: str) -> str:
    value = value.rstrip("\r\n")
    if not value.strip():
        raise SecretMissing(name, "it is empty", hint="set it, or take its name out of `secrets`")
    if "\0" in value or len(value.encode(errors="surrogateescape")) > MAX_SECRET:
        what = f"it holds a zero byte or is over {MAX_SECRET} bytes"
        raise SecretMissing(name, what, hint="no variable can hold it; let the agent read the file itself")
    return value
