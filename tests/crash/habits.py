"""A user who gives any command at any time: random sequences of commands, and what has to hold after each of them.

What is done stays done, and is done once. What has failed, or was cancelled by name, stays so until it is opened again.
Nothing is done by a command that only says something. `list` and `status` say the same. The events of each run have no
gap, and no attempt has two ends.
"""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.cli.project import Done, Project
from tests.crash.sudden import marked, wait_until

TRIES: Final = {"C": 2}
STATES: Final = frozenset({"failed", "cancelled", "blocked"})
ENDS: Final = frozenset({"task_completed", "task_error", "task_cancelled", "attempt_interrupted"})


def prepare(project: Project) -> None:
    """A backlog with something of everything; each command that runs notes that it did."""

    def shell(name: str, command: str, *needs: str, **fields: object) -> None:
        project.shell(name, f"echo {name} >> ran; {command}", *needs, **fields)

    project.settings("kill_grace: 0.3\n")
    shell("A", "true")
    shell("B", "true", "A")
    shell("C", "exit 3", retry={"max": TRIES["C"], "backoff": 0})
    project.person("D")
    shell("E", "true", "D")
    shell("F", "test -e ready")
    shell("G", "sleep 0.4")
    shell("H", "true", "F")
    shell("I", "true", "G")
    shell("J", "true", "C", "G", run_when="always")
    shell("K", "true", approve="before")
    shell("L", "true", approve="after")


IDS: Final = "ABCDEFGHIJKL"
COMMANDS: Final = 20


