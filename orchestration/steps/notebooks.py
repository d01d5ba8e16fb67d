"""Steps that execute a notebook: in a process of its own, with its kernel, which both end with the attempt."""

import importlib.util
import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestration.kinds import Failure
from orchestration.models import ShellAgent, Task
from orchestration.protocols import Reporting
from orchestration.results import Outcome
from orchestration.steps.agents import AgentLeaf
from orchestration.steps.crew import StepCrew
from orchestration.steps.returns import Return
from orchestration.steps.unit import Seat

EXTRA: Final = "the extra `notebook` is not installed (pip install 'orch-tasks[notebook]')"
KEPT: Final = "notebook.ipynb"
_ROOT: Final = str(Path(__file__).resolve().parents[2])
_COMMAND_LINE: Final = re.compile(r"^`[^`]*`")
_KERNEL_LINE: Final = re.compile(r"^\[IPKernelApp\] .*\n?", re.MULTILINE)
_START: Final = (
    "import sys; sys.path.append(sys.argv[1]); import runpy; "
    "runpy.run_module('orchestration.notebooks', run_name='__main__', alter_sys=True)"
)
_FAILURES: Final = {
    "error": Failure.CRASHED,
    "absent": Failure.AGENT_MISSING,
    "missing": Failure.INVALID_OUTPUT,
    "stopped": Failure.INTERNAL,
}
"""What its process may report instead of values → what came of the attempt."""
COMMAND: Final = shlex.join((sys.executable, "-P", "-c", _START, _ROOT))
"""Its process, under a supervisor as every command: a kernel and what it starts have sessions of their own."""


class NotebookLeaf(AgentLeaf):
    """Executes one notebook.

    Args:
        task: its limits, variables and secrets.
        path: the notebook, relative to the folder in which steps work.
        parameters: the names that are given to it; None for those that it has defaults for.
        returns: its variables that are passed on.
        kernel: instead of the one that the notebook names.
    """

    def __init__(
        self,
        task: Task,
        path: str,
        parameters: tuple[str, ...] | None,
        returns: tuple[Return, ...],
        kernel: str | None,
    ) -> None:
        super().__init__(task, ShellAgent(command=COMMAND), returns)
        self._order = {
            "path": path,
            "parameters": parameters,
            "returns": [one.name for one in returns],
            "kernel": kernel,
        }

    @property
    def kind(self) -> str:
        """How it is done, in one word."""
        return "notebook"

    async def perform(self, seat: Seat, attempt: int, slot: int, report: Reporting, crew: StepCrew) -> Outcome:
        """Execute it once."""
        if importlib.util.find_spec("nbclient") is None:
            return Outcome(failure=Failure.AGENT_MISSING, error=EXTRA)
        folder = crew.home.attempt_folder(crew.run_id, seat.path, attempt)
        scratch = folder / ".scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / "jupyter").mkdir(mode=0o700, exist_ok=True)
        try:
            outcome = await super().perform(seat, attempt, slot, report, crew)
            return self._seen(self._called_by_its_name(outcome), scratch)
        finally:
            self._keep(scratch, folder, crew)
            shutil.rmtree(scratch, ignore_errors=True)

    def variables(self, seat: Seat, attempt: int, crew: StepCrew) -> Mapping[str, str]:
        """Its order, for the process."""
        scratch = crew.home.attempt_folder(crew.run_id, seat.path, attempt) / ".scratch"
        order = {**self._order, "scratch": str(scratch), "secrets": list(crew.given_to(seat.path).secrets)}
        return {"ORCH_NOTEBOOK": json.dumps(order)}

    def bound(self, outcome: Outcome) -> Outcome:
        """What it returns is in its report."""
        return outcome

    def _called_by_its_name(self, outcome: Outcome) -> Outcome:
        """The outcome, whose error tells of the notebook, and not of our command line and what a kernel warns of."""
        if outcome.error is None:
            return outcome
        told, count = _COMMAND_LINE.subn(lambda _: str(self._order["path"]), outcome.error, count=1)
        return replace(outcome, error=_KERNEL_LINE.sub("", told).rstrip(":\n ")) if count else outcome

    def _keep(self, scratch: Path, folder: Path, crew: StepCrew) -> None:
        """Keep the executed notebook as far as it came, without secrets."""
        try:
            executed = json.loads((scratch / "executed.ipynb").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        told = executed if crew.hiding is None else crew.hiding.value(executed)
        (folder / KEPT).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def _seen(self, outcome: Outcome, scratch: Path) -> Outcome:
        """The outcome, with what the process has reported; one that was cut off has none."""
        try:
            report: dict[str, Any] = json.loads((scratch / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return outcome
        facts: dict[str, Any] = {name: report[name] for name in ("cells", "traceback") if name in report}
        facts |= {"notebook": str(scratch.parent / KEPT)} if (scratch / "executed.ipynb").exists() else {}
        outcome = replace(outcome, metadata={**outcome.metadata, **facts}, log_path=str(scratch.parent))
        if outcome.failure not in {None, Failure.EXIT_CODE}:
            return outcome
        for word, failure in _FAILURES.items():
            if word in report:
                return replace(outcome, failure=failure, error=f"{self._order['path']}: {report[word]}")
        return replace(outcome, outputs={**outcome.outputs, **report["returns"]})
