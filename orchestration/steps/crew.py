"""The doer of a run of steps, for the scheduler: knows every unit by its path, and what came of it.

Composites become their parts here, live and in a replay by the same event; leaves do their work themselves. What a part
is, is found by its path alone, so nothing about a run is kept anywhere but in its events.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from orchestration.calls import Ended, Threads, generation
from orchestration.events import TaskExpanded
from orchestration.kinds import ExecutionStatus, Failure
from orchestration.ledger import Ledger
from orchestration.plan import Limits, Node
from orchestration.protocols import Decision, Drop, Expansion, Reporting
from orchestration.records import dataclass, maker
from orchestration.results import Outcome
from orchestration.steps.around import NOTHING, Given, perform
from orchestration.steps.binding import MISSING
from orchestration.steps.box import Box
from orchestration.steps.catalog import FOLDER, Catalog
from orchestration.steps.composites import RAISED
from orchestration.steps.current import Setting, Situation
from orchestration.steps.hiding import Hiding, names_in
from orchestration.steps.home import Home
from orchestration.steps.logs import StepLog
from orchestration.steps.returns import kept_as, restored
from orchestration.steps.unit import Part, Seat, Turn, Unit
from orchestration.steps.values import NotKept
from orchestration.store.files import StateFiles

_NO_OUTCOME: Final = Outcome()
_NO_SECRETS: Final = NOTHING.secrets

CAPACITY: Final = "steps at once"
"""The limit that the runs of one executor share."""

IN_THREADS: Final = "steps in threads"
"""The limit of those that call a plain function: one that had to wait for a thread would seem to be at work."""


@dataclass(frozen=True, slots=True)
class Means:
    """With what steps are done.

    Args:
        home: where commands and agents work.
        threads: where plain functions run.
        limits: the run's own, or shared with others.
        is_durable: whether values have to be JSON.
        overridden: a step as it is to be at its path, where something about steps is different in this run.
        in_threads: the name of the limit of those that call a plain function.
    """

    home: Home
    threads: Threads
    limits: Limits
    is_durable: bool
    overridden: Callable[[str, Unit], Unit] | None = None
    in_threads: str = IN_THREADS


class StepCrew:
    """Does the steps of one run.

    Args:
        run_id: the run.
        root: the outermost composite.
        parameters: what the run was given.
        ledger: knows what came of each step.
        means: with what it is done.
    """

    def __init__(
        self,
        run_id: str,
        root: Unit,
        parameters: Mapping[str, Any],
        ledger: Ledger,
        means: Means,
    ) -> None:
        """Seat the outermost steps."""
        self.run_id, self.generation = run_id, generation()
        self.parameters = parameters
        self.ledger = ledger
        self.home, self.threads = means.home, means.threads
        self.is_durable = means.is_durable
        self.live: dict[tuple[str, str], Any] = {}
        self.items: dict[str, list[Any]] = {}
        self.given: dict[str, Given] = {}
        named = names_in(root)
        self.hiding = Hiding(means.home, named) if named else None
        self.keeps_text = self.hiding is not None or self.home.state is not None
        self._setting: Setting | None = None
        self._catalog: Catalog | None = None
        self.left: dict[tuple[str, int], Outcome] = {}
        self._returning: dict[tuple[str, int], list[Callable[[], Awaitable[Any]]]] = {}
        self._limits = means.limits
        self._overridden = means.overridden
        self._shares_capacity = means.limits.is_limited(CAPACITY)
        self._in_threads = (means.in_threads,) if means.limits.is_limited(means.in_threads) else ()
        self._make_node, self._make_seat = maker(Node), maker(Seat)
        self._read = 0
        self._unread: dict[str, list[Seat]] = {}
        self._seats: dict[str, Seat] = {}
        self._boxes: dict[str, Box] = {}
        self.root = Box("", root, self, given=parameters)
        self._keep_to(self.root)
        turn = root.composite.first(self.root)
        self.outermost = [self._seated(self.root, part) for part in turn] if isinstance(turn, tuple) else []

    # -- for the scheduler --------------------------------------------------------------------------------------

    def perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome | Expansion | Awaitable[Outcome]:
        """One attempt of a leaf, or the parts of a composite."""
        del agent
        seat = self._seats[task_id]
        unit, boxes = seat.unit, self._boxes
        if boxes and task_id in boxes:
            return self._decision(boxes[task_id], unit.composite.first(boxes[task_id]))
        if unit.around is None and self.hiding is None:
            return unit.work.perform(seat, attempt, slot, report, self)  # type: ignore[union-attr]  # no composite, as was just seen
        return perform(unit.work, seat, attempt, slot, report, self)  # type: ignore[arg-type]  # as above

    def join(self, task_id: str) -> Decision | None:
        """What becomes of a composite all of whose parts have ended, or one has failed."""
        box = self._boxes[task_id]
        try:
            turn = box.unit.composite.next(box)
            return turn if turn is None or isinstance(turn, Drop) else self._decision(box, turn)
        except RAISED as error:  # such as a serializer's, for a value of its parts
            return Outcome(failure=Failure.INTERNAL, error=f"{box.path}: {type(error).__name__}: {error}")

    def decide(self, task_id: str) -> bool:
        """Whether a step runs at all."""
        seat = self._seats[task_id]
        return seat.unit.condition is None or seat.unit.condition(seat)

    def salvage(self, task_id: str, attempt: int) -> Outcome:
        """What can be said of an attempt that was cut off."""
        folder = None if self.home.state is None else self.home.state / self.run_id / task_id / str(attempt)
        log_path = str(folder) if folder is not None and folder.exists() else None
        left, abandoned = self.left.pop((task_id, attempt), _NO_OUTCOME), (task_id, attempt) in self._returning
        left = replace(left, log_path=log_path, abandoned=abandoned)
        return left if self.hiding is None else self.hiding.outcome(left, (), ())

    def leave_behind(self, task_id: str, attempt: int, name: str, thread: "asyncio.Future[Ended] | None") -> bool:
        """Note that nobody waits for a thread of an attempt any more; False where it has returned already."""
        if thread is None or thread.done():
            return False
        self.threads.abandon(name)
        self.note_left_behind(task_id, attempt, partial(asyncio.wait, [thread]))
        return True

    def note_left_behind(self, task_id: str, attempt: int, wait_for_end: Callable[[], Awaitable[Any]]) -> None:
        """Note that something of an attempt still goes on, and how to wait for its end."""
        self._returning.setdefault((task_id, attempt), []).append(wait_for_end)

    async def wait_for_return(self, task_id: str, attempt: int) -> None:
        """Wait until the threads of an abandoned attempt have returned."""
        for wait_for_end in self._returning.pop((task_id, attempt), ()):
            await wait_for_end()

    def _decision(self, box: Box, turn: Turn) -> Outcome | Expansion:
        if isinstance(turn, Outcome):
            outcome = self._kept(box, turn)
            return outcome if self.hiding is None else self.hiding.outcome(outcome, (), ())
        items = tuple(_item(box, part, self._unit_of(box, part)) for part in turn)
        return Expansion(template=box.unit.work.kind, items=items)

    def _kept(self, box: Box, outcome: Outcome) -> Outcome:
        """The end of a composite, whose values a durable store can keep: a reducer may have made anything."""
        if not self.is_durable or outcome.failure is not None or getattr(box.unit.work, "reducer", None) is None:
            return outcome
        try:
            serializers = box.unit.serializers
            values = {name: kept_as(serializers.get(name), value) for name, value in outcome.outputs.items()}
            return replace(outcome, outputs=values)
        except NotKept as error:
            return Outcome(
                failure=Failure.INVALID_OUTPUT, error=f"{box.path}: what the reducer made is not JSON: {error}"
            )

    # -- seats --------------------------------------------------------------------------------------------------

    def learn(self, event: TaskExpanded) -> list[Node]:
        """A composite became its parts; what the plan has to know of each."""
        box = self._boxes[event.task_id]
        self._keep_to(box)
        nodes = [self._seated(box, _part(item)) for item in event.items]
        if any("place" in item for item in event.items):
            place = {item["id"]: item.get("place", 0) for item in event.items}
            box.seats.sort(key=lambda seat: place[seat.path])
        return nodes

    def _keep_to(self, box: Box) -> None:
        if box.unit.at_once is not None:
            self._limits.set_cap(self._limit_of(box), box.unit.at_once)

    def _limit_of(self, box: Box) -> str:
        return f"parts of {self.run_id}/{box.path}"

    def _limits_in(self, box: Box, unit: Unit, *, is_composite: bool) -> tuple[str, ...]:
        """What a part of a composite uses; the same tuple for all that use the same."""
        in_thread = bool(self._in_threads and getattr(unit.work, "is_in_thread", False))
        kind = 2 * is_composite + in_thread
        kept = box.limits.get(kind)
        if kept is None:
            kept = () if box.unit.at_once is None else (self._limit_of(box),)
            if self._shares_capacity and not is_composite:
                kept = (*kept, CAPACITY)
            if in_thread:
                kept += self._in_threads
            box.limits[kind] = kept
        return kept

    def _unit_of(self, box: Box, part: Part) -> Unit:
        """What a part is made of, as it is to be in this run."""
        unit = box.unit.composite.units[part.unit]
        return unit if self._overridden is None else self._overridden(box.path_of(part), unit)

    def _seated(self, box: Box, part: Part) -> Node:
        unit, path, needs = self._unit_of(box, part), box.path_of(part), part.needs
        is_composite = unit.is_composite
        if needs and box.path:
            needs = tuple([box.path_of_need(need) for need in needs])
        seat = self._make_seat(path, unit, box)
        self._seats[path] = seat
        box.seats.append(seat)
        if is_composite:
            self._boxes[path] = Box(path, unit, self, box, part)
        return self._make_node(
            id=path,
            needs=needs,
            run_when=unit.run_when,
            conditional=unit.condition is not None,
            limits=self._limits_in(box, unit, is_composite=is_composite),
            keeps_limits=is_composite,
            joins_at_end=is_composite,
            joins_at_failure=is_composite and unit.ends_early,
            excused=unit.excused,
            fatal=box.is_fatal,
        )

    @property
    def seats(self) -> Mapping[str, Seat]:
        """Every unit of the run that is known so far, by path."""
        return self._seats

    @property
    def boxes(self) -> Mapping[str, Box]:
        """Every composite of the run that is known so far, by path; each after the one that it is in."""
        return self._boxes

    def let_go(self) -> None:
        """The run is over: let its steps be freed now, and not when the collector of garbage finds them."""
        for box in (self.root, *self._boxes.values()):
            box.seats.clear()
        self._boxes.clear()
        self._seats.clear()

    # -- around a step ------------------------------------------------------------------------------------------

    def situation(self, seat: Seat, attempt: int) -> Situation:
        """What the function of a step is told of when it asks."""
        path, setting = seat.path, self._setting or self._made_setting()
        return setting, path, attempt, self.given_to(path).secrets if self.given else _NO_SECRETS

    def _made_setting(self) -> Setting:
        setting = self._setting = Setting(self.run_id, self.parameters, self.home.directory, self.home.state)
        return setting

    def given_to(self, path: str) -> Given:
        """What the running attempt of a step was given beside its values."""
        return self.given.get(path, NOTHING)

    @property
    def catalog(self) -> Catalog:
        """The files that steps hand to each other; what it knows of an earlier life of the run is what was recorded."""
        if self._catalog is None:
            state, folder, besides = self.home.state, None, frozenset[Path]()
            if state is not None:
                own = (state, *(StateFiles(state.parent).own if self.is_durable else ()))
                besides = frozenset(path.resolve() for path in own)
                folder = state / self.run_id / FOLDER if self.is_durable else None
            ended = ((path, one.outcome) for path in self._seats for one in self.ledger.attempts_of(path))
            self._catalog = Catalog(folder, ended, besides)
        return self._catalog

    # -- what came of a step ------------------------------------------------------------------------------------

    def status_of(self, path: str) -> ExecutionStatus:
        """How far a step is."""
        return self.ledger.status_of(path)

    def ended(self, path: str) -> bool:
        """Whether a step has ended."""
        return self.ledger.status_of(path).is_final

    def take_succeeded(self, box: Box) -> Sequence[Seat]:
        """The parts of a composite that have succeeded since this was last asked for it."""
        succeeded = self.ledger.succeeded
        while self._read < len(succeeded):
            seat = self._seats[succeeded[self._read]]
            self._unread.setdefault(seat.box.path, []).append(seat)
            self._read += 1
        return self._unread.pop(box.path, ())

    def outcome_of(self, path: str) -> Outcome:
        """The outcome of a step's last attempt."""
        return self.ledger.outcome_of(path) or _NO_OUTCOME

    def outputs_of(self, seat: Seat) -> Mapping[str, Any]:
        """What a step has passed on, as it is recorded."""
        done = self.ledger.status_of(seat.path) is ExecutionStatus.SUCCESS
        return self.outcome_of(seat.path).outputs if done else {}

    def names_of(self, seat: Seat) -> tuple[str, ...]:
        """The names under which a step has passed something on."""
        if self.ledger.status_of(seat.path) is not ExecutionStatus.SUCCESS:
            return ()
        return tuple(self.outputs_of(seat)) if seat.unit.is_composite else seat.unit.binds

    def value_of(self, seat: Seat, name: str) -> Any:  # noqa: ANN401  # any value
        """A value that a step has passed on, or MISSING."""
        if self.live and (seat.path, name) in self.live:
            return self.live[seat.path, name]
        stored = self.outputs_of(seat).get(name, MISSING)
        return stored if stored is MISSING else restored(seat.unit.serializers.get(name), stored)

    def log_of(self, seat: Seat, attempt: int) -> StepLog | None:
        """The log of an attempt, where logs stay."""
        return None if self.home.state is None else StepLog(self.home.state, f"{self.run_id}/{seat.path}/{attempt}")


def _item(box: Box, part: Part, unit: Unit) -> dict[str, Any]:
    """A part as its event tells it."""
    found: dict[str, Any] = {"id": box.path_of(part), "unit": part.unit, "name": part.name}
    if part.needs:
        found["needs"] = [box.path_of_need(need) for need in part.needs]
        found["after"] = list(part.needs)
    if part.index is not None:
        found["index"] = part.index
    if part.place:
        found["place"] = part.place
    found["agent"] = unit.doer
    return found


def _part(item: Mapping[str, Any]) -> Part:
    return Part(item["unit"], item["name"], tuple(item.get("after", ())), item.get("index"), item.get("place", 0))
