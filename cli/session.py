"""What one invocation was told: the global options, the environment read once at the entry, and where output goes.

Commands print through here, so that `--json`, `--quiet` and colours mean the same everywhere: data on standard output,
remarks on standard error.
"""

import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from orchestration.records import dataclass

if TYPE_CHECKING:
    from cli.render.progress import Progress
    from cli.render.watching import Past, Watcher
    from orchestration.orchestrator import ProjectOrchestrator

FALSE_WORDS: Final = frozenset({"", "0", "false", "no", "off"})
DEBUG_VARIABLE: Final = "ORCH_DEBUG"


@dataclass(slots=True)
class Session:
    """One invocation; the global options are filled in while the command line is read."""

    environment: Mapping[str, str] = field(default_factory=dict)
    root: str | None = None
    json: bool = False
    quiet: bool = False
    no_color: bool = False
    has_given: bool = False
    """Whether data was printed, or begun to be."""

    @property
    def is_plain(self) -> bool:
        """Whether nothing but plain text is wanted: no colours, no board, no questions."""
        return (
            self.no_color
            or bool(self.environment.get("NO_COLOR"))
            or self.environment.get("CI", "").lower() not in FALSE_WORDS
            or self.environment.get("TERM", "dumb") in {"dumb", "unknown"}
        )

    @property
    def is_debugging(self) -> bool:
        """Whether a traceback is wanted where we have failed."""
        return self.environment.get(DEBUG_VARIABLE, "").lower() not in FALSE_WORDS

    def colour(self, stream: TextIO) -> bool:
        """Whether a stream gets colours."""
        return stream.isatty() and not self.is_plain

    @property
    def colour_of_data(self) -> bool:
        """Whether what is printed as data gets colours."""
        return self.colour(sys.stdout)

    def width(self) -> int | None:
        """The cells of the terminal that standard output is, None where it is no terminal."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    @property
    def start(self) -> Path:
        """The folder that was named, or the current one.

        Raises:
            UsageError: the current folder was deleted, and no other was named.
        """
        from orchestration.errors import UsageError

        try:
            return Path(self.root).absolute() if self.root is not None else Path.cwd()
        except OSError as error:
            raise UsageError(
                f"the current folder is not there any more ({error.strerror})",
                hint="change into another one, or name the project with -C FOLDER",
            ) from error

    @property
    def folder(self) -> Path:
        """The project's folder: the one that was named, or the nearest upward; raises `NoProject`."""
        from orchestration.loading import find_root

        return self.start if self.root is not None else find_root(self.start)

    def orchestrator(self, *, looks: bool = False) -> "ProjectOrchestrator":
        """The project's orchestrator; raises what loading raises. What it starts does not outlive this process.

        Args:
            looks: whether the command only looks or ends something, for which a project that is not fit to be run will
                do as far as it can be read.
        """
        from orchestration.orchestrator import ProjectOrchestrator
        from orchestration.process import LiveChildren
        from orchestration.warden import Warden

        children = LiveChildren(Warden())
        made = ProjectOrchestrator(self.folder, environment=self.environment, children=children, check=not looks)
        if made.project.problems:
            from cli.render.words import count

            found = count(len(made.project.problems), "problem")
            say(f"{found} in the backlog, what they touch is left out; see: orch validate")
        return made

    def watcher(
        self, progress: "Progress", past: "Past", *, events: bool = False, data: TextIO | None = None
    ) -> "Watcher":
        """Who shows a run: JSON lines, nobody, the board on a terminal, or plain lines.

        Args:
            progress: what is kept of the run.
            past: finds what happened in a run before it was resumed.
            events: whether every event is wanted as JSON.
            data: where that goes; standard output without any.
        """
        from cli.render.watching import JsonLines, PlainLines, Watcher

        if events:
            return JsonLines(progress, data or sys.stdout, sys.stderr)
        if self.quiet:
            return Watcher(progress)
        if self.colour(sys.stderr):
            from cli.render.board import Board

            return Board(progress, sys.stderr, self.environment, past)
        return PlainLines(progress, sys.stderr)

    def give(self, kind: str, data: object, text: str | Iterable[str]) -> None:
        """Print the command's data: the envelope with `--json`, else the text for people."""
        self.has_given = True
        if self.json:
            from cli.render.envelope import for_stream
            from orchestration.exporting.envelope import envelope

            sys.stdout.write(for_stream(envelope(kind, data), sys.stdout) + "\n")
            return
        for line in [text] if isinstance(text, str) else text:
            sys.stdout.write(line + "\n")

    def give_line(self, kind: str, data: object, text: str) -> None:
        """Print data that people read as one line, which may hold names from outside."""
        from cli.render.clean import clean_line

        self.give(kind, data, clean_line(text))

    def remark(self, text: str) -> None:
        """Say something beside the data, unless `--quiet`."""
        if not self.quiet:
            say(text)


def say(text: str) -> None:
    """One line on standard error."""
    from cli.render.clean import clean_line

    sys.stdout.flush()
    sys.stderr.write(f"orch: {clean_line(text)}\n")
    sys.stderr.flush()


def session_of(context: Any) -> Session:  # noqa: ANN401  # Typer's context, of whichever version
    """The invocation that a command belongs to."""
    found: Session = context.find_root().obj
    return found
