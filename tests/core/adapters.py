"""Small adapters and small transcripts, written by hand."""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from orchestration.adapters import Adapter, End, Launch, Reader, parse_adapter
from orchestration.loading.adapters import load_adapter
from orchestration.models import CliAgent
from orchestration.results import Outcome

SMALL: Mapping[str, Any] = {
    "program": "helper",
    "arguments": ["run", {"if": "model", "add": ["--model", "{model}"]}],
    "prompt": {"channel": "stdin"},
    "session": {"resume": False, "reported": {"event": "begun", "path": "id"}},
    "events": [
        {"is": "begun", "match": {"type": "begin"}, "final": "open"},
        {"is": "text", "match": {"type": "text"}, "show": "text"},
        {"is": "tool", "match": {"type": "tool"}, "show": ["name", "input"]},
        {"is": "end", "match": {"type": "end"}, "good_when": {"ok": True}},
    ],
    "answer": {"event": "text", "path": "text"},
    "error": {"event": "end", "path": "error"},
    "errors": [
        {"failure": "rate_limited", "class": "limit", "event": "end", "match": {"code": 429}},
        {"failure": "auth", "class": "auth", "text": "(?i)not logged in", "in": ["error", "stderr"]},
    ],
}
BEGIN, TEXT, GOOD = {"type": "begin", "id": "s-1"}, {"type": "text", "text": "It is done."}, {"type": "end", "ok": True}


def small(**changes: object) -> Adapter:
    """The small adapter, with other values for some fields; None takes a field away."""
    data = {**deepcopy(dict(SMALL)), **changes}
    return parse_adapter({key: value for key, value in data.items() if value is not None}, "small")


@cache
def preset(name: str) -> Adapter:
    """A preset, read once."""
    return load_adapter(Path(name))


def lines(*events: object) -> list[bytes]:
    """Events as the lines of a stream; text is taken as it is."""
    return [event.encode() if isinstance(event, str) else json.dumps(event).encode() for event in events]


def read(adapter: Adapter, printed: Iterable[bytes], **about: Any) -> Reader:  # noqa: ANN401  # what `reader` takes
    """A reader that has read some lines."""
    reader = adapter.reader(**about)
    for line in printed:
        reader.feed(line)
    return reader


def outcome(adapter: Adapter, *events: object, end: End = End(exit_code=0)) -> Outcome:  # noqa: B008  # frozen
    """What an adapter makes of a few events."""
    return read(adapter, lines(*events)).verdict(end)


def launch(prompt: str = "Do it.", **about: Any) -> Launch:  # noqa: ANN401  # what a launch or an agent takes
    """A launch in made-up folders; what an agent can be told goes to the agent."""
    known = {key: about.pop(key) for key in ("session", "new_session", "own_retries") if key in about}
    agent = CliAgent(adapter="helper.yaml", **about)
    return Launch(prompt=prompt, workspace="/w", folder="/f", home="/h", agent=agent, **known)
