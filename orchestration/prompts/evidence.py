"""How the attempt before failed → what the next one has to know of it, bounded, as a section of its prompt.

Told are: the kind of failure, what the error says, a reviewer's note, what was refused, failed checks with the ends of
their logs, and the last lines of output. All of it was written by others: it stands in fences that it cannot close, and
without the control sequences of terminals.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from orchestration.prompts.markdown import end_of, fenced, listed
from orchestration.results import CheckResult, Outcome

MAX_EVIDENCE: Final = 4_000
"""Characters of each log or error of the previous attempt: its end, where the reason stands."""

MAX_LINES: Final = 40
"""Last lines of output that are shown: the rest is in the log."""

MAX_FAILED_CHECKS: Final = 5
"""Failed checks whose logs are shown; the others are only named."""

MAX_REFUSED: Final = 10
"""Refused permissions that are named."""

_CONTROL: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, and moves of the cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|[\x00-\x08\x0b-\x1f\x7f]",
)


def evidence_of(previous: Outcome) -> str:
    """What is told of an attempt that failed or was rejected."""
    return "\n\n".join(part for part in _parts(previous) if part)


def _parts(previous: Outcome) -> Iterator[str]:
    facts = previous.metadata
    yield _kind(previous)
    error = end_of(_clean(previous.error or ""), MAX_EVIDENCE)
    yield fenced(error) if error else ""
    yield _quoted("Whoever reviewed it rejected it and said:", _clean(_text(facts.get("rejection"))))
    refused = facts.get("permission_denials")
    if isinstance(refused, list | tuple) and refused:
        yield f"It was not permitted to do this:\n\n{listed(_line(item) for item in refused[:MAX_REFUSED])}"
    yield from _checks([check for check in previous.checks if not check.passed], error)
    output = _last_lines(_clean(previous.output))
    if output not in error:
        yield _quoted("The last lines that it printed:", output)


def _kind(previous: Outcome) -> str:
    finer = previous.metadata.get("error_class")
    kind = previous.failure.value if previous.failure else "rejected" if "rejection" in previous.metadata else ""
    return f"It ended with: {kind or 'nothing wrong'}{f' ({_line(finer)})' if finer else ''}."


def _checks(failed: list[CheckResult], told: str) -> Iterable[str]:
    yield from (_failed(check, told) for check in failed[:MAX_FAILED_CHECKS])
    if more := [check.name for check in failed[MAX_FAILED_CHECKS:]]:
        yield f"These checks failed too:\n\n{listed(f'`{_line(name)}`' for name in more[:MAX_LINES])}"


def _failed(check: CheckResult, told: str) -> str:
    how = f" (exit code {check.exit_code})" if check.exit_code is not None else ""
    log = _clean(check.log)
    said = "" if not log or log in told else f"\n\n{fenced(end_of(log, MAX_EVIDENCE))}"
    return f"Failed {check.kind}: `{_line(check.name)}`{how}{said}"


def _quoted(title: str, text: str) -> str:
    return f"{title}\n\n{fenced(end_of(text, MAX_EVIDENCE))}" if text else ""


def _last_lines(text: str) -> str:
    lines = text[-4 * MAX_EVIDENCE :].splitlines()
    return "\n".join(lines[-MAX_LINES:])[-MAX_EVIDENCE:]


def _clean(text: str) -> str:
    """The end of a text without control sequences; only the end, because texts may be megabytes."""
    if len(text) > (most := 8 * MAX_EVIDENCE):
        return f"[{len(text) - most} characters left out]\n{_clean(text[-most:])}"
    return _CONTROL.sub("", text.replace("\r\n", "\n")).strip()


def _line(value: Any) -> str:  # noqa: ANN401  # whatever an adapter put there
    return end_of(" ".join(_text(value).split()), MAX_EVIDENCE // MAX_REFUSED)


def _text(value: Any) -> str:  # noqa: ANN401  # as above
    return "" if value is None else str(value)
