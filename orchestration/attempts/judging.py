"""Whether an attempt did what it was to do, beyond what its agent says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestration import checks
from orchestration.errors import OrchError
from orchestration.kinds import Failure
from orchestration.models import Task
from orchestration.process import LiveChildren
from orchestration.protocols import Work
from orchestration.results import CheckResult, Outcome

MAX_EVIDENCE: Final = 4000
"""Characters of a failed check's log that the error quotes."""

DENIED: Final = "permission_denials"
"""The fact of an outcome that says what the agent was not allowed to do."""

NO_CHANGE: Final = "the task expects changes, and no file in its folder has changed"


def has_checks(task: Task) -> bool:
    """Whether a task declares any check."""
    return bool(task.verify or task.deliverables or task.outputs)


async def check_work(work: Work, outputs: Mapping[str, Any], children: LiveChildren) -> tuple[CheckResult, ...]:
    """All checks of a task; none where it declares none."""
    if not has_checks(work.task):
        return ()
    return await checks.run_checks(work, outputs=outputs, children=children)


def describe_failed(failed: list[CheckResult]) -> str:
    """What failed, with the end of each log, bounded; the next attempt's agent reads this."""
    return "\n".join(
        f"{check.kind} failed: {check.name}"
        + (f" (exit code {check.exit_code})" if check.exit_code is not None else "")
        + (f":\n{check.log[-MAX_EVIDENCE:].rstrip()}" if check.log else "")
        for check in failed
    )


def failed_setup(setup: CheckResult, folder: Path) -> Outcome:
    """The outcome of an attempt whose agent was never asked."""
    log = str(folder) if folder.exists() else None
    return Outcome(failure=Failure.CHECK_FAILED, error=describe_failed([setup]), checks=(setup,), log_path=log)


def with_hint(error: OrchError) -> str:
    """What is wrong and what to do, in one text."""
    return f"{error.message} ({error.hint})" if error.hint else error.message
