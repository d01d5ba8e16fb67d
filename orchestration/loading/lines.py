"""Findings that know their field → findings that know their line.

Each file that something is wrong with is read again, once, with the line of every value noted. Where it has changed or
gone meanwhile, the finding stays without a line rather than with a wrong guess at what the user meant.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from orchestration.loading.findings import Finding, Refused
from orchestration.loading.reading import read_text
from orchestration.loading.settings import settings_document
from orchestration.loading.taskfiles import read_document
from orchestration.loading.walking import SETTINGS_FILE, TaskFile
from orchestration.loading.yamltext import Document
from orchestration.models import TASK_ALIASES


def with_lines(findings: Iterable[Finding], root: Path, files: Iterable[TaskFile]) -> list[Finding]:
    """The same findings, each with its line where one can be told."""
    known = {file.shown: file for file in files}
    documents: dict[str, Document | None] = {}
    found = []
    for finding in findings:
        name, path = finding.file, finding.path
        if finding.line is None and path and name is not None:
            if name not in documents:
                documents[name] = _document(name, root, known)
            document = documents[name]
            line = None if document is None else document.line_of(path, TASK_ALIASES)
            found.append(replace(finding, line=line))
        else:
            found.append(finding)
    return found


def _document(name: str, root: Path, known: dict[str, TaskFile]) -> Document | None:
    try:
        if name == SETTINGS_FILE:
            return settings_document(root, every_line=True)
        file = known.get(name)
        return None if file is None else read_document(file, read_text(file.path, name), every_line=True)
    except Refused:
        return None
