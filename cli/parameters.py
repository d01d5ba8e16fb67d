"""Parameters of a run from the command line: `--param name=value`, and a file.

A value is JSON, or else the text that it is; a number that is not written as JSON would write it (`007`, `1.50`) is
text too, which becomes a number for who asks for one.
"""

import json
from pathlib import Path
from typing import Any

from orchestration.errors import UsageError


def parameters_of(written: list[str] | None, file: str | None) -> dict[str, Any]:
    """The parameters; those that are written over those of the file.

    Raises:
        UsageError: one is not `name=value`, or the file cannot be read.
    """
    given = {} if file is None else _of_file(Path(file))
    for one in written or ():
        name, equals, value = one.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"--param: {one[:80]!r} is not NAME=VALUE", hint="for example: --param size=3")
        given[name.strip()] = value_of(value)
    return given


def value_of(text: str) -> Any:  # noqa: ANN401  # any JSON
    """The value that a text stands for."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return text if is_number and json.dumps(value) != text.strip() else value


def _refuse(word: str) -> None:
    raise ValueError(word)


def _of_file(file: Path) -> dict[str, Any]:
    from orchestration.loading.yamlerrors import NotYaml
    from orchestration.loading.yamltext import parse

    try:
        found: object = parse(file.read_text(encoding="utf-8")).value
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--params-file: {file} cannot be read: {error}") from error
    except NotYaml as error:
        raise UsageError(f"--params-file: {file}:{error.line}: {error.message}", hint=error.hint) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UsageError(f"--params-file: {file} holds no names and values")
    return {str(name): value for name, value in found.items()}
