"""What an adapter makes of recorded output: its verdict, and what it took each line for.

For whoever writes an adapter. A transcript is read as the output of a process is: line by line, lines beyond the bound
dropped and told. Edges survived: an empty transcript, one of gigabytes, binary data, lines without an end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, BinaryIO, Final

from orchestration.adapters import Adapter, End, denied
from orchestration.adapters.decoding import event_in
from orchestration.executors._lines import Lines
from orchestration.records import dataclass
from orchestration.results import Outcome

CHUNK: Final = 1024 * 1024
MAX_UNKNOWN: Final = 50
"""Kinds of unknown events that are told apart; a transcript of something else altogether has no end of them."""

OTHERS: Final = "others"
LONGEST_NAME: Final = 80

_NAMES: Final = ("type", "event", "kind", "name", "role", "method")


@dataclass(slots=True)
class Replay:
    """What came of a transcript.

    `words` counts the events by the word that a rule gave them, `unknown` those that no rule knows by their own name,
    `text_lines` the lines that are no event.
    """

    lines: int = 0
    words: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    text_lines: int = 0
    outcome: Outcome = field(default_factory=Outcome)

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON."""
        counts = {"lines": self.lines, "text_lines": self.text_lines}
        outcome = {"succeeded": self.outcome.succeeded, **self.outcome.to_dict()}
        return {**counts, "events": self.words, "unknown_events": self.unknown, "outcome": outcome}


def replayed(
    adapter: Adapter,
    transcript: BinaryIO,
    end: End,
    *,
    stderr: bytes = b"",
    side_files: Mapping[str, str] | None = None,
) -> Replay:
    """Have an adapter read a transcript; there are no checks that could prove anything."""
    replay, reader = Replay(), adapter.reader()
    lines = Lines(lambda size: reader.overlong("stdout", size))
    events_only = adapter.form.output.format == "jsonl"
    for line in _lines_of(transcript, lines):
        replay.lines += 1
        seen = reader.feed(line)
        if seen.word is not None:
            replay.words[seen.word] = replay.words.get(seen.word, 0) + 1
        elif events_only and (event := event_in(line)) is not None:
            _count(replay.unknown, _name_of(event))
        elif line.strip():
            replay.text_lines += 1
    for complaint in stderr.splitlines():
        seen = reader.feed(complaint, "stderr")
        if seen.word is not None:
            replay.words[seen.word] = replay.words.get(seen.word, 0) + 1
    for path, text in (side_files or {}).items():
        reader.side_file(path, text)
    replay.outcome = denied(reader.verdict(end), proved=False)
    return replay


def _lines_of(transcript: BinaryIO, lines: Lines) -> Iterable[bytes]:
    while data := transcript.read(CHUNK):
        yield from lines.feed(data)
    yield from lines.rest()


def _name_of(event: Mapping[str, Any]) -> str:
    """How an event that no rule knows calls itself."""
    found = next((event[name] for name in _NAMES if isinstance(event.get(name), str)), None)
    return "without a name" if found is None else found[:LONGEST_NAME]


def _count(counts: dict[str, int], name: str) -> None:
    if name not in counts and len(counts) >= MAX_UNKNOWN:
        name = OTHERS
    counts[name] = counts.get(name, 0) + 1
