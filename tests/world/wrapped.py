"""What the tests of backends share: backends that run commands under a shell, and executors on them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from orchestration.backends import Elsewhere, Wrapping
from orchestration.executors.shell import ShellExecutor
from orchestration.protocols import Backend, Executor, Start, Work

ABOVE = ("sh", "-c", 'echo wrapped >&2; "$@"; code=$?; exit $code', "above")
"""A program that stays above the one it runs, says so, and ends as that one did."""


class Above(Wrapping):
    """Runs each command under a shell that stays."""

    def command(self, work: Work, start: Start) -> Start:
        """One more program in front."""
        del work
        return replace(start, argv=(*ABOVE, *start.argv))


@dataclass(frozen=True, slots=True)
class By(Wrapping):
    """Rewrites by a function."""

    rewrite: Callable[[Start], Any]

    def command(self, work: Work, start: Start) -> Start:
        """Whatever the function says."""
        del work
        return self.rewrite(start)  # type: ignore[no-any-return]  # some tests give nonsense


def on(backend: Backend, here: Executor | None = None) -> Elsewhere:
    """The executor of commands, or another one, on a backend called `box:1`."""
    return Elsewhere("box:1", lambda _: backend, here or ShellExecutor())
