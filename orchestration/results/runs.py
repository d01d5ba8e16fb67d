"""How a run ended: one result for every task, and what follows from all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol, Self

from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.records import dataclass
from orchestration.results.records import ExecutionResult, JsonDict, Usage, iso, time_of
from orchestration.shown import shown


class Books(Protocol):
    """Knows what is to be said of each task, and does not change any more."""

    def results(self) -> tuple[ExecutionResult, ...]:
        """All of it."""
        ...

    def statuses(self) -> Iterable[ExecutionStatus]:
        """How each task has ended, which is cheap to say."""
        ...


class _Later:
    """What is no field of the record: who makes the results of a run, and the results by their ids."""

    __slots__ = ("_books", "_by_id")

    _books: Books | None
    _by_id: Mapping[str, ExecutionResult] | None


@dataclass(frozen=True, slots=True, repr=False)
class RunResult(_Later):
    """How a run ended: one result for every task, in declaration order.

    `wall_seconds` is monotonic time from the run's start to its end, `step_seconds` the sum over all attempts,
    `critical_path_seconds` the longest chain of dependent tasks by measured durations. `reason` says why the run
    ended as it did where its tasks do not (`timeout`, `cancelled`, `signal 2`).

    What is to be said of each task may be made when somebody first asks (`with_results_later`).
    """

    run_id: str
    status: RunStatus
    results: tuple[ExecutionResult, ...] = ()
    started_at: datetime | None = None
    completed_at: datetime | None = None
    wall_seconds: float = 0.0
    step_seconds: float = 0.0
    critical_path_seconds: float = 0.0
    reason: str | None = None

    def with_results_later(self, books: Books) -> Self:
        """The same, with results that are made when somebody first asks for them.

        Many only want to know how a run of ten thousand steps came out, and making them takes a tenth of such a run.
        """
        later = replace(self)
        object.__delattr__(later, "results")
        object.__setattr__(later, "_books", books)
        return later

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # called only where a field has no value yet
        """Make the results."""
        if name in {"_books", "_by_id"}:
            return None
        books = self._books if name == "results" else None
        if books is not None:  # else another thread was faster, or there is no such attribute
            object.__setattr__(self, "results", books.results())
            object.__setattr__(self, "_books", None)
        return object.__getattribute__(self, name)

    @property
    def by_id(self) -> Mapping[str, ExecutionResult]:
        """The results by task id, to be looked at."""
        known = self._by_id
        if known is None:
            known = MappingProxyType({result.task_id: result for result in self.results})
            object.__setattr__(self, "_by_id", known)
        return known

    @property
    def outputs(self) -> dict[str, Any]:
        """Final values by name; where two tasks passed on the same name, the later one in declaration order.

        A value that has no name but `result` is there by the name of its task too. What parts of a step passed on is in
        their own records, and in what that step made of it.
        """
        own = [result for result in self.results if not is_part(result.task_id)]
        unnamed = {result.task_id: result.outputs["result"] for result in own if set(result.outputs) == {"result"}}
        return unnamed | {name: value for result in own for name, value in result.outputs.items()}

    @property
    def counts(self) -> dict[str, int]:
        """How many tasks are in each status that occurs."""
        books = self._books
        statuses = (result.status for result in self.results) if books is None else books.statuses()
        return {status.value: n for status, n in Counter(statuses).items()}

    @property
    def usage(self) -> Usage | None:
        """What all attempts used of models together; None where nothing was reported."""
        used = [a.outcome.usage for result in self.results for a in result.attempts if a.outcome.usage]
        return sum(used[1:], used[0]) if used else None

    @property
    def succeeded(self) -> bool:
        """Whether every task succeeded or was rightly skipped."""
        return self.status is RunStatus.SUCCESS

    def __getitem__(self, task_id: str) -> ExecutionResult:
        """The result of one task: by its id, or by the last word of a path that no other path ends with.

        Raises:
            KeyError: the run has no such task, or several.
        """
        found = self.by_id.get(task_id)
        if found is not None:
            return found
        ends = [result for result in self.results if result.task_id.rpartition("/")[2] == task_id]
        if len(ends) == 1:
            return ends[0]
        raise KeyError(task_id if not ends else f"{task_id}: {', '.join(one.task_id for one in ends)}")

    def __repr__(self) -> str:
        """Short, however many tasks there are."""
        counts = ", ".join(f"{n} {status}" for status, n in self.counts.items())
        return f"<RunResult {self.run_id} {self.status.value}: {counts}; {self.wall_seconds:.3f}s>"

    def to_dict(self) -> JsonDict:
        """The run as JSON; the derived values are included for readers without Python."""
        usage = self.usage
        return {
            "run_id": self.run_id,
            "status": self.status.value,
            "reason": self.reason,
            "results": [result.to_dict() for result in self.results],
            "outputs": shown(self.outputs),
            "started_at": iso(self.started_at),
            "completed_at": iso(self.completed_at),
            "wall_seconds": self.wall_seconds,
            "step_seconds": self.step_seconds,
            "critical_path_seconds": self.critical_path_seconds,
            "counts": self.counts,
            "usage": usage.to_dict() if usage else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The run from its JSON."""
        return cls(
            run_id=data["run_id"],
            status=RunStatus(data["status"]),
            results=tuple(ExecutionResult.from_dict(result) for result in data["results"]),
            started_at=time_of(data["started_at"]),
            completed_at=time_of(data["completed_at"]),
            wall_seconds=data["wall_seconds"],
            step_seconds=data["step_seconds"],
            critical_path_seconds=data["critical_path_seconds"],
            reason=data["reason"],
        )


def is_part(task_id: str) -> bool:
    """Whether a path is that of a part: `p/left`, `m[3]`; ids of tasks and names of steps have no such signs."""
    return "/" in task_id or "[" in task_id