def wrong_with(folder: Path, seed: int, count: int = COMMANDS) -> list[str]:
    """What is wrong when a user has given so many commands in a new project there."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder)
    prepare(project)
    try:
        User(project, seed).go_on(count)
    except AssertionError as wrong:
        return [str(wrong)]
    project.orch("doctor", "--fix")  # of a run that was killed, and that nobody continued, files may be left
    done = project.orch("doctor")
    return [] if done.code == 0 else [done.out]


class User:
    """Gives commands by chance, and watches what they do.

    Args:
        project: whose backlog `prepare` wrote.
        seed: which commands; the same ones each time.
    """

    def __init__(self, project: Project, seed: int) -> None:
        """Nothing was given yet."""
        self.project = project
        self.dice = random.Random(seed)  # noqa: S311  # a test's
        self.given: list[object] = []
        self.by_name: frozenset[str] = frozenset()
        self.states, self.ran = self._states(), self._ran()
        self.deeds: Mapping[str, tuple[int, Callable[[], set[str]]]] = {
            "run-batch": (6, lambda: self._say("run-batch")),
            "some": (4, lambda: self._say("run-batch", *self._some())),
            "one": (2, lambda: self._say_of("execute-task", self._one())),
            "killed": (4, lambda: self._cut_off(signal.SIGKILL)),
            "interrupted": (1, lambda: self._cut_off(signal.SIGINT)),
            "two at once": (2, self._two_at_once),
            "resume": (2, lambda: self._say("resume")),
            "cancel": (1, lambda: self._say_of("cancel", self._one())),
            "cancel a run": (2, self._cancel_a_run),
            "retry": (2, lambda: self._say_of("retry", self._one())),
            "retry all": (1, self._retry_all),
            "complete": (3, lambda: self._say_of("complete", self.dice.choice("DDKL"))),
            "fail": (1, lambda: self._say_of("fail", self.dice.choice("DKL"), "--reason", "no")),
            "approve": (3, lambda: self._say_of("approve", self.dice.choice("KL"))),
            "reject": (1, lambda: self._say_of("reject", self.dice.choice("KL"))),
            "make ready": (1, self._make_ready),
        }

    def go_on(self, count: int) -> None:
        """Give so many commands."""
        weights = [weight for weight, _ in self.deeds.values()]
        for _ in range(count):
            (name,) = self.dice.choices([*self.deeds], weights)
            self.given.append(name)
            self._compare(name, self.deeds[name][1]())
        for run in self.project.json("runs"):
            self._look_at_events(run["run_id"])

    # -- deeds; each answers which tasks it is meant to change -------------------------------------------------

    def _one(self) -> str:
        return self.dice.choice(IDS)

    def _some(self) -> list[str]:
        return self.dice.sample(IDS, self.dice.randint(1, 4))

    def _say(self, *words: str) -> set[str]:
        self._note(words, self.project.orch(*words))
        return set()

    def _say_of(self, command: str, task_id: str, *more: str) -> set[str]:
        self._say(command, task_id, *more)
        return {task_id}

    def _note(self, words: object, done: Done) -> None:
        self.given[-1] = (words, done.code, done.last)
        assert "Traceback" not in done.err, self.given

    def _cut_off(self, number: int) -> set[str]:
        with self.project.start("run-batch", *(self._some() if self.dice.random() < 0.4 else ())) as orch:
            time.sleep(self.dice.random() * 0.9)
            orch.send_signal(number)
            orch.communicate(timeout=30)
        self.given[-1] = (orch.args[-4:], orch.returncode)  # type: ignore[index]  # a list
        wait_until(lambda: not marked(self.project.root), "something lives on")
        return set()

    def _two_at_once(self) -> set[str]:
        words = [("run-batch", *(self._some() if self.dice.random() < 0.5 else ())) for _ in range(2)]
        with self.project.start(*words[0]) as first:
            time.sleep(self.dice.random() * 0.5)
            with self.project.start(*words[1]) as second:
                first.communicate(timeout=60)
                second.communicate(timeout=60)
        self.given[-1] = (words, first.returncode, second.returncode)
        return set()

    def _cancel_a_run(self) -> set[str]:
        runs = [run["run_id"] for run in self.project.json("runs")]
        return self._say("cancel", self.dice.choice(runs)) if runs else set()

    def _retry_all(self) -> set[str]:
        self._say("retry", "--failed")
        return {task_id for task_id, state in self.states.items() if state in STATES}

    def _make_ready(self) -> set[str]:
        self.project.write("ready", "")
        return set()

    # -- what has to hold ---------------------------------------------------------------------------------------

    def _compare(self, name: str, meant: set[str]) -> None:
        before, ran_before, by_name = self.states, self.ran, self.by_name
        self.states, self.ran = self._states(), self._ran()
        only_says = name not in {"run-batch", "some", "one", "killed", "interrupted", "two at once", "resume"}
        for task_id, was in before.items():
            told = (task_id, was, self.states[task_id], self.given, self.project.root)
            times = self.ran[task_id] - ran_before[task_id]
            assert not (only_says and times), told
            assert times <= TRIES.get(task_id, 1) * (2 if name == "two at once" else 1), told
            is_kept = was in {"success", "failed"} or task_id in by_name
            assert not (times and is_kept and (was == "success" or task_id not in meant)), told
            if was == "success" or (was == "failed" and task_id not in meant):
                assert self.states[task_id] == was, told

    def _states(self) -> dict[str, str]:
        listed = {task["id"]: task["status"] for task in self.project.json("list")["tasks"]}
        tasks = self.project.json("status")["tasks"]
        assert listed == {task["task_id"]: task["status"] for task in tasks}, self.given
        named = [task["task_id"] for task in tasks if (task["status"], task["reason"]) == ("cancelled", "cancelled")]
        self.by_name = frozenset(named)  # those that were cancelled themselves, so that nobody does them unasked
        return listed

    def _ran(self) -> Counter[str]:
        noted = self.project.root / "ran"
        return Counter(noted.read_text().split() if noted.exists() else ())

    def _look_at_events(self, run_id: str) -> None:
        events = [*self._events(run_id)]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), self.given
        ends = Counter((event["task_id"], event["attempt"]) for event in events if event["type"] in ENDS)
        assert all(count == 1 for (_, attempt), count in ends.items() if attempt is not None), (ends, self.given)

    def _events(self, run_id: str) -> Iterator[dict[str, Any]]:
        return map(json.loads, self.project.orch("events", run_id).out.splitlines())
