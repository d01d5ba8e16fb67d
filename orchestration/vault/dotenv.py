r"""The text of a `.env` file → its values, as written: nothing is executed, and no other variable is put in.

Understood: `KEY=VALUE`, `export KEY=VALUE`, blanks around both, comments (a line, or after a blank), values in single
quotes (as they stand) or double quotes (with `\n`, `\t`, `\r`, `\"`, `\\`, `\$`), also over several lines, line ends
of Windows, a byte order mark. A later line wins. Anything else is an error that names its line and never quotes it.
"""

import re
from typing import Final

_SPACE: Final = re.compile(r"(?:\s+|#[^\n]*)*")
_START: Final = re.compile(r"(?:export[ \t]+)?(?P<key>[A-Za-z_][\w.-]*)[ \t]*=[ \t]*")
_SINGLE: Final = re.compile(r"'(?P<value>[^']*)'")
_DOUBLE: Final = re.compile(r'"(?P<value>(?:[^"\\]|\\.)*+)"', re.DOTALL)
_BARE: Final = re.compile(r"(?P<value>(?:[^\s#'\"]\S*(?:[ \t]+(?!#)\S+)*+)?)")
_REST_OF_LINE: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$", "\n": ""}


class BadDotenv(ValueError):
    """A line of a `.env` file is not understood; the text says which."""


def parse_dotenv(text: str) -> dict[str, str]:
    """Values by name.

    Raises:
        BadDotenv: a line is no `KEY=VALUE`, or a quote is not closed.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    values: dict[str, str] = {}
    position = _after(_SPACE, text, 0)
    while position < len(text):
        start = _START.match(text, position)
        if start is None:
            raise BadDotenv(f"line {_line(text, position)} is not KEY=VALUE")
        value, position = _value(text, start.end())
        values[start["key"]] = value
        position = _after(_SPACE, text, position)
    return values


def _value(text: str, position: int) -> tuple[str, int]:
    """The value that begins here, and where the next line does."""
    sign = text[position : position + 1]
    form = {"'": _SINGLE, '"': _DOUBLE}.get(sign, _BARE)
    found = form.match(text, position)
    rest = _REST_OF_LINE.match(text, found.end()) if found else None
    if found is None or rest is None:
        what = "has a quote that is not closed" if found is None else "goes on after its value"
        raise BadDotenv(f"line {_line(text, position)} {what}")
    value = found["value"]
    if form is _DOUBLE:
        value = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[0]), value)
    return value, rest.end()


def _after(form: re.Pattern[str], text: str, position: int) -> int:
    found = form.match(text, position)
    return found.end() if found else position


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
