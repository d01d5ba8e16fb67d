"""The command lines that loops and scripts call most, read without Typer, which takes as long to import as they may.

Only what is beyond doubt is read here: commands and options of the table, each a whole word, with values that are
right. For anything else there is no answer, and Typer reads the line anew: it alone says what is wrong, and helps. A
test holds the table to what Typer was told, and a property test holds both to the same reading.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cli.values import MOST_AT_ONCE, whole_number
from orchestration.errors import UsageError
from orchestration.kinds import ExecutionStatus, Mode, Priority

if TYPE_CHECKING:
    from cli.session import Session

Reading: TypeAlias = tuple[str, dict[str, Any], dict[str, Any]]
"""The command, what it is called with, and what the session is told."""

FUNCTIONS: Final[Mapping[str, str]] = {
    "execute-task": "cli.doing:execute_task",
    "run-batch": "cli.doing:run_batch",
    "list": "cli.listing:list_tasks",
}
"""Command → the function that does it."""

TAKES: Final[Mapping[str, str]] = {
    "execute-task": "task_id agent mode with_dependencies force backend events",
    "run-batch": (
        "ids max_concurrent labels phases priorities fail_fast timeout agent mode dry_run force backend events"
    ),
    "list": "labels phases priorities statuses",
}
"""Command → the parameters that are read here; a budget is left to Typer."""

FLAGS: Final[Mapping[str, tuple[str, bool]]] = {
    "--with-dependencies": ("with_dependencies", True),
    "--fail-fast": ("fail_fast", True),
    "--keep-going": ("fail_fast", False),
    "--dry-run": ("dry_run", True),
    "--force": ("force", True),
    "--events": ("events", True),
    "--json": ("json", True),
    "--quiet": ("quiet", True),
    "-q": ("quiet", True),
    "--no-color": ("no_color", True),
}
VALUES: Final[Mapping[str, str]] = {
    "--agent": "agent",
    "-a": "agent",
    "--mode": "mode",
    "--backend": "backend",
    "--max-concurrent": "max_concurrent",
    "-j": "max_concurrent",
    "--timeout": "timeout",
    "--project-root": "root",
    "-C": "root",
}
LISTS: Final[Mapping[str, str]] = {
    "--label": "labels",
    "-l": "labels",
    "--phase": "phases",
    "--priority": "priorities",
    "--status": "statuses",
}
OF_SESSION: Final = frozenset({"json", "quiet", "no_color", "root"})
"""What may stand before the command too."""

READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "mode": lambda text: Mode(text.lower()),
    "priorities": lambda text: Priority(text.lower()),
    "statuses": lambda text: ExecutionStatus(text.lower()),
    "max_concurrent": whole_number("--max-concurrent", 1, MOST_AT_ONCE),
}


def read(arguments: Sequence[str]) -> Reading | None:
    """What a command line says, None where only Typer can tell."""
    line = _Line()
    words = iter(arguments)
    try:
        for word in words:
            line.take(word, words)
    except (_Doubt, StopIteration, ValueError, UsageError):
        return None
    if line.command is None or ("task_id" in line.known and "task_id" not in line.given):
        return None
    return line.command, line.given, line.session


def call(reading: Reading, session: "Session") -> Any:  # noqa: ANN401  # what the command gives
    """Do what was read."""
    command, given, told = reading
    for name, value in told.items():
        setattr(session, name, value)
    module, _, function = FUNCTIONS[command].partition(":")
    return getattr(import_module(module), function)(session, **given)


class _Doubt(Exception):
    """This is for Typer."""


class _Line:
    """A command line, as far as it was read."""

    def __init__(self) -> None:
        self.command: str | None = None
        self.known: frozenset[str] = frozenset()
        self.given: dict[str, Any] = {}
        self.session: dict[str, Any] = {}

    def take(self, word: str, rest: Iterator[str]) -> None:
        """Take in a word, and its value where it has one."""
        if not word.startswith("-"):
            self._take_word(word)
        elif word in FLAGS:
            self._put(*FLAGS[word])
        else:
            option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
            self._take_option(option, value if equals else next(rest))

    def _take_word(self, word: str) -> None:
        if self.command is None:
            if word not in FUNCTIONS:
                raise _Doubt
            self.command, self.known = word, frozenset(TAKES[word].split())
        elif "ids" in self.known:
            self.given.setdefault("ids", []).append(word)
        elif "task_id" in self.known and "task_id" not in self.given:
            self.given["task_id"] = word
        else:
            raise _Doubt

    def _take_option(self, option: str, text: str) -> None:
        if text.startswith("-") or not text:
            raise _Doubt
        if option in LISTS:
            name = LISTS[option]
            self._put(name, [*self.given.get(name, ()), READERS.get(name, str)(text)])
        elif option in VALUES:
            name = VALUES[option]
            self._put(name, READERS.get(name, str)(text))
        else:
            raise _Doubt

    def _put(self, name: str, value: Any) -> None:  # noqa: ANN401  # a flag, a text, a number, a list
        if name in OF_SESSION:
            self.session[name] = value
        elif name in self.known:
            self.given[name] = value
        else:
            raise _Doubt
