"""The form of an adapter file: every field that there is, each checked by itself when a file is read.

What one field says about another (an event word that no rule gives, a placeholder without its condition) is checked in
`checking`. Paths, conditions and regular expressions are taken apart and compiled here, once. `docs/adapters.md` is
this file for people.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetPydanticSchema
from pydantic_core import core_schema

from orchestration.adapters.conditions import ANYTHING, Match, match_of, regex_of
from orchestration.adapters.numbers import Conversion
from orchestration.adapters.paths import Path, path_of
from orchestration.kinds import Failure

LONGEST_ARGUMENT: Final = 131_071
"""Bytes of one word of a command line; Linux refuses to start a program with a longer one."""


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _as_paths(value: object) -> tuple[Path, ...]:
    """One path, or a list of them."""
    return tuple(path_of(one) for one in value) if isinstance(value, list | tuple) else (path_of(value),)


def _made_by(read: Callable[[object], object]) -> GetPydanticSchema:
    """A field whose value is made by a function of ours, which raises ValueError for what it cannot read."""
    return GetPydanticSchema(lambda _source, _handler: core_schema.no_info_plain_validator_function(read))


Word: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.:/-]{0,63}$")]
Words: TypeAlias = Annotated[tuple[Word, ...], BeforeValidator(_as_list)]
Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
OnePath: TypeAlias = Annotated[Path, _made_by(path_of)]
Paths: TypeAlias = Annotated[tuple[Path, ...], _made_by(_as_paths)]
Regex: TypeAlias = Annotated[re.Pattern[str], _made_by(regex_of)]
Where: TypeAlias = Annotated[Match, _made_by(match_of)]
Scalar: TypeAlias = str | int | float | bool
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=86_400)]
EnvName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Written(BaseModel):
    """Part of a form: closed, and never changed after it was read."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=False, strict=False
    )


class Program(Written):
    """What is started: the name on PATH, other names that it may have, and how to ask for its version."""

    name: Annotated[str, Field(min_length=1)]
    alternatives: Texts = ()


class Version(Written):
    """How to ask for the version: the first group of `pattern` (or the one called `version`) is it.

    A program is asked only where its adapter has this: one that pays no heed to the words would do its work once more.
    """

    arguments: Texts = ("--version",)
    pattern: Regex = re.compile(r"(\d+(?:\.\d+)+)")
    tested: Annotated[str | None, Field(pattern=r"^[<>=!.,\d\s]+$")] = None


class Part(Written):
    """Words that are given only under a condition."""

    if_: Annotated[Texts, Field(alias="if")] = ()
    unless: Texts = ()
    add: "Arguments"


def _as_parts(value: object) -> object:
    """Words may stand in lists of their own, for the eye; numbers are words too."""
    if not isinstance(value, list | tuple):
        return value
    flat: list[object] = []
    for one in value:
        flat += one if isinstance(one, list | tuple) else [one]
    return [str(one) if isinstance(one, int | float) and not isinstance(one, bool) else one for one in flat]


Arguments: TypeAlias = Annotated[tuple[str | Part, ...], BeforeValidator(_as_parts)]


class Option(Written):
    """Something that agents of this adapter can be told by `options:`."""

    description: str = ""
    default: Scalar | None = None
    choices: Annotated[tuple[Scalar, ...], BeforeValidator(_as_list)] = ()
    required: bool = False


class Prompt(Written):
    """How the prompt gets in, and how long it may be."""

    channel: Literal["stdin", "file", "argument"]
    limit: Annotated[int, Field(ge=1)] | None = None
    unit: Literal["characters", "bytes"] = "characters"


class Environment(Written):
    """Variables to set, and names of those of the caller that may pass."""

    set: dict[EnvName, str] = Field(default_factory=dict)
    pass_: Annotated[tuple[EnvName, ...], BeforeValidator(_as_list), Field(alias="pass")] = ()


class Source(Written):
    """A value: which events have it, where in them, and what becomes of several."""

    event: Words
    path: OnePath
    reduce: Literal["last", "first", "sum", "concat", "concat_since"] = "last"
    since: Words = ()
    dedupe_by: OnePath | None = None
    join: str = ""


Sources: TypeAlias = Annotated[tuple[Source, ...], BeforeValidator(_as_list)]


class Session(Written):
    """How the conversation is named, so that a later attempt can go on with it."""

    reported: Sources = ()
    assigned: bool = False
    resume: bool = True


class Output(Written):
    """What the program prints."""

    format: Literal["jsonl", "json", "text"] = "jsonl"
    stream: Literal["stdout", "stderr", "both"] = "stdout"


