"""How long the plan takes for the whole life of a run, and how much memory: no clock, no store, no processes.

    python bench/plan_simulation.py [TASKS] [flat|chain|random …]

Each shape runs in a process of its own, so that its peak of resident memory is its own: `flat` has no dependencies,
`chain` is one long line, in `random` every task depends on three earlier ones. A hundred attempts run at a time; each
task is handed out, started and completed, and every event is made, checked and applied. The last lines divide the cost
of one event into its parts.
"""

import resource
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from time import perf_counter
from typing import Final

from orchestration.events import Event, RunCompleted, RunStarted, TaskCompleted, TaskStarted
from orchestration.plan import Node, Plan
from orchestration.results import Outcome

RUN: Final = "run"
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
TASKS: Final = 1_000_000
SLOTS: Final = 100
NEEDS: Final = 3
SHAPES: Final = ("flat", "chain", "random")
EVENTS_TIMED: Final = 200_000
OUTCOME: Final = Outcome(exit_code=0)
"""What comes of every attempt; outcomes are made by executors, so making them is not counted here."""


def nodes_of(shape: str, tasks: int) -> list[Node]:
    """The tasks of one shape."""
    if shape == "chain":
        return [Node(f"T{i}", needs=(f"T{i - 1}",) if i else ()) for i in range(tasks)]
    if shape == "random":
        ids = [f"T{i}" for i in range(tasks)]
        pick = Random(0).randrange  # noqa: S311  # the same graph each time is the point
        return [Node(name, needs=tuple(ids[pick(i)] for _ in range(NEEDS)) if i else ()) for i, name in enumerate(ids)]
    return [Node(f"T{i}") for i in range(tasks)]


def happen(plan: Plan, event: Event) -> None:
    """Let one event happen as the scheduler does."""
    plan.apply(event)


def live(plan: Plan) -> None:
    """Drive a plan whose tasks all succeed from its start to its end."""
    happen(plan, RunStarted(RUN, plan.seq + 1, AT))
    running: deque[tuple[str, int]] = deque()
    while not plan.is_over:
        if plan.consequences():
            raise AssertionError("nothing but starting follows from a success")
        while len(running) < SLOTS and (task := plan.next_startable(0.0)):
            happen(plan, TaskStarted(RUN, plan.seq + 1, AT, task.task_id, task.attempt))
            running.append((task.task_id, task.attempt))
        task_id, attempt = running.popleft()
        happen(plan, TaskCompleted(RUN, plan.seq + 1, AT, task_id, attempt, outcome=OUTCOME))
    happen(plan, RunCompleted(RUN, plan.seq + 1, AT, status=plan.final_status()))


def peak_megabytes() -> float:
    """The most memory that this process ever had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def simulate(shape: str, tasks: int) -> None:
    """Build and live one shape in this process, and print what it cost."""
    start = perf_counter()
    nodes = nodes_of(shape, tasks)
    written = perf_counter()
    plan = Plan(RUN, nodes)
    built = perf_counter()
    live(plan)
    lived = perf_counter()
    print(
        f"{shape:8} {tasks:>9,} tasks  {lived - start:6.2f} s"
        f"  (nodes {written - start:.2f}, plan {built - written:.2f}, life {lived - built:.2f})"
        f"  {peak_megabytes():7.0f} MB",
        flush=True,
    )


def parts_of_an_event() -> None:
    """Print what making, checking and applying one event costs, over starts and ends in turn."""
    nodes = nodes_of("flat", EVENTS_TIMED // 2)
    start = perf_counter()
    events: list[Event] = [RunStarted(RUN, 1, AT)]
    for node in nodes:
        events.append(TaskStarted(RUN, len(events) + 1, AT, node.id, 1))
        events.append(TaskCompleted(RUN, len(events) + 1, AT, node.id, 1, outcome=OUTCOME))
    made = perf_counter() - start
    applied = _timed(Plan(RUN, nodes), events, checking=False)
    both = _timed(Plan(RUN, nodes), events, checking=True)
    each = 1e9 / len(events)
    print(
        f"one event: made in {made * each:.0f} ns, checked in {(both - applied) * each:.0f} ns,"
        f" checked and applied in {applied * each:.0f} ns",
    )


def _timed(plan: Plan, events: Sequence[Event], *, checking: bool) -> float:
    start = perf_counter()
    for event in events:
        if checking:
            plan.check(event)
        plan.apply(event)
    return perf_counter() - start


def main(arguments: Sequence[str]) -> None:
    """Run what was asked for, each shape in a process of its own."""
    tasks = int(arguments[0]) if arguments else TASKS
    shapes = arguments[1:] or SHAPES
    if len(shapes) == 1:
        simulate(shapes[0], tasks)
        return
    for shape in shapes:
        subprocess.run([sys.executable, __file__, str(tasks), shape], check=True)
    parts_of_an_event()


if __name__ == "__main__":
    main(sys.argv[1:])
