"""The table of moves: each word in each state, and nothing else; an illegal event leaves the plan exactly as it was."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.errors import IllegalEvent
from orchestration.events import (
    STORED,
    AccountPaused,
    AttemptInterrupted,
    ConditionDecided,
    Event,
    LimitsChanged,
    RetryScheduled,
    RunCompleted,
    RunError,
    RunPaused,
    RunResumed,
    RunStarted,
    TaskAdopted,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskEvent,
    TaskExpanded,
    TaskInputGiven,
    TaskNeedsInput,
    TaskSkipped,
    TaskStarted,
    UsageRecorded,
)
from orchestration.kinds import ExecutionStatus, OnCrash
from orchestration.plan import FINAL, STATUS, TRANSITIONS, Node, Phase, State
from orchestration.results import Outcome
from tests.core.plans import Player, moment

TASK = "T"

ARROWS = {
    "waiting": {"running", "succeeded", "failed", "cancelled", "skipped", "blocked", "needs_input"},
    "running": {"succeeded", "failed", "cancelled", "retrying", "needs_input", "expanded"},
    "expanded": {"succeeded", "failed", "cancelled", "retrying", "needs_input"},
    "retrying": {"running", "succeeded", "failed", "cancelled", "skipped", "blocked"},
    "needs_input": {"waiting", "succeeded", "failed", "cancelled", "retrying"},
    "succeeded": {"waiting"},
    "failed": {"waiting"},
    "cancelled": {"waiting"},
    "blocked": {"waiting"},
    "skipped": set(),
}
"""The arrows of the state diagram, written down a second time; `ready` is computed; adoption ends what waits."""

WORDS: dict[str, tuple[type[TaskEvent], dict[str, Any]]] = {
    "task_adopted:success": (TaskAdopted, {"status": ExecutionStatus.SUCCESS}),
    "task_adopted:failed": (TaskAdopted, {"status": ExecutionStatus.FAILED}),
    "task_adopted:cancelled": (TaskAdopted, {"status": ExecutionStatus.CANCELLED}),
    "task_adopted:skipped": (TaskAdopted, {"status": ExecutionStatus.SKIPPED}),
    "task_adopted:blocked": (TaskAdopted, {"status": ExecutionStatus.BLOCKED}),
    "condition_decided": (ConditionDecided, {"value": True}),
    "task_started": (TaskStarted, {}),
    "usage_recorded": (UsageRecorded, {}),
    "task_expanded": (TaskExpanded, {"items": ({"id": "T/more"},)}),
    "task_completed": (TaskCompleted, {}),
    "task_error": (TaskError, {"final": False}),
    "task_error:final": (TaskError, {"final": True}),
    "retry_scheduled": (RetryScheduled, {"due_at": moment(99)}),
    "attempt_interrupted:rerun": (AttemptInterrupted, {"then": OnCrash.RERUN}),
    "attempt_interrupted:fail": (AttemptInterrupted, {"then": OnCrash.FAIL}),
    "attempt_interrupted:ask": (AttemptInterrupted, {"then": OnCrash.ASK}),
    "task_needs_input": (TaskNeedsInput, {}),
    "task_needs_input:result": (TaskNeedsInput, {"result": Outcome()}),
    "task_input_given:complete": (TaskInputGiven, {"action": "complete"}),
    "task_input_given:fail": (TaskInputGiven, {"action": "fail"}),
    "task_input_given:approve": (TaskInputGiven, {"action": "approve"}),
    "task_input_given:approve result": (TaskInputGiven, {"action": "approve"}),
    "task_input_given:reject": (TaskInputGiven, {"action": "reject"}),
    "task_input_given:cancel": (TaskInputGiven, {"action": "cancel"}),
    "task_input_given:retry": (TaskInputGiven, {"action": "retry"}),
    "task_skipped": (TaskSkipped, {}),
    "task_blocked": (TaskBlocked, {}),
    "task_cancelled": (TaskCancelled, {}),
}


def waits(player: Player) -> None:
    player.settle()


def runs(player: Player) -> None:
    assert player.start() == TASK


def retries(player: Player) -> None:
    runs(player)
    player.fail(TASK, final=False)
    player.happen(RetryScheduled, task_id=TASK, due_at=moment(9))


def is_asked_before(player: Player) -> None:
    player.settle()
    player.happen(TaskNeedsInput, task_id=TASK)


def is_asked_within(player: Player) -> None:
    runs(player)
    player.happen(TaskNeedsInput, task_id=TASK, attempt=1)


def is_expanded(player: Player) -> None:
    runs(player)
    player.happen(TaskExpanded, task_id=TASK, attempt=1, items=({"id": "T/part"},))


def has_only_ended_parts(player: Player) -> None:
    is_expanded(player)
    player.cancelled("T/part")


def succeeds(player: Player) -> None:
    runs(player)
    player.complete(TASK)


def fails(player: Player) -> None:
    runs(player)
    player.fail(TASK)


def is_cancelled(player: Player) -> None:
    player.cancelled(TASK)


def is_skipped(player: Player) -> None:
    player.happen(TaskSkipped, task_id=TASK)


def is_blocked(player: Player) -> None:
    player.happen(TaskBlocked, task_id=TASK)


WAYS: dict[State, list[Callable[[Player], None]]] = {
    State.WAITING: [waits],
    State.RUNNING: [runs],
    State.EXPANDED: [is_expanded, has_only_ended_parts],
    State.RETRYING: [retries],
    State.NEEDS_INPUT: [is_asked_before, is_asked_within],
    State.SUCCEEDED: [succeeds],
    State.FAILED: [fails],
    State.CANCELLED: [is_cancelled],
    State.SKIPPED: [is_skipped],
    State.BLOCKED: [is_blocked],
}

REFUSED: dict[Callable[[Player], None], set[str]] = {
    is_asked_before: {"task_input_given:approve result", "task_needs_input:result"},
    is_asked_within: {"task_input_given:approve", "task_input_given:retry"},
    is_expanded: {"task_completed", "task_error", "task_error:final", "task_cancelled", "task_needs_input"}
    | {"task_needs_input:result"},
}
"""Words that the table has for a state, and that a rule refuses because of the way that led there: approving what has
not been made, leaving an open attempt behind, ending before the parts."""


def player_in(way: Callable[[Player], None], *, conditional: bool = False) -> Player:
    """A plan of one task that got into its state in that way, and of another one that keeps the run open."""
    player = Player([Node(TASK, conditional=conditional, rank=0), Node("other", rank=9)])
    way(player)
    return player


def offered(player: Player, word: str) -> Event:
    """An event with which nothing is wrong but, perhaps, its word."""
    kind, fields = WORDS[word]
    attempt = player.plan.attempt_of(TASK)
    if kind is TaskStarted:
        attempt = player.plan.attempts_of(TASK) + 1
    elif word == "task_input_given:approve":
        attempt = None
    elif word == "task_input_given:approve result":
        attempt = attempt or 1
    return player.make(kind, task_id=TASK, attempt=attempt, **fields)


CASES = [(word, state, way) for word in WORDS for state, ways in WAYS.items() for way in ways]


@pytest.mark.parametrize(("word", "state", "way"), CASES)
def test_a_word_moves_a_task_as_the_table_says_or_changes_nothing(
    word: str,
    state: State,
    way: Callable[[Player], None],
) -> None:
    player = player_in(way, conditional=word == "condition_decided" and state is State.WAITING)
    assert player.plan.state_of(TASK) is state
    after = TRANSITIONS[word].get(state)
    if word in REFUSED.get(way, ()):
        assert after is not None, "the table refuses it already"
        after = None
    legal = player.offer(offered(player, word))
    assert legal == (after is not None)
    assert player.plan.state_of(TASK) is (after or state)


def test_the_cases_above_cover_every_word_and_every_state() -> None:
    assert set(WORDS) == set(TRANSITIONS)
    assert set(WAYS) == set(State)


def test_the_table_has_the_arrows_of_the_design_and_no_others() -> None:
    drawn: dict[str, set[str]] = {state.value: set() for state in State}
    for row in TRANSITIONS.values():
        for before, after in row.items():
            if before is not after:
                drawn[before].add(after)
    assert drawn == ARROWS


def test_a_final_state_is_left_only_by_a_retry() -> None:
    leaving = {word for word, row in TRANSITIONS.items() if FINAL & set(row)}
    assert leaving == {"task_input_given:retry"}


def test_every_state_has_a_name_for_users() -> None:
    assert set(STATUS) == set(State)
    assert {state for state in State if STATUS[state].is_final} == FINAL


def test_a_word_that_the_table_does_not_know_is_illegal() -> None:
    player = player_in(waits)
    assert not player.offer(player.make(TaskInputGiven, task_id=TASK, action="sing"))
    assert not player.offer(player.make(TaskAdopted, task_id=TASK, status=ExecutionStatus.PENDING))


# -- rules beyond the table -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("attempt", [None, 0, 2, -1])
@pytest.mark.parametrize("word", ["task_completed", "task_error", "task_error:final", "task_cancelled"])
def test_an_attempt_is_ended_by_its_own_number_only(word: str, attempt: int | None) -> None:
    player = player_in(runs)
    kind, fields = WORDS[word]
    assert not player.offer(player.make(kind, task_id=TASK, attempt=attempt, **fields))
    assert player.offer(player.make(kind, task_id=TASK, attempt=1, **fields))


@pytest.mark.parametrize("attempt", [None, 0, 1, 3])
def test_attempts_are_numbered_without_a_gap(attempt: int | None) -> None:
    player = player_in(retries)
    assert not player.offer(player.make(TaskStarted, task_id=TASK, attempt=attempt))
    assert player.offer(player.make(TaskStarted, task_id=TASK, attempt=2))


def test_a_retry_without_a_time_cannot_start() -> None:
    player = player_in(runs)
    player.fail(TASK, final=False)
    assert not player.offer(player.make(TaskStarted, task_id=TASK, attempt=2))
    assert not player.offer(player.make(RetryScheduled, task_id=TASK, due_at=None))
    assert player.offer(player.make(RetryScheduled, task_id=TASK, due_at=moment(9)))
    assert player.offer(player.make(TaskStarted, task_id=TASK, attempt=2))


def test_a_task_outside_of_the_selection_is_never_started_or_asked_for() -> None:
    player = Player([Node("X", external=True, conditional=True), Node("A", ("X",))])
    for word in ("task_started", "task_needs_input", "condition_decided"):
        kind, fields = WORDS[word]
        assert not player.offer(player.make(kind, task_id="X", attempt=1 if kind is TaskStarted else None, **fields))
    player.settle()
    assert player.plan.next_startable(0) is None
    assert player.plan.explain("A") == "waits for X"


@pytest.mark.parametrize(
    "wrong",
    [{"seq": 0}, {"seq": 1}, {"seq": 3}, {"run_id": "other"}, {"task_id": "unknown"}],
    ids=str,
)
def test_an_event_out_of_turn_or_of_another_run_is_refused(wrong: dict[str, Any]) -> None:
    player = player_in(waits)
    assert player.plan.seq == 1
    assert not player.offer(player.make(TaskCancelled, **({"task_id": TASK} | wrong)))
    assert player.offer(player.make(TaskCancelled, task_id=TASK))


# -- the run itself -------------------------------------------------------------------------------------------------

RUN_EVENTS: dict[type[Event], dict[str, Any]] = {
    RunStarted: {},
    RunResumed: {},
    RunPaused: {},
    RunError: {},
    RunCompleted: {},
    AccountPaused: {"account": "team", "until": moment(99)},
    LimitsChanged: {"limit_name": "account team", "limit": 1},
}
GOING: set[type[Event]] = {RunError, AccountPaused, LimitsChanged}
"""What is possible in every run that has begun and not ended."""


def new() -> Player:
    return Player([Node(TASK)], begun=False)


def opened() -> Player:
    return Player([Node(TASK)])


def running() -> Player:
    player = opened()
    runs(player)
    return player


def over() -> Player:
    player = opened()
    player.play()
    return player


def paused() -> Player:
    player = opened()
    player.happen(RunPaused)
    return player


def ended() -> Player:
    player = over()
    player.happen(RunCompleted)
    return player


def reopened() -> Player:
    player = ended()
    player.say(TASK, "retry")
    return player


LEGAL: dict[Callable[[], Player], set[type[Event]]] = {
    new: {RunStarted},
    opened: {RunResumed, RunPaused, *GOING},
    running: {RunResumed, *GOING},
    over: {RunResumed, RunPaused, RunCompleted, *GOING},
    paused: {RunResumed, *GOING},
    ended: {RunResumed},
    reopened: {RunResumed, RunPaused},
}


@pytest.mark.parametrize("kind", RUN_EVENTS, ids=lambda kind: kind.type)
@pytest.mark.parametrize("situation", LEGAL, ids=lambda situation: situation.__name__)
def test_an_event_about_the_run_is_possible_only_in_its_phase(
    situation: Callable[[], Player],
    kind: type[Event],
) -> None:
    player = situation()
    assert player.offer(player.make(kind, **RUN_EVENTS[kind])) == (kind in LEGAL[situation])


def test_a_pause_of_an_account_without_an_end_is_refused() -> None:
    player = opened()
    assert not player.offer(player.make(AccountPaused, account="team", until=None))
    assert player.offer(player.make(AccountPaused, account="team", until=moment(99)))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    ("situation", "possible"),
    [(new, set[str]()), (ended, {"task_input_given:retry"}), (reopened, set[str]())],
    ids=["new", "ended", "reopened"],
)
def test_before_its_start_and_after_its_end_a_run_takes_no_event_but_a_retry(
    situation: Callable[[], Player],
    possible: set[str],
    word: str,
) -> None:
    player = situation()
    assert player.offer(offered(player, word)) == (word in possible)


def test_nothing_starts_while_the_run_is_paused() -> None:
    player = paused()
    assert player.plan.phase is Phase.PAUSED
    player.settle()
    assert player.plan.next_startable(0) is None
    assert not player.offer(player.make(TaskStarted, task_id=TASK, attempt=1))
    player.happen(RunResumed)
    assert player.start() == TASK


def test_every_event_that_can_be_stored_is_tried_here() -> None:
    assert {kind for kind, _ in WORDS.values()} | set(RUN_EVENTS) == set(STORED)


def test_the_refusal_names_the_rule() -> None:
    player = player_in(succeeds)
    with pytest.raises(IllegalEvent, match="task_started is not possible while T is succeeded"):
        player.plan.check(player.make(TaskStarted, task_id=TASK, attempt=2))
