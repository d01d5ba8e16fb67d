"""What a scripted agent has while it plays: its way to the streams, its task, its session, what it will answer.

Everything is written straight to the descriptors, so that nothing stays in a buffer when a step crashes the process,
and so that a script decides where one write ends and the next begins.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

STDIN, STDOUT, STDERR = 0, 1, 2
READ_AT_ONCE = 65_536


class Stop(Exception):  # it is no error
    """The script has come to its end before its last step; `code` is the exit code, None for what the stage says."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


class Stage:
    """One attempt."""

    __slots__ = (
        "answer",
        "attempt",
        "code",
        "denials",
        "environment",
        "model",
        "prompt",
        "reads_stdin",
        "resumed",
        "session",
        "started",
        "task",
        "turns",
    )

    def __init__(self, environment: Mapping[str, str], session: str, resumed: str | None, model: str) -> None:
        self.environment = environment
        self.task = environment.get("ORCH_TASK_ID", "task")
        self.attempt = attempt_of(environment)
        self.session = resumed or session
        self.resumed = resumed
        self.model = model
        self.code = 0
        self.turns = 0
        self.answer: str | None = None
        self.denials: list[dict[str, str]] = []
        self.prompt = b""
        self.reads_stdin = True
        self.started = False

    def filled(self, text: str) -> str:
        """The text with `{task}` and `{attempt}` replaced; other braces stay as they are."""
        return text.replace("{task}", self.task).replace("{attempt}", str(self.attempt))

    def tell(self, kind: str, **fields: object) -> None:
        """Write one event, after the one that names the session."""
        write(STDOUT, self.line(kind, **fields))

    def line(self, kind: str, **fields: object) -> bytes:
        """One event as it is written; before the first one comes the event that names the session."""
        return self.beginning() + as_line({"type": kind, **fields})

    def beginning(self) -> bytes:
        """The event that names the session, unless it has been told."""
        if self.started:
            return b""
        self.started = True
        return as_line({"type": "session", "session": self.session, "model": self.model})

    def name_again(self) -> None:
        """Tell of a session or model that has changed, unless its event is still to come."""
        if self.started:
            self.started = False
            write(STDOUT, self.beginning())

    def read_prompt(self) -> None:
        """Take in what stdin has, to its end."""
        if os.isatty(STDIN):  # a person who tries it by hand
            return
        parts = []
        while part := os.read(STDIN, READ_AT_ONCE):
            parts.append(part)
        self.prompt = b"".join(parts)


def attempt_of(environment: Mapping[str, str]) -> int:
    """Which attempt this is; 1 where nobody says it."""
    text = environment.get("ORCH_ATTEMPT", "1")
    return max(1, int(text)) if text.isdecimal() else 1


def as_line(event: Mapping[str, Any]) -> bytes:
    """An event as one line of JSON, in UTF-8; what JSON does not know becomes text."""
    text = json.dumps(event, ensure_ascii=False, default=str, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"


def write(descriptor: int, data: bytes) -> None:
    """Write all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
