"""Steps of flows, and references to what others returned. What is written is checked here, where the mistake is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from orchestration.calls import Limits, name_of
from orchestration.errors import UsageError
from orchestration.flow.refusing import refuse_for_flows, refuse_wrong_conditions, refuse_wrong_kinds
from orchestration.kinds import OnCrash
from orchestration.models import RetryPolicy
from orchestration.records import dataclass
from orchestration.steps.around import Around, read_around
from orchestration.steps.reading import checked_name, limits, retry_of
from orchestration.steps.returns import Return, Serializer, Written, read_returns
from orchestration.steps.values import apart

if TYPE_CHECKING:
    from orchestration.flow.flow import Flow

Function: TypeAlias = Callable[..., Any]
Condition: TypeAlias = str | Function


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that a step returned, or that the flow was given: `a`, `a.key`, `a.rows.0.name`, `inputs.x`."""

    path: str

    def __post_init__(self) -> None:
        """Check it; raises UsageError."""
        written: object = self.path
        if not isinstance(written, str) or not all(written.split(".")):
            raise UsageError(f"{self.path!r:.80} is no reference", hint="write a step's id, then keys, such as a.key")


def ref(path: str) -> Ref:
    """A reference for `FlowStep.inputs`; what is no reference there is a literal."""
    return Ref(path)


@dataclass(slots=True)
class FlowStep:
    """One step: a function, a tool by its name, or another flow.

    Args:
        id: unique in the flow.
        function: what is called: async functions and generators in the loop, plain ones in a thread.
        tool: instead of it, the name under which the executor knows a function.
        flow: instead of it, a flow whose steps are done in its place.
        depends_on: the ids of the steps that it waits for.
        inputs: parameter → `ref(…)` or literal; other parameters are found by name among the flow's inputs, the ids of
            the steps that it waits for, and what those returned. Where just one is left and there is just one step that
            it waits for, that step's value is it.
        when: whether it runs at all: an expression over these names, or a plain function of them.
        branches: the id of a step that waits for this one → condition over this one's values; of all that are named
            here, the first one whose condition holds runs, and the others are skipped.
        default: which of those that wait for it runs if no condition holds.
        retry: how many attempts, or a `RetryPolicy`.
        timeout: seconds (or `30s`, `5m`) from the start of each attempt; waiting for a turn does not count.
        idle_timeout: seconds from item to item of a generator.
        kill_grace: seconds that it gets to clean up when it is cancelled; 5 by default.
        fallback: a function, or a tool's name, that is called with the same arguments when it has failed for good.
        on_error: what its failure means: `fail`, or `skip` as if it had never been meant to run.
        cache: whether an earlier result of the same function with the same arguments will do.
        version: a part of the cache's key, for changes that the function's own code does not show.
        files: patterns of files that it makes; a cached result counts only while they are as it left them.
        returns: names for what it returns, where that is no dictionary.
        serializer: keeps returned objects in a durable store (`dumps` and `loads`).
        recompute: returned objects are made again when a durable run is continued.
        stream_end_type: the `type` of the item of a generator that carries what it returns.
        on_crash: what a crash of the process in mid-attempt means: `rerun`, `fail`.
        secrets: names of secrets that it may see: parameters of these names get them, and `current_step().secrets`.
        catalog: files that it gets from earlier steps and puts for later ones: `{"get": […], "put": […]}`, patterns.

    Raises:
        UsageError: something of this is not possible.
    """

    id: str
    function: Function | str | None = None
    tool: str | None = None
    flow: "Flow | None" = None
    depends_on: Sequence[str] | str = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    when: Condition | bool | None = None
    branches: Mapping[str, Condition] = field(default_factory=dict)
    default: str | None = None
    retry: RetryPolicy | int | Mapping[str, Any] | None = None
    timeout: float | str | None = None
    idle_timeout: float | str | None = None
    kill_grace: float | str | None = None
    fallback: Function | str | None = None
    on_error: Literal["fail", "skip"] = "fail"
    cache: bool = False
    version: str = ""
    files: Sequence[str] | str = ()
    returns: Sequence[Written] = ()
    serializer: Serializer | None = None
    recompute: bool = False
    stream_end_type: str = "done"
    on_crash: OnCrash | str = OnCrash.RERUN
    secrets: Sequence[str] = ()
    catalog: Mapping[str, Sequence[str] | str] | None = None
    read_retry: RetryPolicy | None = field(init=False, repr=False)
    read_returns: tuple[Return, ...] = field(init=False, repr=False)
    limits: Limits = field(init=False, repr=False)
    around: Around | None = field(init=False, repr=False)
    read_on_crash: OnCrash = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check what is written."""
        checked_name(self.id)
        if isinstance(self.function, str) and self.tool is None:
            self.function, self.tool = None, self.function
        if [self.function, self.tool, self.flow].count(None) != 2:  # noqa: PLR2004  # all but one
            raise UsageError(f"step {self.id}: give `function`, `tool` or `flow`, one of them")
        refuse_wrong_kinds(self)
        self.inputs, self.branches = apart(dict(self.inputs)), dict(self.branches)  # who wrote them may write on
        self.depends_on = _listed(self.depends_on)
        self.files = _listed(self.files)
        refuse_wrong_conditions(self)
        if self.flow is not None:
            refuse_for_flows(self)
        self.read_retry = retry_of(self.retry, f"step {self.id}")
        returns = read_returns(self.returns, f"step {self.id}", self.serializer)
        if self.recompute:
            returns = tuple(Return(one.name, one.kind, one.serializer, recompute=True) for one in returns)
        self.read_returns = returns
        if self.cache and any(one.recompute for one in returns):
            raise UsageError(f"step {self.id}: what is made again in each run cannot be cached")
        self.limits = limits(f"step {self.id}", self.timeout, self.idle_timeout, self.kill_grace)
        self.read_on_crash = OnCrash(self.on_crash)
        self.around = read_around(self.secrets, self.catalog, f"step {self.id}")
        if self.cache and self.around is not None:
            raise UsageError(f"step {self.id}: a call that is given secrets or files cannot be cached")

    @property
    def chooses(self) -> tuple[str, ...]:
        """The steps among which it chooses."""
        return tuple(dict.fromkeys([*self.branches, *([] if self.default is None else [self.default])]))

    @property
    def label(self) -> str:
        """What does it, for messages."""
        if self.function is not None and not isinstance(self.function, str):
            return name_of(self.function)
        return self.tool or f"flow {self.flow.name}" if self.flow is not None else str(self.tool)


def _listed(written: Sequence[str] | str) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else tuple(written)
