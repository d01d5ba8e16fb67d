"""Puts the parts of one run of steps together: crew, graph, plan, ledger, recorder, scheduler; and makes its result."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestration.events import TaskExpanded
from orchestration.garbage import uncollected
from orchestration.graph import Graph
from orchestration.kinds import ExecutionStatus
from orchestration.ledger import Ledger
from orchestration.plan import Node, Plan
from orchestration.protocols import Listener
from orchestration.records import dataclass
from orchestration.results import ExecutionResult, RunResult
from orchestration.scheduler import Job, Recorder, Scheduler
from orchestration.steps.box import Box
from orchestration.steps.crew import Means, StepCrew
from orchestration.steps.program import Program
from orchestration.steps.unit import Unit


@dataclass(frozen=True, slots=True)
class _Books:
    """The ledger of a run that is over; of the run itself, and what it was given, nothing is kept for later."""

    ledger: Ledger

    def statuses(self) -> Iterator[ExecutionStatus]:
        return self.ledger.statuses()

    @uncollected()
    def results(self) -> tuple[ExecutionResult, ...]:
        return self.ledger.results()


@dataclass(frozen=True, slots=True)
class StepRun:
    """One run in memory, ready to be opened, replayed or driven."""

    run_id: str
    plan: Plan
    ledger: Ledger
    recorder: Recorder
    scheduler: Scheduler
    crew: StepCrew

    def result(self) -> RunResult:
        """The run as it is at its end; what composites took is what their parts took."""
        ledger = self.ledger
        if self.crew.boxes:
            return ledger.summary(self._critical()).with_results_later(_Books(ledger))
        seconds = ledger.seconds()
        return ledger.summary(self.plan.graph.heaviest(seconds), sum(seconds)).with_results_later(_Books(ledger))

    def _critical(self) -> float:
        """The heaviest path through steps of which some are in others, in seconds.

        Inner boxes come first, so that no depth is too deep.
        """
        weights = {task_id: self.ledger.seconds_of(task_id) for task_id in self.ledger.listed()}
        graph, boxes = self.plan.graph, [*reversed([*self.crew.boxes.values()]), self.crew.root]
        waits = any(seat.unit.needs for box in boxes for seat in box.seats)
        rank = {graph.ids[i]: rank for rank, i in enumerate(graph.order)} if waits else {}
        for box in boxes:
            if box.seats:
                weights[box.path] = _heaviest(box, weights, rank)
        return weights.get("", 0.0)


def _heaviest(box: Box, weights: Mapping[str, float], rank: Mapping[str, int]) -> float:
    """The heaviest path through the parts of one composite; `rank` puts each after those that it waits for."""
    own = [weights.get(seat.path, 0.0) for seat in box.seats]
    if box.unit.work.kind == "loop":  # rounds follow each other without waiting for each other in the plan
        return sum(own)
    if not any(seat.unit.needs for seat in box.seats):
        return max(own)
    reached: dict[str, float] = {}
    for seat in sorted(box.seats, key=lambda seat: rank[seat.path]):
        before = [reached.get(box.path_of_need(need), 0.0) for need in seat.unit.needs]
        reached[seat.path] = max(before, default=0.0) + weights.get(seat.path, 0.0)
    return max(reached.values())


@uncollected()
def assemble(
    program: Program,
    run_id: str,
    parameters: Mapping[str, Any],
    means: Means,
    listener: Listener | None,
) -> StepRun:
    """Build the run; must be called inside the loop that drives it."""
    ledger = Ledger()
    crew = StepCrew(run_id, program.root, parameters, ledger, means)
    jobs: dict[str, Job] = {}
    made: dict[tuple[object, ...], Job] = {}

    def learn(nodes: Sequence[Node]) -> Sequence[Node]:
        seats = crew.seats
        for node in nodes:
            unit = seats[node.id].unit
            same = (unit.work.kind, id(unit.retry), unit.on_crash, unit.skips_when_failed)
            jobs[node.id] = made.get(same) or made.setdefault(same, job_of(unit))
        return nodes

    def expand(event: TaskExpanded) -> Sequence[Node]:
        return learn(crew.learn(event))

    nodes = learn(crew.outermost)
    known = program.graph
    graph = Graph.build([(node.id, node.needs) for node in nodes]) if known is None else known.copy()
    plan = Plan(run_id, nodes, means.limits, graph, expand)
    recorder = Recorder(plan, ledger, listener)
    return StepRun(run_id, plan, ledger, recorder, Scheduler(recorder, crew, jobs), crew)


def job_of(unit: Unit) -> Job:
    """What the scheduler needs to know of a step."""
    return Job(agent=unit.doer, retry=unit.retry, on_crash=unit.on_crash, skips_when_failed=unit.skips_when_failed)
