"""Counts of tokens as agents write them → what an attempt used, in one meaning.

Three things differ between agents and are said by the form: what a count covers (a step, the run, or the whole
session, from which what was counted before must be taken away), whether cached tokens stand inside or outside of the
input, and whether reasoning stands inside or outside of the output. Several sources may be named; the first that has
something is used, so that a live count from steps serves until the final one is there, and for runs that have none.

Edges: a step that is reported twice (`dedupe_by`: the last report counts); a session whose earlier totals are not
known (its totals are then not this run's, and the next source is asked), also because an attempt at it was cut off and
counted by its steps, which a later total may hold or not; a session of which nothing was counted yet,
because it was cut off too soon (what its totals tell later is counted then); counters that went backward, because the
session was a new one after all; costs that cover something else than the tokens beside them.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from orchestration.adapters.form import UsageSource
from orchestration.adapters.numbers import number
from orchestration.adapters.paths import Path
from orchestration.adapters.values import MAX_KEYS
from orchestration.results import Usage

FIELDS: Final = ("input", "output", "cached_read", "cache_write", "reasoning")
Counts: TypeAlias = dict[str, float]
MILLION: Final = 1_000_000


class Counter:
    """What one source has counted so far."""

    __slots__ = ("_by_key", "_counts", "_raw", "_reduce", "_source", "_total")

    def __init__(self, source: UsageSource) -> None:
        self._source = source
        self._reduce = source.reduce or ("sum" if source.scope == "step" else "last")
        self._counts: Counts | None = None
        self._by_key: dict[str, Counts] = {}
        self._total: Counts = {}
        self._raw: Any = None

    def see(self, word: str, event: Any) -> None:  # noqa: ANN401  # any JSON
        """Take in one event that has got its word."""
        if word not in self._source.event:
            return
        counts = self._read(event)
        if counts is None:
            return
        if self._reduce == "sum":
            self._add(event, counts)
        elif self._reduce == "last" or self._counts is None:
            self._counts = counts

    @property
    def counts(self) -> Counts | None:
        """The counts as they were written, `requests` and `cost` among them; None before the first."""
        return self._total or None if self._reduce == "sum" else self._counts

    @property
    def raw(self) -> dict[str, Any] | None:
        """The last object that was read, where it is an object."""
        return self._raw if isinstance(self._raw, dict) else None

    def _read(self, event: Any) -> Counts | None:  # noqa: ANN401  # any JSON
        source = self._source
        places = [event] if source.base is None else source.base.find(event)
        found: Counts = {}
        for name in FIELDS:
            values = [one for place in places if (one := _total_of(getattr(source, name), place)) is not None]
            if values:
                found[name] = sum(values)
        if (cost := _total_of(source.cost, event)) is not None:
            found["cost"] = cost
        if not found:
            return None
        if isinstance(source.requests, Path):
            found["requests"] = _total_of(source.requests, event) or 0.0
        elif source.requests == "count":
            found["requests"] = 1.0
        self._raw = places[0] if len(places) == 1 else event
        return found

    def _add(self, event: Any, counts: Counts) -> None:  # noqa: ANN401  # any JSON
        source = self._source
        before: Counts = {}
        if source.dedupe_by is not None and (key := source.dedupe_by.first(event)) is not None:
            text = repr(key)[:200]
            before = self._by_key.get(text, {})
            if before or len(self._by_key) < MAX_KEYS:
                self._by_key[text] = counts
        for name in (*FIELDS, "requests", "cost"):
            change = counts.get(name, 0.0) - before.get(name, 0.0)
            if change or name in counts:
                self._total[name] = self._total.get(name, 0.0) + change


def _total_of(path: Path | None, event: Any) -> float | None:  # noqa: ANN401  # any JSON
    if path is None:
        return None
    numbers = [one for value in path.find(event) if (one := number(value)) is not None]
    return sum(numbers) if numbers else None


class Meter:
    """All sources of an adapter, for one attempt.

    `earlier` are the totals of the session that is resumed (`session_totals` of the attempt before), empty where
    nothing of it was counted yet, None where they are not known; `resumed` says whether there is such a session at all.
    """

    def __init__(
        self,
        sources: tuple[UsageSource, ...],
        *,
        resumed: bool,
        earlier: Mapping[str, Any] | None,
    ) -> None:
        self._sources = [(source, Counter(source)) for source in sources]
        self.words = frozenset(word for source in sources for word in source.event)
        self._earlier = earlier
        self.is_resumed = resumed

    def see(self, word: str, event: Any) -> None:  # noqa: ANN401  # any JSON
        """Take in one event that has got its word."""
        for _, counter in self._sources:
            counter.see(word, event)

    def totals(self) -> dict[str, Any] | None:
        """What has been used in the session so far, to be taken away next time; None where no source knows.

        A source that has not counted what another one did has None: its earlier totals are old by now.
        """
        found: dict[str, Any] = dict(self._earlier or {}) if self.is_resumed else {}
        was_used = self.usage() is not None
        for index, (source, counter) in enumerate(self._sources):
            if "session" not in {source.scope, _cost_scope(source)}:
                continue
            if counter.counts is not None:
                found[str(index)] = dict(counter.counts)
            elif was_used:
                found[str(index)] = None
        return found or None

    def usage(self) -> Usage | None:
        """What this attempt has used so far, by the first source that knows."""
        for index, (source, counter) in enumerate(self._sources):
            counts = counter.counts
            if counts is None:
                continue
            earlier = self._earlier_of(index)
            if earlier is None and source.scope == "session":
                continue
            return _usage_of(source, _own(source, counts, earlier), counter.raw)
        return None

    @property
    def is_unknown(self) -> bool:
        """Whether something was counted that cannot be told from what the session had used before."""
        return self.is_resumed and self.usage() is None and any(one.counts is not None for _, one in self._sources)

    def _earlier_of(self, index: int) -> Mapping[str, Any] | None:
        """What to take away from session totals: nothing for a new session, None where that is not known."""
        if not self.is_resumed or self._earlier == {}:
            return {}
        earlier = (self._earlier or {}).get(str(index))
        return earlier if isinstance(earlier, Mapping) else None


def _cost_scope(source: UsageSource) -> str:
    return source.cost_scope or source.scope if source.cost is not None else ""


def _own(source: UsageSource, counts: Counts, earlier: Mapping[str, Any] | None) -> Counts:
    """The part of the counts that is this attempt's."""
    own = dict(counts)
    if source.scope == "session" and earlier:
        own = _without(own, earlier, tuple(name for name in own if name in FIELDS))
    if _cost_scope(source) == "session" and "cost" in own:
        if earlier is None:
            del own["cost"]
        else:
            own = _without(own, earlier, ("cost",))
    return own


def _without(counts: Counts, earlier: Mapping[str, Any], names: tuple[str, ...]) -> Counts:
    before = {name: number(earlier.get(name)) or 0.0 for name in names}
    if any(counts[name] < before[name] for name in names if name in counts):
        return counts  # the counter began anew: all of it is this attempt's
    return {name: value - before.get(name, 0.0) for name, value in counts.items()}


def _usage_of(source: UsageSource, own: Counts, raw: dict[str, Any] | None) -> Usage:
    def whole(name: str) -> int:
        return max(0, round(own.get(name, 0.0)))

    cached, written, reasoning = whole("cached_read"), whole("cache_write"), whole("reasoning")
    return Usage(
        input_total=whole("input") + (cached + written if source.cached == "outside" else 0),
        cached_read=cached,
        cache_write=written,
        output_total=whole("output") + (reasoning if source.reasoning_is == "outside" else 0),
        reasoning=reasoning,
        requests=whole("requests"),
        cost_usd=max(0.0, round(own["cost"], 10)) if "cost" in own else None,
        source="reported",
        raw=raw,
    )
