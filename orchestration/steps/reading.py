"""What people write about steps: names, durations, retries. Checked once, where a step is made."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from orchestration.calls import Limits
from orchestration.errors import UsageError
from orchestration.graph import nearest
from orchestration.models import Backoff, RetryPolicy
from orchestration.models.fields import seconds_of

MAX_NAME: Final = 100
GRACE: Final = 5.0
"""Seconds that a cancelled step gets to clean up, unless it says otherwise."""

_USUAL: Final = Limits(grace=GRACE)

_FORBIDDEN: Final = frozenset("/[]\\\0\n\r\t")


def checked_name(name: object, what: str = "a step") -> str:
    """A name that can be part of a path and of the name of a folder.

    Raises:
        UsageError: it cannot.
    """
    fits = isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.strip() == name and name not in {".", ".."}
    if not isinstance(name, str) or not fits or _FORBIDDEN & set(name):
        hint = f"use 1 to {MAX_NAME} characters other than / \\ [ ] and line breaks"
        raise UsageError(f"{name!r:.120} cannot be the name of {what}", hint=hint)
    return name


def checked_function(function: object, where: str) -> Callable[..., Any]:
    """Something that can be called.

    Raises:
        UsageError: it cannot.
    """
    if not callable(function):
        raise UsageError(
            f"{where}: {function!r:.80} is no function", hint="give the function itself, without calling it"
        )
    return function


def checked_count(limit: object, what: str) -> None:
    """A number from 1 on, or None for no limit.

    Raises:
        UsageError: it is neither.
    """
    if limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1):
        return
    raise UsageError(f"{what} is {limit!r:.40}; it is a number from 1 on, or None for no limit")


def checked_value_name(name: object, what: str) -> None:
    """The name of a value.

    Raises:
        UsageError: it is no identifier.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise UsageError(f"{what} is {name!r:.80}, which cannot be the name of a value")


def checked_folder(written: object, what: str) -> Path:
    """The path of a folder, which need not be there yet.

    Raises:
        UsageError: it is no path, or something else is there.
    """
    if not isinstance(written, str | os.PathLike):
        raise UsageError(f"{what} is {written!r:.80}; it is the path of a folder")
    path = Path(written)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{what} is {str(path)!r:.200}, which is no folder")
    return path


def checked_list(written: object, what: str) -> None:
    """A list, and no text, which is a list of characters to Python.

    Raises:
        UsageError: it is none.
    """
    if isinstance(written, str) or not isinstance(written, Sequence):
        raise UsageError(f"{what} are a list, not {written!r:.80}")


def checked_mapping(written: object, what: str) -> None:
    """A dictionary.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(written, Mapping):
        raise UsageError(f"{what} are a dictionary, not {written!r:.80}")


def seconds(value: float | str | None, what: str) -> float | None:
    """A duration above zero in seconds, or as `500ms`, `30s`, `5m`, `2h`; None for none.

    Raises:
        UsageError: it is none of these.
    """
    if value is None:
        return None
    try:
        found = seconds_of(value)
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from error
    if found <= 0:
        raise UsageError(f"{what}: a limit of zero would end the work before it starts")
    return found


def limits(where: str, timeout: float | str | None, idle: float | str | None, grace: float | str | None) -> Limits:
    """What a call may take."""
    if timeout is None and idle is None and grace is None:
        return _USUAL
    try:
        waits = GRACE if grace is None else seconds_of(grace)
    except ValueError as error:
        raise UsageError(f"{where}: kill_grace: {error}") from error
    return Limits(seconds(timeout, f"{where}: timeout"), seconds(idle, f"{where}: idle_timeout"), waits)


def retry_of(written: object, where: str) -> RetryPolicy | None:
    """A retry policy: one, a number of attempts, or a dictionary as in a task's `retry`.

    Raises:
        UsageError: it is none of these.
    """
    if written is None or isinstance(written, RetryPolicy):
        return written
    _refuse_unknown(written, RetryPolicy, f"{where}: retry")
    if isinstance(written, Mapping):
        _refuse_unknown(written.get("backoff"), Backoff, f"{where}: retry.backoff")
    try:
        return RetryPolicy.model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(["retry", *map(str, first["loc"])])
        raise UsageError(f"{where}: {place}: {first['msg']}") from error


def _refuse_unknown(written: object, model: type[BaseModel], where: str) -> None:
    for key in written if isinstance(written, Mapping) else ():
        if key not in model.model_fields:
            raise UsageError(f"{where} has no {key!r:.80}", hint=nearest(str(key), model.model_fields))
