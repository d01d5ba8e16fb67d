"""What unquoted YAML text means: text, unless it is a truth, nothing, or a number as JSON has them.

YAML 1.1 takes `no` for False, `012` for ten, `1:30` for ninety and `2024-01-01` for a date; here they are text. A
number whose digits would be lost by reading it as one (`1.50`, `1e3`) becomes a `Numeral`: text that knows that it can
be a number, so that the version `1.10` stays `1.10` where text is meant.
"""

import math
import re
from typing import Any, Final

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
BEGINS_OTHER: Final = frozenset({*"0123456789+-.~nNtTfF", ""})
"""First characters of whatever may be more than text; all other text need not be looked at."""

_NUMBER: Final = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_MOST_DIGITS: Final = 18  # of a whole number that fits in 64 bits; more are an id, not an amount


class Numeral(str):
    """A number in a spelling that Python would not give it back in; it is text until someone wants the number."""

    __slots__ = ()

    @property
    def number(self) -> float | int | str:
        """The number, or the text where it is beyond what a float can hold."""
        value = int(self) if self.lstrip("+-").isdecimal() else float(self)
        return value if math.isfinite(value) else str(self)


def plain(text: str) -> Any:  # noqa: ANN401  # any of the plain values
    """What unquoted text means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0].isalpha() or not _NUMBER.fullmatch(text):
        return text
    if not (digits := text.lstrip("+-")).isdecimal():
        number: float = float(text)
    elif len(digits) <= _MOST_DIGITS:
        number = int(text)
    else:
        return text
    return number if str(number) == text else Numeral(text)


def numbers_in(value: Any) -> Any:  # noqa: ANN401  # any of the plain values
    """The same value with every numeral as the number that it is."""
    if isinstance(value, Numeral):
        return value.number
    if isinstance(value, dict):
        return {key: numbers_in(item) for key, item in value.items()}
    return [numbers_in(item) for item in value] if isinstance(value, list) else value
