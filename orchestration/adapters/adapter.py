"""One agent program, as its file describes it: what to start, how to read what it prints, how to end it.

Pure: an adapter decides and reads; whoever runs the program does. Process handling is never its business.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestration.adapters.denials import denied
from orchestration.adapters.form import Form
from orchestration.adapters.launch import Invocation, Launch, invocation_of, wrong_settings
from orchestration.adapters.reader import Reader
from orchestration.adapters.verdict import End
from orchestration.models import CliAgent
from orchestration.records import dataclass
from orchestration.results import Outcome

_RANGE: Final = re.compile(r"(<=|>=|==|!=|<|>)\s*([\d.]+)")


@dataclass(frozen=True, slots=True)
class Adapter:
    """An agent program; made by `parse_adapter`."""

    name: str
    form: Form

    @property
    def description(self) -> str:
        """One line for people."""
        return self.form.description

    @property
    def linger(self) -> float:
        """Seconds that the process may stay after its final event."""
        return self.form.linger

    @property
    def stop_signal(self) -> str:
        """The name of the signal that asks it to end, such as `TERM`."""
        return self.form.stop.signal

    @property
    def stop_grace(self) -> float | None:
        """Seconds that it needs to end then; None where it said nothing of it."""
        return self.form.stop.grace

    @property
    def can_resume(self) -> bool:
        """Whether a later attempt can go on with the session of an earlier one."""
        return self.form.session.resume

    def invocation(self, launch: Launch) -> Invocation:
        """What is to be started.

        Raises:
            LaunchError: it cannot be started as asked; `problems` lists every reason.
        """
        return invocation_of(self.form, self.name, launch)

    def wrong_settings(self, agent: CliAgent) -> list[tuple[str, str]]:
        """What an agent is set to that this program does not know: the field, and what is wrong with it."""
        return wrong_settings(self.form, agent)

    def reader(
        self,
        session: str | None = None,
        totals: Mapping[str, Any] | None = None,
        *,
        model: str | None = None,
        assigned: str | None = None,
    ) -> Reader:
        """A reader for one attempt.

        Args:
            session: the session that is resumed (`Invocation.resumed`).
            totals: `metadata["session_totals"]` of the attempt that last used that session.
            model: the model that was asked for, for agents that do not report theirs.
            assigned: what the new session was told to be called (`Invocation.assigned`).
        """
        return Reader(self.form, self.name, session=session, assigned=assigned, totals=totals, model=model)

    def version_of(self, printed: str) -> str | None:
        """The version in what the program printed when it was asked for it."""
        found = self.form.version.pattern.search(printed)
        if found is None:
            return None
        return found.groupdict().get("version") or (found[1] if found.re.groups else found[0])

    def is_tested(self, version: str) -> bool | None:
        """Whether the version lies in the range that the adapter was tested with; None where neither is known."""
        bounds = _RANGE.findall(self.form.version.tested or "")
        numbers = _numbers(version)
        if not bounds or not numbers:
            return None
        return all(_COMPARE[sign](numbers, _numbers(bound)) for sign, bound in bounds)


def replay(
    adapter: Adapter,
    lines: Iterable[bytes],
    *,
    exit_code: int | None = 0,
    signal: int | None = None,
    ended_by: str = "itself",
    stderr: str = "",
    side_files: Mapping[str, str] | None = None,
) -> Outcome:
    """What an adapter makes of recorded output, with no checks to prove anything."""
    reader = adapter.reader()
    for line in lines:
        reader.feed(line)
    for complaint in stderr.splitlines():
        reader.feed(complaint.encode("utf-8", "replace"), "stderr")
    for path, text in (side_files or {}).items():
        reader.side_file(path, text)
    end = End(exit_code=exit_code, signal=signal, ended_by=ended_by, stderr_tail=stderr)
    return denied(reader.verdict(end), proved=False)


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, without zeros at the end, so that 1.0 equals 1."""
    numbers = [int(part[:18]) for part in re.findall(r"\d+", version.split("-", maxsplit=1)[0])[:8]]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


_COMPARE: Final = {
    "<": tuple.__lt__,
    "<=": tuple.__le__,
    ">": tuple.__gt__,
    ">=": tuple.__ge__,
    "==": tuple.__eq__,
    "!=": tuple.__ne__,
}
