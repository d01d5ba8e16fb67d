"""A draft → a task, with everything that is wrong with it alone."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from orchestration.loading.findings import Finding, field_name
from orchestration.loading.taskfiles import Draft
from orchestration.loading.unavailable import unavailable_in
from orchestration.loading.unknown import unknown_in_task
from orchestration.loading.wording import findings_of
from orchestration.models import TASK_ALIASES, Agent, Task
from orchestration.prompts import check_syntax

_PROSE = ("description", "notes")


def checked(draft: Draft) -> tuple[Task | None, list[Finding], bool]:
    """The task, everything that is wrong with it, and whether it is whole.

    Where something grave is wrong with a field, the task is without that field, for whatever else may be wrong with it;
    None where that leaves no task.
    """
    fields = draft.fields
    findings = [*_given_twice(fields), *unknown_in_task(fields)]
    is_whole, task = True, None
    try:
        task = Task.model_validate(fields)
        findings += unavailable_in(task)
    except ValidationError as error:
        wrong = findings_of(error, fields)
        findings += wrong
        is_whole, task = False, _without(fields, {finding.path[0] for finding in wrong if finding.path})
    return task, [finding.within(draft.file, draft.path) for finding in findings], is_whole


def _without(fields: Mapping[str, Any], wrong: Collection[str | int]) -> Task | None:
    try:
        return Task.model_validate({name: value for name, value in fields.items() if name not in wrong})
    except ValidationError:
        return None


def _given_twice(fields: dict[str, Any]) -> Iterator[Finding]:
    """Both spellings of one field; the second is taken out, so that the rest can still be checked."""
    for name, alias in TASK_ALIASES.items():
        if alias in fields and name in fields:
            del fields[alias]
            what = f"{name} and {alias} mean the same"
            yield Finding(what, hint="give one of them", path=(alias,))


def wrong_templates(task: Task, agents: Mapping[str, Agent]) -> Iterator[Finding]:
    """Conditions and templates that cannot be read, with paths inside of the task.

    The text of a shell task is a command and no template, so prose is looked at only where the agent is another kind.
    """
    if isinstance(task.when, str) and (wrong := check_syntax(task.when, expression=True)):
        yield Finding(f"when: {wrong}", hint="it is a Jinja expression, such as: parameters.x == 'y'", path=("when",))
    for name in ("inputs", "env"):
        for key, value in getattr(task, name).items():
            if isinstance(value, str):
                yield from _wrong(value, name, key)
    agent = agents.get(task.agent or "")
    if agent is not None and agent.kind != "shell":
        for name in _PROSE:
            yield from _wrong(getattr(task, name) or "", name)
        for i, text in enumerate(task.acceptance):
            yield from _wrong(text, "acceptance", i)


def _wrong(text: str, *path: str | int) -> Iterator[Finding]:
    if "{" in text and (wrong := check_syntax(text)):
        hint = "write {% raw %}…{% endraw %} around braces that are no template"
        yield Finding(f"{field_name(path)}: {wrong}", hint=hint, path=path)
