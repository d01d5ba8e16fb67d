"""What an agent prints → what came of it, line by line. Never raises, whatever the line.

A line becomes an event (JSON, or text that a rule knows), the first rule that fits gives it a word, and the word
tells which values it is for. Unknown events are ignored here; they are in the attempt's log as they came. A rule may
settle how it went: `good`, `failed` (which stands, whatever else is said), `open` (something begins anew, and all that
was said before is forgotten), or `more` (it goes on: what was good was not the end, and a failure stands). Where an
agent has no final event (`end: process`), that is only what the end of its process will confirm.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

from orchestration.adapters.classes import Evidence
from orchestration.adapters.decoding import MAX_DOCUMENT, Event, Tail, event_in, json_in, plain, text_in
from orchestration.adapters.denials import Refusals
from orchestration.adapters.form import Form, Rule
from orchestration.adapters.showing import MAX_SHOWN, shown
from orchestration.adapters.usage import Meter
from orchestration.adapters.values import Value, clean
from orchestration.adapters.verdict import End, Facts, outcome_of
from orchestration.adapters.words import PLACEHOLDER
from orchestration.records import dataclass
from orchestration.results import Outcome, Usage

Stream: TypeAlias = Literal["stdout", "stderr"]
State: TypeAlias = Literal["good", "failed", "open"]

MAX_WARNINGS: Final = 20
"""Warnings of one attempt; the same trouble comes again and again."""


class Listener(Protocol):
    """Whatever gathers something from events with certain words."""

    words: frozenset[str]

    def see(self, word: str, event: Any) -> None:  # noqa: ANN401  # any JSON
        """Take in one event that has got its word."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What a line was: its word (None for what no rule knows), what to show of it, whether it was a final event."""

    word: str | None = None
    text: str | None = None
    final: bool = False


NOTHING: Final = Seen()


