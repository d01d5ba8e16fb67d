"""What PyYAML says about broken text → what is wrong, on which line, and what usually helps.

Its positions are taken with care: for something that was never closed, the line where it was opened says more than
the line where the parser gave up.
"""

import re
from typing import Final

import yaml

_OPENED: Final = ("while scanning a quoted scalar", "while scanning a simple key", "while parsing a flow")
_FORBIDDEN: Final = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS: Final = (
    ("mapping values are not allowed", "put text that contains ': ' in quotes"),
    ("could not find expected ':'", "write `key: value`; put text with special characters in quotes"),
    ("found unexpected end of stream", "close the quote"),
    ("did not find expected ',' or", "close the bracket; put text that begins with [ or { in quotes"),
    ("expected ',' or", "close the bracket; put text that begins with [ or { in quotes"),
    ("alphabetic or numeric", "put text that begins with * or & in quotes"),
)
_COMMON_HINT: Final = "check the indentation, and put text with special characters in quotes"
_HINTS_BY_CHARACTER: Final = {
    "\t": "indent with spaces, not with tabs",
    "@": "put text that begins with @ in quotes",
    "`": "put text that begins with ` in quotes",
    "%": "put text that begins with % in quotes",
}


class NotYaml(Exception):
    """The text is not YAML, or not of the kind that is allowed in a project's files."""

    def __init__(self, message: str, line: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.hint = hint


def explained(error: yaml.YAMLError, text: str, first_line: int) -> NotYaml:
    """Say what PyYAML found; `first_line` is the line of the file on which `text` begins."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        found = _FORBIDDEN.search(text)
        line = text.count("\n", 0, found.start()) if found else 0
        what = f"holds the control character {found[0]!r}" if found else f"this is not valid YAML: {error}"
        return NotYaml(what, first_line + line, "remove it" if found else None)
    problem, context = error.problem or "", error.context or ""
    mark = error.context_mark if error.context_mark and context.startswith(_OPENED) else error.problem_mark
    lines = text.split("\n")
    last = len(lines) - (lines[-1] == "" and len(lines) > 1)
    message = f"this is not valid YAML: {context + ': ' if context else ''}{problem}"
    return NotYaml(message, first_line + min(mark.line, last - 1), _hint(problem, lines, error.problem_mark))


def _hint(problem: str, lines: list[str], mark: yaml.Mark) -> str:
    if "start any token" in problem and mark.line < len(lines):
        character = lines[mark.line][mark.column : mark.column + 1]
        return _HINTS_BY_CHARACTER.get(character, _COMMON_HINT)
    return next((hint for part, hint in _HINTS if part in problem), _COMMON_HINT)
