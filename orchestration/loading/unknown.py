"""Keys that nothing reads: kept, and warned about with the key that was probably meant.

Keys that begin with `x-` are the user's own and never warned about. One mistake made in thousands of files is one
mistake, so each key is named a bounded number of times.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from orchestration.loading.findings import FieldPath, Finding
from orchestration.loading.taskfiles import TASK_KEYS
from orchestration.loading.wording import nearest_word
from orchestration.models import Backoff, InteractiveAgent, PythonAgent, RetryPolicy, ScriptAgent, Settings, ShellAgent

MAX_SAME: Final = 10
"""Warnings about one and the same thing; how many more there are is said with the last one."""

_RETRY_KEYS: Final = frozenset(RetryPolicy.model_fields)
_BACKOFF_KEYS: Final = frozenset(Backoff.model_fields)
_SETTINGS_KEYS: Final = frozenset(Settings.model_fields)
_AGENT_KEYS: Final = {
    "shell": frozenset(ShellAgent.model_fields),
    "script": frozenset(ScriptAgent.model_fields),
    "python": frozenset(PythonAgent.model_fields),
    "interactive": frozenset(InteractiveAgent.model_fields),
}
_OTHER_WORDS: Final = {
    "name": "title",
    "summary": "title",
    "body": "description",
    "prompt": "description",
    "command": "description",
    "run": "description",
    "needs": "depends_on",
    "requires": "depends_on",
    "deps": "depends_on",
    "assignee": "agent",
    "category": "labels",
    "checks": "verify",
    "environment": "env",
    "effort": "estimate_hours",
}
"""What other tools call it → what it is called here."""


def unknown_in_task(fields: dict[str, Any]) -> Iterator[Finding]:
    """Unknown keys of a task, with paths inside of it."""
    if not fields.keys() <= TASK_KEYS:
        yield from _unknown(fields, TASK_KEYS, (), _OTHER_WORDS)
    if (retry := fields.get("retry")) is not None:
        yield from _unknown_in_retry(retry)


def unknown_in_settings(data: dict[str, Any]) -> Iterator[Finding]:
    """Unknown keys of `orchestration.yaml`."""
    yield from _unknown(data, _SETTINGS_KEYS, ())
    yield from _unknown_in_retry(data.get("retry"))
    agents = data.get("agents")
    for name, agent in agents.items() if isinstance(agents, dict) else ():
        kind = agent.get("kind") if isinstance(agent, dict) else None
        if isinstance(kind, str) and kind in _AGENT_KEYS:
            yield from _unknown(agent, _AGENT_KEYS[kind], ("agents", name))


def _unknown_in_retry(retry: object) -> Iterator[Finding]:
    if isinstance(retry, dict):
        yield from _unknown(retry, _RETRY_KEYS, ("retry",))
        if isinstance(backoff := retry.get("backoff"), dict):
            yield from _unknown(backoff, _BACKOFF_KEYS, ("retry", "backoff"))


def _unknown(
    data: dict[str, Any],
    known: frozenset[str],
    path: FieldPath,
    other_words: dict[str, str] | None = None,
) -> Iterator[Finding]:
    for key in data:
        if key not in known and not key.startswith("x-"):
            meant = (other_words or {}).get(key.lower())
            hint = f"did you mean {meant}?" if meant else nearest_word(key, tuple(sorted(known)))
            what = f"unknown key {key[:80]!r}" + (f" in {'.'.join(map(str, path))}" if path else "")
            yield Finding(what, hint=hint or "it is kept, but nothing reads it", path=(*path, key), grave=False)


def bounded(findings: Iterable[Finding]) -> list[Finding]:
    """The same without endless repetition: what is said many times in the same words is said ten times and counted."""
    listed = list(findings)
    times = Counter(finding.message for finding in listed if not finding.grave)
    said: Counter[str] = Counter()
    kept = []
    for finding in listed:
        said[finding.message] += 1
        more = times[finding.message] - MAX_SAME
        if finding.grave or said[finding.message] < MAX_SAME or more == 0:
            kept.append(finding)
        elif said[finding.message] == MAX_SAME:
            kept.append(replace(finding, message=f"{finding.message} (and {more:,} times more)"))
    return kept
