"""A task file → tasks as they were written: plain values, with the line where each begins.

Markdown is front matter between two lines `---` and a body. The body is the description, kept as it is but for blank
lines around it; where the front matter has a description too, that comes first and the body follows after an empty
line. The title falls back to the first heading, the id to the file's name. A `README.md` is a task only if its front
matter gives it an id. YAML holds one task, or a list of them (at the top, or under `tasks:`).

Of a file that cannot be read it is still known, roughly, which ids it would have had, so that those who depend on them
are not reported as well.
"""

import re
from dataclasses import field
from pathlib import PurePath
from sys import intern
from typing import Any, Final

from orchestration.graph import nearest
from orchestration.loading.findings import FieldPath, Finding, Refused
from orchestration.loading.given import given
from orchestration.loading.markdown import Page, first_heading, split, without_blank_edges
from orchestration.loading.reading import read_text
from orchestration.loading.scalars import numbers_in
from orchestration.loading.walking import TaskFile
from orchestration.loading.yamlerrors import NotYaml
from orchestration.loading.yamltext import Document, parse
from orchestration.models import SAFE_ID, TASK_ALIASES, Task
from orchestration.records import dataclass

FREE_FIELDS: Final = frozenset({"metadata", "inputs", "budget", "cache", "container"})
"""Fields of a task that hold whatever is written in them, so that a number there is a number."""

TASK_KEYS: Final = frozenset(Task.model_fields) | frozenset(TASK_ALIASES.values())

_LOOKS_LIKE_ID: Final = re.compile(rf"^[ \t-]*[{{]?[ \t]*id[ \t]*:[ \t]*[\"']?({SAFE_ID.pattern})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Draft:
    """One task as it was written, before anything in it was checked; `path` leads to it inside of its file."""

    file: str
    line: int
    path: FieldPath
    fields: dict[str, Any]


@dataclass(slots=True)
class Catch:
    """What one file gave: drafts, what was found wrong, and ids that it would have had if it could be read."""

    drafts: list[Draft] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)


def read_task_file(file: TaskFile) -> Catch:
    """Read one file; whatever is wrong with it is in the answer."""
    text = ""
    try:
        text = read_text(file.path, file.shown)
        return _from_markdown(file, text) if file.is_markdown else _from_yaml(file, text)
    except Refused as refused:
        lost = {_stem(file), *_LOOKS_LIKE_ID.findall(text)}
        return Catch(findings=[refused.finding], lost=lost)


def read_document(file: TaskFile, text: str, *, every_line: bool = False) -> Document:
    """The YAML of a task file: all of it, or its front matter (None where there is none).

    Raises:
        Refused: it is no YAML, or front matter that does not end.
    """
    page = split(text, file.shown) if file.is_markdown else Page(text, "", 1)
    return _parsed(page, file, every_line=every_line)


def _parsed(page: Page, file: TaskFile, *, every_line: bool = False) -> Document:
    try:
        return parse(page.front, first_line=page.first_line, every_line=every_line)
    except NotYaml as error:
        raise Refused(Finding(error.message, file.shown, error.hint, error.line)) from error


def _from_markdown(file: TaskFile, text: str) -> Catch:
    page, is_readme = split(text, file.shown), _stem(file).lower() == "readme"
    document = _parsed(page, file)
    fields = {} if document.value is None else document.value
    if not isinstance(fields, dict):
        what = "the front matter has to be `key: value` lines"
        raise Refused(Finding(what, file.shown, "for example `title: What is to be done`", document.line_of(())))
    fields, body = _given(fields, numerals=document.has_numerals), without_blank_edges(page.body)
    if is_readme and "id" not in fields:
        return Catch()
    if not body and not page.has_front:
        return Catch(findings=[_empty(file)])
    if not fields.get("title") and (title := first_heading(body)):
        fields["title"] = title
    if body:
        before = fields.get("description")
        fields["description"] = f"{before.rstrip()}\n\n{body}" if isinstance(before, str) and before else body
    return _single(file, fields, document)


def _from_yaml(file: TaskFile, text: str) -> Catch:
    document = _parsed(Page(text, "", 1), file)
    value = document.value
    if value is None:
        return Catch(findings=[_empty(file)])
    if isinstance(value, list):
        return _several(file, value, (), document)
    if not isinstance(value, dict):
        hint = "write `key: value` lines, or a list of tasks under `tasks:`"
        raise Refused(Finding("there is no task in this file", file.shown, hint, document.line_of(())))
    if "tasks" not in value:
        return _single(file, _given(value, numerals=document.has_numerals), document)
    tasks = [] if value["tasks"] is None else value["tasks"]
    if not isinstance(tasks, list):
        hint = "write `tasks:` and below it one `- id: …` for each task"
        raise Refused(Finding("tasks must be a list", file.shown, hint, document.line_of(("tasks",))))
    catch = _several(file, tasks, ("tasks",), document)
    for key in value.keys() - {"tasks"}:
        if not key.startswith("x-"):
            hint = nearest(key, ["tasks"]) or "only `tasks:` is read in a file that has it"
            catch.findings.append(Finding(f"unknown key {key[:80]!r}", file.shown, hint, path=(key,), grave=False))
    return catch


def _single(file: TaskFile, fields: dict[str, Any], document: Document) -> Catch:
    catch = Catch()
    if "id" not in fields:
        fields["id"] = stem = _stem(file)
        if not SAFE_ID.fullmatch(stem):
            what = f"has no id, and its name {stem[:80]!r} cannot be one"
            hint = "give it an `id` of letters, digits, '.', '_' and '-', at most 100"
            return Catch(findings=[Finding(what, file.shown, hint, 1)])
    line = document.line_of(("id",)) or 1
    catch.drafts.append(Draft(file.shown, line, (), fields))
    return catch


def _several(file: TaskFile, tasks: list[Any], path: FieldPath, document: Document) -> Catch:
    catch = Catch() if tasks else Catch(findings=[_empty(file)])
    for i, task in enumerate(tasks):
        place = (*path, i)
        if isinstance(task, dict):
            line = document.line_of((*place, "id")) or 1
            catch.drafts.append(Draft(file.shown, line, place, _given(task, numerals=document.has_numerals)))
        else:
            what = "a task in a list has to be a mapping"
            hint = "write `- id: …` and below it, indented, its other fields"
            catch.findings.append(Finding(what, file.shown, hint, path=place))
    return catch


def _given(fields: dict[str, Any], *, numerals: bool) -> dict[str, Any]:
    """The fields that have a value, with numbers as numbers where anything may stand."""
    found = given(fields)
    if numerals:
        found |= {key: numbers_in(found[key]) for key in found if key in FREE_FIELDS or key not in TASK_KEYS}
    if type(agent := found.get("agent")) is str:
        found["agent"] = intern(agent)  # tasks are many, and agents few
    return found


def _stem(file: TaskFile) -> str:
    return PurePath(file.shown).stem


def _empty(file: TaskFile) -> Finding:
    return Finding("there is no task in this file", file.shown, "write one, or remove the file", grave=False)
