"""Many commands at once on one backlog: each task is done by one of them, once, and all of them know how it ended."""

import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

import pytest
import yaml

from tests.cli.project import PATIENCE, Project
from tests.crash import checking
from tests.crash.sudden import has_lines, wait_until

pytestmark = pytest.mark.slow

PROCESSES = 8
TASKS = 500
PATIENCE_FOR_ALL = 240.0
"""Seconds; without others it takes ten."""
ENDS = ("task_completed", "task_error", "task_blocked", "task_adopted")


def backlog(project: Project, size: int) -> Mapping[str, str]:
    """Tasks that note that they were done: many that need nothing, chains, one that fails and one behind it.

    Returns how each of them has to end.
    """
    ids = [f"T{number:03}" for number in range(size)]
    tasks = []
    for number, name in enumerate(ids):
        needs = [ids[number - 1]] if number % 10 in {3, 4} or number == size - 1 else []
        fails = "; exit 3" if number == size - 2 else ""
        command = f'echo "{name}/$ORCH_ATTEMPT" >> {checking.DEEDS}{fails}'
        tasks.append({"id": name, "agent": "shell", "description": command, "depends_on": needs})
    project.settings("max_concurrent: 4\n")
    project.write("tasks/all.yaml", yaml.safe_dump({"tasks": tasks}))
    return {**dict.fromkeys(ids, "success"), ids[-2]: "failed", ids[-1]: "blocked"}


def run_at_once(project: Project, count: int) -> tuple[list[int], list[checking.Event]]:
    """Run the whole backlog by so many commands; returns their exit codes, and all that they told."""
    told: list[checking.Event] = []
    with ExitStack() as stack:
        started = [stack.enter_context(project.start("run-batch", "--events")) for _ in range(count)]

        def listen(number: int) -> None:
            output, _ = started[number].communicate(timeout=PATIENCE_FOR_ALL)
            told.extend(checking.told_by(output))

        threads = [threading.Thread(target=listen, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [process.returncode for process in started], told


def begun_runs(project: Project) -> int:
    """How many runs there are by now."""
    return len({event["run_id"] for event in checking.stored_events(project.root)})


def has_succeeded(project: Project, count: int) -> bool:
    """Whether just so many tasks have succeeded by now."""
    ends = [event["task_id"] for event in checking.stored_events(project.root) if event["type"] == "task_completed"]
    return len(ends) == count


def ends_by_run(events: list[checking.Event]) -> Mapping[str, Counter[str]]:
    """Run → how often each task came to an end in it, by itself or by adoption."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        if event["type"] in ENDS:
            found[event["run_id"]][event["task_id"]] += 1
    return found


@pytest.mark.timeout(PATIENCE_FOR_ALL + 30)
def test_eight_commands_at_once_do_each_of_500_tasks_once(project: Project) -> None:
    expected = backlog(project, TASKS)
    codes, told = run_at_once(project, PROCESSES)
    assert codes == [1] * PROCESSES, "one task has failed, and all say so"

    done = [name for name, status in expected.items() if status != "blocked"]
    assert Counter(checking.deeds_of(project.root)) == dict.fromkeys((f"{name}/1" for name in done), 1)
    events = list(checking.stored_events(project.root))
    outcomes = Counter(event["task_id"] for event in events if event["type"] in {"task_completed", "task_error"})
    assert outcomes == dict.fromkeys(done, 1)
    wrong = [*checking.unsound(project.root / checking.STATE), *checking.gaps(events), *checking.second_ends(events)]
    wrong += checking.lost(events, told)
    assert not wrong
    for run_id, ends in ends_by_run(events).items():
        assert ends == dict.fromkeys(expected, 1), run_id
    assert {task["task_id"]: task["status"] for task in project.json("status")["tasks"]} == expected
    assert project.orch("doctor").code == 0


def test_three_who_wait_for_a_fourth_do_not_wait_for_each_other(project: Project) -> None:
    """Each adopts some of what the fourth has done, and held on to that, and the others waited for it for ever."""
    for name in "ABCDEF":
        project.shell(name, f"echo {name} >> begun; until [ -e go-{name} ]; do sleep 0.02; done")
    with project.start("run-batch", "--max-concurrent", "6") as first, ExitStack() as stack:
        wait_until(has_lines(project.root / "begun", 6), "the tasks did not begin")
        others = [stack.enter_context(project.start("run-batch")) for _ in range(3)]
        wait_until(lambda: begun_runs(project) == 4, "the other runs did not begin")
        for number, name in enumerate("ABCDEF", 1):
            project.write(f"go-{name}", "")
            wait_until(partial(has_succeeded, project, number), "it did not end")
        assert [process.wait(PATIENCE) for process in (first, *others)] == [0] * 4
    assert sorted((project.root / "begun").read_text().split()) == [*"ABCDEF"], "each was begun once"


def test_whoever_waited_for_a_run_that_was_stopped_does_what_that_one_left(project: Project) -> None:
    project.shell("A", "echo x >> begun; [ $(wc -l < begun) -ge 2 ] || sleep 60", kill_grace=0.2)
    project.shell("B", "echo x >> B.log", "A")
    with project.start("run-batch", "A", "B") as first:
        wait_until(has_lines(project.root / "begun"), "the task did not begin")
        with project.start("run-batch", "B", "A", "--fail-fast") as second:
            wait_until(lambda: begun_runs(project) == 2, "the second run did not begin")
            first.send_signal(signal.SIGINT)
            assert first.wait(PATIENCE) == 130
            assert second.wait(PATIENCE) == 0
    assert (project.root / "begun").read_text() == "x\nx\n"
    assert (project.root / "B.log").read_text() == "x\n"
