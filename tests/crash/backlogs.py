"""Backlogs to be crashed in, and how each of their tasks has to end, whatever happens.

Each attempt adds a line to the log of deeds (`checking.DEEDS`). Nothing lives long: what a crash leaves behind ends by
itself within a second, so that a test which fails leaves nothing either.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cli.project import Project
from tests.crash.checking import DEEDS

ROOT: Final = Path(__file__).resolve().parent.parent.parent
ALL: Final = "run-batch", "--events"
DEED: Final = f'echo "${{ORCH_ATTEMPT_ID#*/}}" >> {DEEDS}'
OVER: Final = f'echo "${{ORCH_ATTEMPT_ID#*/}}." >> {DEEDS}'
GIVE: Final = 'echo "by=$ORCH_ATTEMPT_ID" >> "$ORCH_OUTPUT"'

SMALL: Final[Mapping[str, str]] = {"A": "success", "B": "success", "C": "success"}
MIXED: Final[Mapping[str, str]] = {
    "FETCH": "success",
    "AGAIN": "success",
    "AGENT": "success",
    "EITHER": "success",
    "CHAIN": "success",
    "BROKEN": "failed",
    "AFTER": "blocked",
    "LAST": "success",
}


def small(folder: Path) -> Project:
    """Three tasks, one after the other, that pass values on; the second writes more than an event holds."""
    long = f"i=0; while [ $i -lt 1100 ]; do echo {'0123456789' * 6}; i=$((i+1)); done"
    tasks = [
        shell("A", DEED, GIVE),
        shell("B", DEED, 'grep -q "/A/" "$ORCH_INPUTS"', long, needs=["A"]),
        shell("C", DEED, GIVE, needs=["B"]),
    ]
    return _made(folder, tasks, {})


def mixed(folder: Path) -> Project:
    """Shell tasks, an agent program, hybrids, a retry, a failure and what it blocks, values passed on."""
    deed = {"append": {"path": DEEDS, "content": "{task}/{attempt}\n"}}
    agents: dict[str, Any] = {
        "player": {
            "kind": "scripted",
            "script": [{"lifetime": 20}, deed, {"wait": 0.05}, {"output": {"who": "player"}}, "final"],
        },
        "away": {"kind": "shell", "command": f"{DEED}; exit 9"},
        "here": {"kind": "shell", "command": f"{DEED}; sleep 0.05; {GIVE}; {OVER}"},
        "either": {"kind": "hybrid", "strategy": "fallback", "agents": ["away", "here"], "on": ["exit_code"]},
        "chain": {"kind": "hybrid", "strategy": "chain", "agents": ["here", "here"]},
    }
    tasks = [
        shell("FETCH", DEED, "sleep 0.8", GIVE, OVER),
        shell("AGAIN", DEED, 'test "$ORCH_ATTEMPT" -ge 2', "sleep 0.1", GIVE, OVER, retry={"max": 4, "backoff": 0.05}),
        {"id": "AGENT", "agent": "player", "description": "Play.", "depends_on": ["FETCH"]},
        {"id": "EITHER", "agent": "either", "description": "Do it."},
        {"id": "CHAIN", "agent": "chain", "description": "Do it twice.", "depends_on": ["AGAIN"]},
        shell("BROKEN", DEED, "exit 3"),
        shell("AFTER", DEED, needs=["BROKEN"]),
        shell("LAST", DEED, 'grep -q "/FETCH/" "$ORCH_INPUTS"', GIVE, needs=["FETCH", "AGENT", "EITHER", "CHAIN"]),
    ]
    return _made(folder, tasks, {"kill_grace": 0.3, "agents": agents})


def shell(task_id: str, *commands: str, needs: list[str] | None = None, **fields: object) -> dict[str, Any]:
    """A shell task whose commands all have to succeed."""
    return {"id": task_id, "agent": "shell", "description": " && ".join(commands), "depends_on": needs or [], **fields}


def _made(folder: Path, tasks: list[dict[str, Any]], settings: Mapping[str, Any]) -> Project:
    folder.mkdir(parents=True)
    project = Project(folder, {"PYTHONPATH": str(ROOT)})
    project.settings(yaml.safe_dump(dict(settings)))
    project.write("tasks/all.yaml", yaml.safe_dump({"tasks": tasks}, sort_keys=False))
    return project
