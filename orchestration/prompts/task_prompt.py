"""A task and what is known so far → the exact text for whoever does it, an agent or a person.

Markdown, because agents and people both read it: the title, what is to be done, how work of that type is done, when it
is done, what it starts from, what earlier tasks yielded, what holds in the whole project and, on another try, how the
previous one failed. A section without content is left out, so a task without a type or details is as short as it was
written. Everything that others wrote (outputs, logs) is bounded and stands in a fence that it cannot close; the
project's own instructions stand in one too, because they have titles of their own.

Descriptions of a megabyte are no burden: a text without templates is put in as it is.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from orchestration.models import Task
from orchestration.prompts.evidence import evidence_of
from orchestration.prompts.markdown import end_of, fenced, listed
from orchestration.prompts.templates import Context, render
from orchestration.results import Outcome

MAX_UPSTREAM: Final = 8_000
"""Characters of what one earlier task printed, and of each value that it passed on."""

MAX_UPSTREAM_OF_ALL: Final = 100_000
"""Characters of what all earlier tasks printed: many of them share it, because the prompt has to fit into a context."""

NO_TYPES: Final[Mapping[str, str]] = {}
"""No types of tasks."""


def prompt_for(
    task: Task,
    context: Context,
    previous: Outcome | None = None,
    *,
    instructions: str | None = None,
    templates: Mapping[str, str] = NO_TYPES,
    by_answer: bool = False,
) -> str:
    """Write the prompt for an attempt at a task.

    Args:
        task: The task; its description, acceptance criteria and notes are rendered.
        context: As for `render`; `inputs` and `tasks` are also shown.
        previous: The outcome of the attempt before, if there was one and it failed.
        instructions: What holds in the whole project, for whoever does not read it by themselves; shown as it is.
        templates: How work of a type is done, by type; the one of the task is rendered. See `type_of`.
        by_answer: Whether values are passed on by the answer, because whoever does the work cannot write files.

    Raises:
        TemplateError: one of the texts cannot be rendered.
    """
    sections = [
        f"# {task.id}: {task.title}" if task.title else f"# {task.id}",
        render(task.description, context).strip(),
    ]
    kind = type_of(task, templates)
    sections += _titled(
        {
            "How to go about it": render(templates[kind], context).strip() if kind is not None else "",
            "Done when": listed(render(item, context) for item in task.acceptance),
            "Files to deliver": listed(f"`{path}`" for path in task.deliverables),
            "Checked by": _commands(task.verify),
            "Values to pass on": _promised(task.outputs, by_answer=by_answer),
            "Inputs": _inputs(context.get("inputs", {})),
            "Notes": render(task.notes or "", context).strip(),
            "Results of earlier tasks": _upstream(task.depends_on, context.get("tasks", {})),
            "Project instructions": _instructions(instructions or ""),
            "The previous attempt failed": evidence_of(previous) if previous is not None else "",
        },
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def type_of(task: Task, templates: Mapping[str, str]) -> str | None:
    """The type of a task: the first of its labels that there is a template for, in whatever case it is written."""
    return next((label for label in map(str.lower, task.labels) if label in templates), None)


def _instructions(text: str) -> str:
    return f"They hold for all work in this project.\n\n{fenced(text.strip(), 'markdown')}" if text.strip() else ""


def _titled(sections: Mapping[str, str]) -> Iterator[str]:
    for title, text in sections.items():
        if text:
            yield f"## {title}\n\n{text}"


def _commands(commands: tuple[str, ...]) -> str:
    return f"Each of these commands has to exit with code 0.\n\n{fenced(chr(10).join(commands))}" if commands else ""


def _promised(names: tuple[str, ...], *, by_answer: bool) -> str:
    if not names:
        return ""
    how = "Write each as a line `name=value` to the file that `$ORCH_OUTPUT` names."
    if by_answer:
        how = "End the answer with one JSON object that has each of these names."
    return f"{how}\n\n{listed(f'`{name}`' for name in names)}"


def _inputs(inputs: Mapping[str, Any]) -> str:
    return listed(f"{name}: {_shown(value)}" for name, value in inputs.items())


def _shown(value: Any) -> str:  # noqa: ANN401  # whatever stands in YAML
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = end_of(text, MAX_UPSTREAM)
    return f"\n{fenced(text)}" if "\n" in text else text


def _upstream(names: Iterable[str], tasks: Mapping[str, Mapping[str, Any]]) -> str:
    shown = [name for name in names if name in tasks]
    share = min(MAX_UPSTREAM, MAX_UPSTREAM_OF_ALL // max(1, len(shown)))
    return "\n\n".join(_earlier(name, tasks[name], share) for name in shown)


def _earlier(task_id: str, seen: Mapping[str, Any], share: int) -> str:
    parts = [f"### {task_id} ({seen.get('status', 'unknown')})"]
    if outputs := _inputs(seen.get("outputs") or {}):
        parts.append(outputs)
    if output := (seen.get("output") or "").strip():
        parts.append(fenced(end_of(output, share)))
    return "\n\n".join(parts)
