"""What was found, and how git is asked: never about the user's index, objects, hooks, filters or network."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from orchestration.errors import OrchError
from orchestration.masking import Masker
from orchestration.process import Command, EndedBy, LiveChildren, Stream, child_environment, run_process
from orchestration.records import dataclass

MAX_PATHS: Final = 10_000
"""Paths that are named; whoever changes more has unpacked something."""

MAX_ANSWER: Final = 32 * 1024 * 1024
"""Bytes of a list of paths: some hundred thousand; where there are more, we do not know."""

_ALWAYS: Final = {
    "core.fsmonitor": "false",  # would start a daemon, or a hook
    "core.hooksPath": "/dev/null",
    "core.untrackedCache": "false",
    "core.splitIndex": "false",  # would write a part of the index beside the user's
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "protocol.allow": "never",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What has changed.

    Attributes:
        paths: The changed files, relative to the folder, in order; at most `MAX_PATHS`.
        diff: The patch, bounded; None where there is no git. Of binary and large files it only says that they differ.
        more: How many changed files `paths` leaves out.
    """

    paths: tuple[str, ...]
    diff: str | None = None
    more: int = 0


class GitFailed(OrchError):
    """Git could not answer; whoever asked does without."""


class Head:
    """The first bytes of an output, and how many there were in all."""

    __slots__ = ("_limit", "data", "total")

    def __init__(self, limit: int) -> None:
        """Nothing was written yet."""
        self._limit = limit
        self.data = bytearray()
        self.total = 0

    def __call__(self, stream: Stream, data: bytes) -> None:
        """Keep what there is room for."""
        if stream is Stream.STDOUT:
            self.total += len(data)
            self.data += data[: self._limit - len(self.data)]


@dataclass(frozen=True, slots=True)
class Git:
    """How git is started for one folder; `settings` and `variables` are added to those that always hold."""

    directory: Path
    scratch: Path
    environment: Mapping[str, str]
    children: LiveChildren | None
    masker: Masker | None
    patience: float
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    async def ask(self, *arguments: str, stdin: bytes | None = None, fine: tuple[int, ...] = (0,)) -> bytes:
        """All that git prints.

        Raises:
            OrchError: Git is not there, fails, takes too long or says too much.
        """
        head = Head(MAX_ANSWER)
        await self._run(arguments, head, stdin, fine, None)
        if head.total > MAX_ANSWER:
            raise GitFailed("git printed too much")
        return bytes(head.data)

    async def show(self, *arguments: str, limit: int) -> str:
        """The beginning of what git prints, masked, and how much is missing; raises as `ask` does."""
        head = Head(limit)
        await self._run(arguments, head, None, (0,), self.masker)
        text = head.data.decode(errors="replace")
        return text if head.total <= limit else f"{text}\n[{head.total - limit} bytes left out]\n"

    async def _run(
        self, arguments: tuple[str, ...], head: Head, stdin: bytes | None, fine: tuple[int, ...], masker: Masker | None
    ) -> None:
        command = Command(
            ("git", *arguments),
            cwd=self.directory,
            env=self._surroundings(),
            stdin=stdin,
            timeout=self.patience,
            kill_grace=1.0,
            max_capture=0,
            masker=masker,
        )
        end = await run_process(command, head, children=self.children)
        if end.ended_by is not EndedBy.ITSELF or end.exit_code not in fine:
            raise GitFailed(f"git {arguments[0]} failed")

    def _surroundings(self) -> dict[str, str]:
        """Settings go by variables, because a name of a filter may hold what the command line gives a meaning to."""
        settings = {**_ALWAYS, **self.settings}
        numbered = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (name, value) in enumerate(settings.items()):
            numbered |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        own = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        return child_environment(self.environment, (), {**own, **numbered, **self.variables})
