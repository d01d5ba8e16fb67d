"""What is understood but not done by this version; whoever builds one of these deletes its line here.

Refused is what would be unsafe to leave out: a task that asks to work in a place of its own must not work in the
shared one. Everything else is accepted with a warning.
"""

from collections.abc import Iterator
from typing import Final

from orchestration.loading.findings import Finding
from orchestration.models import Agent, Task

_ONLY: Final = {
    "workspace": (frozenset({"shared"}), "only `shared` is"),
    "container": (frozenset({None}), "tasks run on this machine"),
}
"""Field of a task → the values that are done, and the remedy for others."""

_IGNORED: Final = ("merge", "cache")
"""Fields of a task or an agent that change nothing yet."""

_WATCHED: Final = frozenset({*_ONLY, *_IGNORED})


def unavailable_in(task: Task) -> Iterator[Finding]:
    """What a task asks for in vain, with paths inside of the task."""
    if _WATCHED.isdisjoint(task.model_fields_set):
        return
    for name, (done, hint) in _ONLY.items():
        value = getattr(task, name)
        if isinstance(value, dict) or value not in done:
            what = name if isinstance(value, dict) else f"{name}: {value!s:.60}"
            yield Finding(f"`{what}` is not available in this version", hint=hint, path=(name,))
    yield from ignored_in(task)


def ignored_in(written: Task | Agent) -> Iterator[Finding]:
    """What is written down for a later version."""
    for name in _IGNORED:
        if getattr(written, name, None):
            hint = "leave it out, or keep it for a later version"
            yield Finding(f"`{name}` changes nothing in this version", hint=hint, path=(name,), grave=False)
