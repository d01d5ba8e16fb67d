"""JSON objects that tasks and agents wrote, as they can be stored, shown and passed on without becoming another thing.

Refused is what only some readers take, or what would come back from the state as something else: `NaN` and its like,
numbers out of range (`1e999`), half of a surrogate pair, and objects in objects deeper than `MAX_DEPTH`.
"""

import json
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 100
"""Objects in objects: deeper ones could be read here, but not wherever they are read later."""


def object_of(text: str, *, strict: bool = True) -> dict[str, Any]:
    """Read an object.

    Args:
        text: the JSON.
        strict: whether line ends and tabs inside of texts are refused, as the standard has it.

    Raises:
        ValueError: it is no JSON, no object, or nothing that can be kept as it is; RecursionError: much too deep.
    """
    found = json.loads(text, strict=strict, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004  # a fault of the text, like all the others
    json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair could be stored and shown nowhere
    if _is_deeper(found, MAX_DEPTH):
        raise ValueError(f"it has more than {MAX_DEPTH} levels")
    return found


def check_range(value: object) -> None:
    """Refuse numbers that are out of range, of which Python makes an infinity that no JSON can say.

    Raises:
        ValueError: there is one.
    """
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise ValueError("a number is out of range") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _is_deeper(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deeper(item, depth - 1) for item in items)
