"""Tasks → a directed graph without cycles. Order is declaration order, always.

Works on indices, and keeps edges in one piece of memory instead of a tuple for each task, so that a million tasks cost
little; errors name ids. Edges survived: ids given twice, unknown dependencies (with the nearest known id), a task that
depends on itself, several separate cycles (each is named), chains far deeper than Python's recursion limit, and the
same dependency listed twice.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import accumulate, pairwise
from operator import sub
from typing import Final, overload

from orchestration.errors import GraphError, Problem
from orchestration.records import dataclass

MAX_CYCLES_NAMED: Final = 20
"""A backlog with more separate cycles than this has one mistake made many times; naming all would drown it."""


MAX_CYCLE_NAMED: Final = 20
"""Members of one cycle that its message names; nobody reads on."""

MAX_HINTS: Final = 20
"""Finding the nearest id reads all of them, so a backlog in which every dependency is wrong gets only that many."""

MAX_WORD: Final = 100
"""Longer than any id; comparing words takes time that grows with their product."""


class Rows(Sequence[Sequence[int]]):
    """Many short rows of numbers in two arrays, which are there to be read by loops over all of them.

    Attributes:
        numbers: those of all rows, one after the other.
        starts: row `i` is `numbers[starts[i]:starts[i + 1]]`.
    """

    __slots__ = ("numbers", "starts")

    def __init__(self, numbers: "array[int]", starts: "array[int]") -> None:
        self.numbers = numbers
        self.starts = starts

    @classmethod
    def of(cls, rows: Iterable[Iterable[int]]) -> "Rows":
        """Copy the rows."""
        numbers, starts = array("i"), array("i", [0])
        for row in rows:
            if row:
                numbers.extend(row)
            starts.append(len(numbers))
        return cls(numbers, starts)

    def reversed(self) -> "Rows":
        """For each number, the rows that hold it, in order."""
        counts = array("i", bytes(4 * len(self.starts)))
        for number in self.numbers:
            counts[number + 1] += 1
        starts = array("i", accumulate(counts))
        free, numbers = starts[:], self.numbers[:]
        for row, held in enumerate(self):
            for number in held:
                numbers[free[number]] = row
                free[number] += 1
        return Rows(numbers, starts)

    def copy(self) -> "Rows":
        """The same rows, which can become more by themselves."""
        return Rows(self.numbers[:], self.starts[:])

    def lengths(self) -> "array[int]":
        """How many numbers each row has."""
        return array("i", map(sub, self.starts[1:], self.starts))

    def append(self, row: Iterable[int]) -> None:
        """Add a row at the end."""
        self.numbers.extend(row)
        self.starts.append(len(self.numbers))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, i: int) -> Sequence[int]: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[Sequence[int]]: ...
    def __getitem__(self, i: int | slice) -> Sequence[int] | Sequence[Sequence[int]]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        if i < 0:
            i += len(self)
        return self.numbers[self.starts[i] : self.starts[i + 1]]

    def __iter__(self) -> Iterator[Sequence[int]]:
        numbers = self.numbers
        return (numbers[start:end] for start, end in pairwise(self.starts))


@dataclass(frozen=True, slots=True)
class Graph:
    """Who depends on whom, by index in declaration order; `order` has every task after those that it needs."""

    ids: list[str]
    index: dict[str, int]
    needs: Rows
    needed_by: Rows
    order: "array[int]"

    @classmethod
    def build(cls, edges: Iterable[tuple[str, Sequence[str]]]) -> "Graph":
        """Build the graph from `(id, ids it depends on)` pairs.

        Raises:
            GraphError: carries every duplicate id, unknown dependency and cycle.
        """
        ids: list[str] = []
        wanted: list[Sequence[str]] = []
        for task_id, needs_ids in edges:
            ids.append(task_id)
            wanted.append(needs_ids)
        index = {task_id: i for i, task_id in enumerate(ids)}
        try:
            needs = Rows.of(dict.fromkeys(map(index.__getitem__, row)) if row else () for row in wanted)
        except KeyError:
            needs = Rows.of([])
        if len(index) < len(ids) or len(needs) < len(ids):
            raise _error([*_duplicates(ids, index), *_unknown(ids, wanted, index)])
        needed_by = needs.reversed()
        order = _topological(needs, needed_by)
        if len(order) < len(ids):
            raise _error([cycle_problem([ids[i] for i in cycle]) for cycle in _cycles(needs, order)])
        return cls(ids, index, needs, needed_by, order)

    def copy(self) -> "Graph":
        """The same graph, which can grow by itself."""
        return Graph(self.ids[:], self.index.copy(), self.needs.copy(), self.needed_by.copy(), self.order[:])

    def grow(self, edges: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Add tasks that depend on nothing but earlier ones of each other.

        Raises:
            GraphError: an id is there already, or a dependency is not among those before it.
        """
        new: dict[str, int] = {}
        for task_id, needs_ids in edges:
            if task_id in self.index or task_id in new or not all(need in new for need in needs_ids):
                raise GraphError(f"{task_id} cannot be added: its id is taken, or it depends on what is not new")
            new[task_id] = len(self.ids) + len(new)
        rows = [list(dict.fromkeys(new[need] for need in needs_ids)) for _, needs_ids in edges]
        dependants: dict[int, list[int]] = {i: [] for i in new.values()}
        for (task_id, i), row in zip(new.items(), rows, strict=True):
            self.ids.append(task_id)
            self.index[task_id] = i
            self.needs.append(row)
            self.order.append(i)
            for need in row:
                dependants[need].append(i)
        for row in dependants.values():
            self.needed_by.append(row)

    def longest_remaining(self, weights: Sequence[float]) -> list[float]:
        """For each task, the heaviest path from it (itself included) to any end, in the weights' unit."""
        return list(self._remaining(weights))

    def _remaining(self, weights: Sequence[float]) -> "array[float]":
        remaining = array("d", weights)
        if not self.needed_by.numbers:
            return remaining
        numbers, starts = self.needed_by.numbers, self.needed_by.starts
        for i in reversed(self.order):
            first, end = starts[i], starts[i + 1]
            if end - first == 1:  # as in a chain
                remaining[i] += remaining[numbers[first]]
            elif first < end:
                remaining[i] += max([remaining[j] for j in numbers[first:end]])
        return remaining

    def heaviest(self, weights: Sequence[float]) -> float:
        """The weight of the heaviest path."""
        return max(self._remaining(weights), default=0.0)

    def critical_path(self, weights: Sequence[float]) -> tuple[list[int], float]:
        """The heaviest path through the graph, as indices from its first task on, and its weight."""
        if not self.ids:
            return [], 0.0
        remaining = self._remaining(weights)
        here = max(range(len(self.ids)), key=lambda i: (remaining[i], -i))
        path, weight = [here], remaining[here]
        while self.needed_by[here]:
            here = max(self.needed_by[here], key=lambda i: (remaining[i], -i))
            path.append(here)
        return path, weight

    def upstream(self, task_ids: Iterable[str]) -> list[str]:
        """The given tasks with everything that they depend on, directly or not, in declaration order."""
        return self._closure(task_ids, self.needs)

    def downstream(self, task_ids: Iterable[str]) -> list[str]:
        """The given tasks with everything that depends on them, directly or not, in declaration order."""
        return self._closure(task_ids, self.needed_by)

    def _closure(self, task_ids: Iterable[str], along: Sequence[Sequence[int]]) -> list[str]:
        todo = [self.index[task_id] for task_id in task_ids]
        seen = set(todo)
        while todo:
            for i in along[todo.pop()]:
                if i not in seen:
                    seen.add(i)
                    todo.append(i)
        return [self.ids[i] for i in sorted(seen)]


