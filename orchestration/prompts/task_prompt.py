"""A task and what is known so far → the exact text for whoever does it, an agent or a person.

Markdown, because agents and people both read it: the title, what is to be done, when it is done, what it starts from,
what earlier tasks yielded and, on another try, how the previous one failed. A section without content is left out.
Everything that others wrote (outputs, logs) is bounded and stands in a fence that it cannot close.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from orchestration.models import Task
from orchestration.prompts.templates import Context, render
from orchestration.results import CheckResult, Outcome

MAX_EVIDENCE: Final = 4_000
"""Characters of each log or error of the previous attempt: its end, where the reason stands."""

MAX_UPSTREAM: Final = 8_000
"""Characters of what one earlier task printed, and of each value that it passed on."""

MAX_UPSTREAM_OF_ALL: Final = 100_000
"""Characters of what all earlier tasks printed: many of them share it, because the prompt has to fit into a context."""

MAX_FAILED_CHECKS: Final = 5
"""Failed checks whose logs are shown; the others are only named."""

_FENCES: Final = re.compile(r"`{3,}")


def prompt_for(task: Task, context: Context, previous: Outcome | None = None) -> str:
    """Write the prompt for an attempt at a task.

    Args:
        task: The task; its description, acceptance criteria and notes are rendered.
        context: As for `render`; `inputs` and `tasks` are also shown.
        previous: The outcome of the attempt before, if there was one and it failed.

    Raises:
        TemplateError: one of the texts cannot be rendered.
    """
    sections = [
        f"# {task.id}: {task.title}" if task.title else f"# {task.id}",
        render(task.description, context).strip(),
    ]
    sections += _titled(
        {
            "Done when": _list(render(item, context) for item in task.acceptance),
            "Files to deliver": _list(f"`{path}`" for path in task.deliverables),
            "Checked by": _commands(task.verify),
            "Values to pass on": _promised(task.outputs),
            "Inputs": _inputs(context.get("inputs", {})),
            "Notes": render(task.notes or "", context).strip(),
            "Results of earlier tasks": _upstream(task.depends_on, context.get("tasks", {})),
            "The previous attempt failed": _evidence(previous) if previous is not None else "",
        },
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _titled(sections: Mapping[str, str]) -> Iterator[str]:
    for title, text in sections.items():
        if text:
            yield f"## {title}\n\n{text}"


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _commands(commands: tuple[str, ...]) -> str:
    return f"Each of these commands has to exit with code 0.\n\n{_fenced(chr(10).join(commands))}" if commands else ""


def _promised(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    return (
        f"Write each as a line `name=value` to the file that `$ORCH_OUTPUT` names.\n\n{_list(f'`{n}`' for n in names)}"
    )


def _inputs(inputs: Mapping[str, Any]) -> str:
    return _list(f"{name}: {_shown(value)}" for name, value in inputs.items())


def _shown(value: Any) -> str:  # noqa: ANN401  # whatever stands in YAML
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = _end_of(text, MAX_UPSTREAM)
    return f"\n{_fenced(text)}" if "\n" in text else text


def _upstream(names: Iterable[str], tasks: Mapping[str, Mapping[str, Any]]) -> str:
    shown = [name for name in names if name in tasks]
    share = min(MAX_UPSTREAM, MAX_UPSTREAM_OF_ALL // max(1, len(shown)))
    return "\n\n".join(_earlier(name, tasks[name], share) for name in shown)


def _earlier(task_id: str, seen: Mapping[str, Any], share: int) -> str:
    parts = [f"### {task_id} ({seen.get('status', 'unknown')})"]
    if outputs := _inputs(seen.get("outputs") or {}):
        parts.append(outputs)
    if output := (seen.get("output") or "").strip():
        parts.append(_fenced(_end_of(output, share)))
    return "\n\n".join(parts)


def _evidence(previous: Outcome) -> str:
    parts = [f"It ended with: {previous.failure.value if previous.failure else 'nothing wrong'}."]
    if previous.error:
        parts.append(_fenced(_end_of(previous.error.strip(), MAX_EVIDENCE)))
    failed = [check for check in previous.checks if not check.passed]
    parts += [_failed(check) for check in failed[:MAX_FAILED_CHECKS]]
    if more := [check.name for check in failed[MAX_FAILED_CHECKS:]]:
        parts.append(f"These checks failed too:\n\n{_list(f'`{name}`' for name in more)}")
    return "\n\n".join(parts)


def _failed(check: CheckResult) -> str:
    how = f" (exit code {check.exit_code})" if check.exit_code is not None else ""
    said = f"\n\n{_fenced(_end_of(check.log.strip(), MAX_EVIDENCE))}" if check.log.strip() else ""
    return f"Failed {check.kind}: `{check.name}`{how}{said}"


def _end_of(text: str, size: int) -> str:
    return text if len(text) <= size else f"[{len(text) - size} characters left out]\n{text[-size:]}"


def _fenced(text: str) -> str:
    fence = "`" * max([3, *(len(found) + 1 for found in _FENCES.findall(text))])
    return f"{fence}\n{text}\n{fence}"