class Rule(Written):
    """Which events get which word; the first rule that fits is the one."""

    is_: Annotated[Word, Field(alias="is")]
    match: Where = ANYTHING
    final: Literal["good", "failed", "open", "more"] | None = None
    good_when: Where | None = None
    show: Paths = ()


class SideFile(Written):
    """A file that the agent leaves, read after its end; what is in it counts as events called `is`."""

    path: Annotated[str, Field(min_length=1)]
    format: Literal["json", "jsonl", "text"] = "json"
    is_: Annotated[Word, Field(alias="is")]


class UsageSource(Written):
    """Where counts of tokens stand, what they cover and what they mean."""

    event: Words
    scope: Literal["step", "run", "session"] = "run"
    reduce: Literal["sum", "last", "first"] | None = None
    dedupe_by: OnePath | None = None
    base: OnePath | None = None
    input: OnePath | None = None
    output: OnePath | None = None
    cached_read: OnePath | None = None
    cache_write: OnePath | None = None
    reasoning: OnePath | None = None
    cached: Literal["inside", "outside"] = "inside"
    reasoning_is: Literal["inside", "outside"] = "inside"
    requests: Annotated[Literal["count"] | OnePath | None, Field(union_mode="left_to_right")] = None
    cost: OnePath | None = None
    cost_scope: Literal["step", "run", "session"] | None = None


class Reset(Written):
    """When a limit ends: a time from now (`after`) or a moment (`at`), from a field or from the class's texts."""

    after: Literal["seconds", "milliseconds", "duration"] | None = None
    at: Literal["epoch", "time", "clock"] | None = None
    event: Words = ()
    path: OnePath | None = None
    text: Regex | None = None

    @property
    def how(self) -> Conversion:
        """How the value is read."""
        return self.after or self.at or "seconds"


Places: TypeAlias = Annotated[tuple[Literal["error", "stderr", "stdout", "answer"], ...], BeforeValidator(_as_list)]


def _failure(value: object) -> object:
    return value if isinstance(value, str) else str(value)


class ErrorClass(Written):
    """What a failure is called: by fields of an event, or by a text; the first class that fits is the one."""

    failure: Annotated[Failure, BeforeValidator(_failure)]
    class_: Annotated[Word, Field(alias="class")]
    event: Words = ()
    match: Where | None = None
    text: Regex | None = None
    in_: Annotated[Places, Field(alias="in")] = ("error",)
    even_when_good: bool = False
    reset: Annotated[tuple[Reset, ...], BeforeValidator(_as_list)] = ()


class Denials(Written):
    """What the agent was not allowed to do: `path` leads to each refusal, `show` picks what is told of it."""

    event: Words
    match: Where = ANYTHING
    path: OnePath
    show: Paths = ()


class Stop(Written):
    """How it is ended: signals that it heeds, and seconds it needs then."""

    signal: Literal["TERM", "INT", "HUP", "KILL"] = "TERM"
    grace: Seconds | None = None


class OwnRetriesOff(Written):
    """How its own retries are switched off."""

    environment: dict[EnvName, str] = Field(default_factory=dict)
    arguments: Arguments = ()


def _as_program(value: object) -> object:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, list | tuple) and value:
        return {"name": value[0], "alternatives": list(value[1:])}
    return value


class Form(Written):
    """A whole adapter file."""

    name: Word | None = None
    description: str = ""
    program: Annotated[Program, BeforeValidator(_as_program)]
    version: Version = Version(arguments=())
    arguments: Arguments
    permission: dict[Literal["read", "write", "all"], Arguments] = Field(default_factory=dict)
    options: dict[Word, Option] = Field(default_factory=dict)
    prompt: Prompt
    environment: Environment = Environment()
    session: Session = Session(resume=False)
    output: Output = Output()
    events: tuple[Rule, ...] = ()
    end: Literal["event", "process"] = "event"
    answer: Sources = ()
    answer_is: Literal["required", "optional"] = "required"
    error: Sources = ()
    model: Sources = ()
    turns: Sources = ()
    agent_version: Sources = ()
    usage: Annotated[tuple[UsageSource, ...], BeforeValidator(_as_list)] = ()
    side_files: tuple[SideFile, ...] = ()
    errors: tuple[ErrorClass, ...] = ()
    denials: Annotated[tuple[Denials, ...], BeforeValidator(_as_list)] = ()
    stop: Stop = Stop()
    linger: Seconds = 10.0
    own_retries_off: OwnRetriesOff | None = None
    accepted_exit_codes: Annotated[tuple[int, ...], BeforeValidator(_as_list)] = (0,)


JsonLike: TypeAlias = Mapping[str, Any]