def _topological(needs: Rows, needed_by: Rows) -> "array[int]":
    """Kahn's algorithm (1962); what lies on or behind a cycle is missing from the answer."""
    missing = needs.lengths()
    order = array("i", [i for i, count in enumerate(missing) if count == 0])
    numbers, starts = needed_by.numbers, needed_by.starts
    if not numbers:
        return order
    for i in order:  # grows while it is walked
        for j in numbers[starts[i] : starts[i + 1]]:
            left = missing[j] = missing[j] - 1
            if not left:
                order.append(j)
    return order


def cycles(needs: Iterable[Iterable[int]]) -> list[list[int]]:
    """The cycles among tasks of which each lists whom it depends on; one for each knot, in declaration order."""
    rows = Rows.of(needs)
    return _cycles(rows, _topological(rows, rows.reversed()))


def _cycles(needs: Sequence[Sequence[int]], order: Sequence[int]) -> list[list[int]]:
    """One cycle for each knot among the tasks that `order` left out, each from its first-declared member on."""
    left = set(range(len(needs))) - set(order)
    found: list[list[int]] = []
    walked: set[int] = set()
    for start in sorted(left):
        path: list[int] = []
        position: dict[int, int] = {}
        here = start
        while here not in walked and here not in position:
            position[here] = len(path)
            path.append(here)
            here = min(j for j in needs[here] if j in left)
        if here in position:
            cycle = path[position[here] :]
            first = cycle.index(min(cycle))
            found.append(cycle[first:] + cycle[:first])
        walked.update(path)
    return found[:MAX_CYCLES_NAMED]


def cycle_problem(cycle: Sequence[str]) -> Problem:
    """What to say about one cycle of ids."""
    if len(cycle) == 1:
        return Problem(f"{cycle[0]} depends on itself", hint="remove that dependency", about=cycle[0])
    named = list(cycle)
    if len(named) > MAX_CYCLE_NAMED:
        named[MAX_CYCLE_NAMED - 1 : -1] = [f"({len(named) - MAX_CYCLE_NAMED:,} more)"]
    chain = " → ".join([*named, cycle[0]])
    hint = "remove one of these dependencies (an arrow means 'depends on')"
    return Problem(f"cycle: {chain}", hint=hint, about=cycle[0])


def _duplicates(ids: Sequence[str], index: Mapping[str, int]) -> list[Problem]:
    twice = dict.fromkeys(task_id for i, task_id in enumerate(ids) if index[task_id] != i)
    return [Problem(f"the id {task_id} is given twice", hint="ids are unique", about=task_id) for task_id in twice]


def _unknown(ids: Sequence[str], wanted: Sequence[Sequence[str]], index: Mapping[str, int]) -> list[Problem]:
    found = [(task_id, need) for task_id, row in zip(ids, wanted, strict=True) for need in row if need not in index]
    return [
        Problem(
            f"{task_id} depends on {need}, which does not exist",
            hint=nearest(need, index) if i < MAX_HINTS else None,
            about=task_id,
        )
        for i, (task_id, need) in enumerate(found)
    ]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the known word most like this one, None where nothing is near."""
    close = get_close_matches(word[:MAX_WORD], list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else None


def _error(problems: list[Problem]) -> GraphError:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return GraphError(f"{problems[0].message}{more}", hint=problems[0].hint, problems=problems)
