"""The vocabulary of scripts: every step that there is, with its fields, their types, defaults and bounds.

A step has one word and some fields; `short` is the field that a bare value gives, so that `wait: 2` is `wait: {seconds:
2}`. The reader of scripts, the player and the table in `docs/scripted.md` are all held to this table by tests.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MEGABYTES = 1024  # of output by one step: enough to show that a bound holds, too little to fill a disk unseen
MAX_SECONDS = 86_400.0  # of one wait, and of the life of anything that a script starts
LIFETIME = 3_600.0  # seconds after which a scripted agent ends whatever it does: nobody wants it back
LEFT_BEHIND = 60.0  # seconds that a process lives which a script leaves behind, unless it says otherwise
RENDEZVOUS = 30.0  # seconds that a script waits for a file
COMMAND_LIMIT = 600.0  # seconds for a command

REQUIRED = object()
"""The default of a field that has none."""

ERROR_KINDS = ("auth", "budget", "context_overflow", "max_turns", "other", "overloaded", "permission", "refused")
"""Kinds of error that a final event can name; limits have a step of their own."""

SIGNALS = ("ABRT", "BUS", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM")
"""Signals by which a script can end its own process."""


class Field:
    """One field of a step: `kind` names its type, `low` and `high` bound numbers, `choices` lists words."""

    __slots__ = ("choices", "default", "high", "kind", "low")

    def __init__(
        self,
        kind: str,
        default: object = REQUIRED,
        *,
        choices: tuple[str, ...] = (),
        low: float = 0,
        high: float | None = None,
    ) -> None:
        self.kind = kind
        self.default = default
        self.choices = choices
        self.low = low
        self.high = high


class Step:
    """One step: its fields, and which of them a bare value gives (`whole` if the value is a mapping of free names)."""

    __slots__ = ("fields", "short", "whole")

    def __init__(self, short: str | None = None, *, whole: bool = False, **fields: Field) -> None:
        self.short = short
        self.whole = whole
        self.fields: Mapping[str, Field] = fields


def _text(default: object = REQUIRED) -> Field:
    return Field("text", default)


def _word(default: object, *choices: str) -> Field:
    return Field("word", default, choices=choices)


def _seconds(default: object = REQUIRED, high: float = MAX_SECONDS) -> Field:
    return Field("seconds", default, high=high)


def _count(default: object = REQUIRED, low: int = 0, high: int = 1_000_000_000) -> Field:
    return Field("count", default, low=low, high=high)


def _flag() -> Field:
    return Field("flag", default=False)


def _megabytes() -> Field:
    return Field("number", 1.0, high=MAX_MEGABYTES)


SAYING = {
    "say": Step("text", text=_text()),
    "think": Step("text", text=_text()),
    "event": Step("fields", whole=True, fields=Field("mapping")),
    "noise": Step("text", text=_text("this line is no JSON"), times=_count(1, 1, 1_000_000)),
    "stderr": Step("text", text=_text()),
    "flood": Step(
        "megabytes",
        megabytes=_megabytes(),
        to=_word("stdout", "stdout", "stderr"),
        form=_word("events", "events", "noise"),
        line=_count(1_000, 60, 1_000_000),
    ),
    "line": Step("megabytes", megabytes=_megabytes(), form=_word("event", "event", "noise")),
    "half_line": Step("of", of=_word("text", "text", "final"), text=_text("This sentence never comes to its")),
    "split_utf8": Step("text", text=_text("Grüße, 世界 🌍")),
    "bad_utf8": Step(),
    "leak": Step(
        "name",
        name=_text(),
        to=_word("text", "text", "answer", "noise", "output", "stderr"),
        split=_flag(),
    ),
}
"""What a scripted agent says."""

DOING = {
    "wait": Step("seconds", seconds=_seconds()),
    "wait_for": Step("path", path=_text(), count=_count(1, 1, 10_000), timeout=_seconds(RENDEZVOUS)),
    "write": Step(path=_text(), content=_text("")),
    "append": Step(path=_text(), content=_text("")),
    "run": Step("command", command=_text(), session=Field("flag", default=True), timeout=_seconds(COMMAND_LIMIT)),
    "output": Step("values", whole=True, values=Field("mapping")),
    "usage": Step(
        input=_count(0),
        cached=_count(0),
        cache_write=_count(0),
        output=_count(0),
        reasoning=_count(0),
        requests=_count(1),
        cost_usd=Field("number", None, high=1_000_000),
    ),
    "model": Step("name", name=_text()),
    "session": Step("id", id=_text()),
    "forget": Step(),
    "stdin": Step("how", how=_word(REQUIRED, "slow", "ignore", "close"), rate=_count(65_536, 1)),
    "save_prompt": Step("path", path=_text()),
    "lifetime": Step("seconds", seconds=_seconds()),
}
"""What it does."""

ENDING = {
    "final": Step(
        "verdict",
        verdict=_word("good", "good", "failed"),
        text=_text(None),
        error=_text(None),
        kind=_word(None, *ERROR_KINDS),
        turns=_count(None),
    ),
    "rate_limit": Step(
        "reset",
        reset=Field("moment", None),
        form=_word("seconds", "seconds", "time", "epoch"),
        hidden=_flag(),
        message=_text("You have hit your usage limit."),
    ),
    "quota": Step(path=_text(), requests=_count(REQUIRED, 1), window=_seconds()),
    "refuse": Step("tool", tool=_text("write"), reason=_text("permission was not granted")),
    "exit": Step("code", code=_count(REQUIRED, 0, 255)),
    "crash": Step("signal", signal=_word("SEGV", *SIGNALS)),
    "hang": Step(every=_seconds(None), text=_text("still at it")),
    "on_term": Step(
        "does", does=_word("exit", "exit", "ignore"), code=_count(143, 0, 255), after=_seconds(0.0, LIFETIME)
    ),
    "leave": Step(
        "how",
        how=_word("child", "child", "session", "daemon", "nohup"),
        count=_count(1, 1, 100),
        deaf=_flag(),
        holds_stdout=_flag(),
        unmarked=_flag(),
        seconds=_seconds(LEFT_BEHIND, LIFETIME),
        pids=_text(None),
    ),
    "reexec": Step(),
}
"""How it ends, and what it leaves behind."""

CHOOSING = {
    "attempts": Step("lists", lists=Field("lists")),
    "tasks": Step("cases", whole=True, cases=Field("cases")),
    "one_of": Step("lists", lists=Field("lists")),
    "fail_first": Step("times", times=_count(REQUIRED, 1, 1_000), error=_text("it did not work out this time")),
    "trick": Step("name", name=Field("trick")),
}
"""Which steps are played at all: decided before the first one is."""

STEPS: Mapping[str, Step] = {**SAYING, **DOING, **ENDING, **CHOOSING}
"""Every step by its word."""

OTHERWISE = "otherwise"
"""The case of `tasks` for those that have none of their own."""