class Reader:
    """Reads one attempt's output; made by `Adapter.reader`."""

    def __init__(
        self,
        form: Form,
        name: str,
        *,
        session: str | None = None,
        assigned: str | None = None,
        totals: Mapping[str, Any] | None = None,
        model: str | None = None,
    ) -> None:
        self._form, self._name = form, name
        self._wanted, self._assigned, self._model = session, assigned, model
        self._session = Value(form.session.reported)
        self._values = {
            key: Value(getattr(form, key)) for key in ("answer", "error", "model", "turns", "agent_version")
        }
        self._meter = Meter(form.usage, resumed=session is not None, earlier=totals)
        self._evidence = Evidence(form.errors)
        self._refusals = Refusals(form.denials)
        self._listeners: dict[str, list[Listener]] = {}  # word → those that it is for
        self._state: State | None = None
        self._tails = {"stdout": Tail(), "stderr": Tail()}
        self._document: list[bytes] = []
        self._size = 0
        self._warnings: list[str] = []

    def feed(self, line: bytes, stream: Stream = "stdout") -> Seen:
        """Take in one line, with or without its end."""
        output = self._form.output
        if output.stream not in {stream, "both"}:
            return self._plain(text_in(line), stream)
        if output.format == "text":
            return self._text(text_in(line), stream)
        if output.format == "json":
            return self._collect(line)
        event = event_in(line)
        if event is None:
            return self._plain(text_in(line), stream)
        return self._event(event)

    def overlong(self, stream: Stream, size: int) -> None:
        """Learn that a line of `size` bytes was dropped, because nobody keeps such lines."""
        self._warn(f"a line of {size:,} bytes on {stream} was too long to be read")

    def side_file(self, path: str, text: str) -> None:
        """Take in a file that the agent left."""
        for declared in sorted(self._form.side_files, key=lambda one: -len(one.path)):
            fixed = PLACEHOLDER.split(declared.path)[-1].lstrip("/")
            if fixed and f"/{path}".endswith(f"/{fixed}"):
                break
        else:
            return
        if declared.format == "text":
            self._take(declared.is_, {"text": text})
            return
        found = [json_in(text)] if declared.format == "json" else [json_in(line) for line in text.splitlines()]
        for value in found:
            if isinstance(value, dict | list):
                self._take(declared.is_, value)
        if all(value is None for value in found):
            self._warn(f"{path} holds no JSON")

    @property
    def usage(self) -> Usage | None:
        """What has been used so far: from steps while the final figure is not there; None where nothing is known."""
        return self._meter.usage()

    @property
    def session_id(self) -> str | None:
        """The session as the agent reported it, else as it was told to call it, else the one that it goes on with."""
        return self._session.text()[:500] or self._assigned or self._wanted

    @property
    def is_final(self) -> bool:
        """Whether a final event, good or failed, was seen and nothing has begun anew since."""
        return self._form.end == "event" and self._state in {"good", "failed"}

    def verdict(self, end: End) -> Outcome:
        """Say what came of it, now that the process has ended."""
        self._read_document()
        lost = self._is_session_lost()
        if self._meter.is_unknown:
            self._warn("what this attempt used is not known: earlier totals of its session were not kept")
        stderr = self._tails["stderr"].text() or clean(end.stderr_tail)
        stdout = self._tails["stdout"].text() or (clean(end.stdout_tail) if self._form.output.format == "text" else "")
        turns = self._values["turns"].number()
        facts = Facts(
            form=self._form,
            name=self._name,
            state=self._state,
            end=end,
            answer=self._values["answer"].text().strip(),
            error=self._values["error"].text("\n").strip(),
            stderr=stderr,
            stdout=stdout,
            usage=self.usage,
            session_id=self.session_id,
            session_lost=lost,
            session_totals=self._meter.totals(),
            model=self._values["model"].text() or self._model,
            turns=None if turns is None else round(turns),
            agent_version=self._values["agent_version"].text() or None,
            denials=self._refusals.texts(),
            warnings=tuple(self._warnings),
            evidence=self._evidence,
        )
        return outcome_of(facts)

    def _event(self, event: Event) -> Seen:
        groups: dict[str, str] = {}  # named groups of regular expressions: fields of text
        for rule in self._form.events:
            if rule.match.fits(event, groups):
                return self._ruled(rule, {**groups, **event} if groups else event)
            if groups:
                groups.clear()
        return NOTHING

    def _ruled(self, rule: Rule, event: Event) -> Seen:
        final = self._settle(rule, event)
        self._take(rule.is_, event)
        return Seen(rule.is_, shown(rule.show, event) if rule.show else None, final)

    def _settle(self, rule: Rule, event: Event) -> bool:
        """Note what the event says of the end; whatever begins anew makes earlier failures forgotten."""
        if rule.final is None and rule.good_when is None:
            return False
        state: State | Literal["more"] | None = rule.final
        if rule.good_when is not None:
            state = "good" if rule.good_when.fits(event) else state or "failed"
        if state == "more":
            self._state = "open" if self._state == "good" else self._state
        elif state != "good" or self._state != "failed":  # a failure stands until something begins anew
            self._state = state
        if state == "open":
            self._evidence.forget()
            self._values["error"].forget()
        return self.is_final

    def _take(self, word: str, event: Any) -> None:  # noqa: ANN401  # any JSON
        listeners = self._listeners.get(word)
        if listeners is None:
            every: list[Listener] = [self._session, *self._values.values(), self._meter, self._evidence, self._refusals]
            listeners = self._listeners[word] = [one for one in every if word in one.words]
        for one in listeners:
            one.see(word, event)

    def _plain(self, text: str, stream: Stream) -> Seen:
        self._tails[stream].add(text)
        return Seen(text=clean(text[:MAX_SHOWN])) if text.strip() else NOTHING

    def _text(self, text: str, stream: Stream) -> Seen:
        self._tails[stream].add(text)
        seen = self._event({"line": plain(text), "stream": stream})
        return seen if seen.text or not text.strip() else Seen(seen.word, clean(text[:MAX_SHOWN]), seen.final)

    def _collect(self, line: bytes) -> Seen:
        self._size += len(line) + 1
        if self._size <= MAX_DOCUMENT:
            self._document.append(line)
        return NOTHING

    def _read_document(self) -> None:
        """Read output that is one JSON document: an object is one event, a list one for each item."""
        if not self._document:
            return
        text = b"\n".join(self._document)
        self._document.clear()
        value = json_in(text)
        if value is None and (start := text.find(b"{")) > 0:  # something was printed in front of it
            value = json_in(text[start:])
        events = value if isinstance(value, list) else [value]
        for event in events:
            if isinstance(event, dict):
                self._event(event)
        if value is None:
            for line in text_in(text[-MAX_SHOWN:]).splitlines():
                self._tails["stdout"].add(line)

    def _is_session_lost(self) -> bool:
        reported = self._session.text()[:500]
        lost = self._wanted is not None and bool(reported) and reported != self._wanted
        if lost:
            self._meter.is_resumed = False
        return lost

    def _warn(self, text: str) -> None:
        if len(self._warnings) < MAX_WARNINGS and text not in self._warnings:
            self._warnings.append(text)
