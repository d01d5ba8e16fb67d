"""Which tasks start, and why others do not: dependencies and their policies, conditions, people, skips and blocks."""

from collections.abc import Callable
from itertools import product

import pytest

from orchestration.errors import GraphError
from orchestration.events import (
    Event,
    TaskBlocked,
    TaskCompleted,
    TaskNeedsInput,
    TaskSkipped,
)
from orchestration.kinds import ExecutionStatus, RunStatus, RunWhen
from orchestration.plan import Ask, Block, Decide, Node, State, Verdict, verdict
from tests.core.plans import Player, ended

ENDS: dict[str, Callable[[Player, str], Event | None]] = {
    "S": lambda player, task_id: player.adopt(task_id),
    "F": lambda player, task_id: player.adopt(task_id, ExecutionStatus.FAILED),
    "C": lambda player, task_id: player.cancelled(task_id),
    "B": lambda player, task_id: player.happen(TaskBlocked, task_id=task_id),
    "K": lambda player, task_id: player.happen(TaskSkipped, task_id=task_id),
    "-": lambda _, __: None,
}
"""How a dependency ends: succeeded, failed, cancelled, blocked, skipped, or not yet."""

TABLE = {
    #                          SS       SF       SK       FF       FK       KK       S-       F-       K-
    RunWhen.ALL_SUCCEEDED: "   start    block    start    block    block    skip     wait     block    wait",
    RunWhen.ALL_DONE: "        start    start    start    start    start    start    wait     wait     wait",
    RunWhen.ALWAYS: "          start    start    start    start    start    start    wait     wait     wait",
    RunWhen.ANY_SUCCEEDED: "   start    start    start    block    block    skip     start    wait     wait",
    RunWhen.ANY_FAILED: "      skip     start    skip     start    start    skip     wait     start    wait",
    RunWhen.NONE_FAILED: "     start    block    start    block    block    start    wait     block    wait",
}
PAIRS = ("SS", "SF", "SK", "FF", "FK", "KK", "S-", "F-", "K-")
ROWS = [
    (policy, pair, Verdict(word))
    for policy, row in TABLE.items()
    for pair, word in zip(PAIRS, row.split(), strict=True)
]


def with_two_needs(policy: RunWhen) -> Player:
    return Player([Node("A"), Node("B"), Node("T", ("A", "B"), run_when=policy)])


def outcome(player: Player) -> Verdict:
    """What the plan makes of T."""
    player.settle()
    state = player.plan.state_of("T")
    if state is State.BLOCKED:
        return Verdict.BLOCK
    if state is State.SKIPPED:
        return Verdict.SKIP
    return Verdict.START if "T" in player.start_all() else Verdict.WAIT


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "the other way round"])
@pytest.mark.parametrize(("policy", "pair", "expected"), ROWS)
def test_a_policy_decides_by_how_the_dependencies_ended(
    policy: RunWhen,
    pair: str,
    expected: Verdict,
    backwards: bool,
) -> None:
    player = with_two_needs(policy)
    for task_id, end in zip("BA" if backwards else "AB", pair, strict=True):
        ENDS[end](player, task_id)
    assert outcome(player) is expected


@pytest.mark.parametrize("policy", RunWhen)
@pytest.mark.parametrize("other", "SK-")
def test_a_cancelled_or_blocked_dependency_counts_as_a_failed_one(policy: RunWhen, other: str) -> None:
    came_to = set()
    for end in "FCB":
        player = with_two_needs(policy)
        ENDS[end](player, "A")
        ENDS[other](player, "B")
        came_to.add(outcome(player))
    assert len(came_to) == 1


@pytest.mark.parametrize("policy", RunWhen)
def test_a_task_without_dependencies_starts_unless_it_runs_for_a_failure(policy: RunWhen) -> None:
    player = Player([Node("T", run_when=policy)])
    assert outcome(player) is (Verdict.SKIP if policy is RunWhen.ANY_FAILED else Verdict.START)


@pytest.mark.parametrize("policy", RunWhen)
def test_once_nothing_is_open_a_policy_no_longer_waits(policy: RunWhen) -> None:
    for succeeded, unsuccessful, skipped in product(range(4), repeat=3):
        assert verdict(policy, 0, succeeded, unsuccessful, skipped) is not Verdict.WAIT


@pytest.mark.parametrize("policy", RunWhen)
def test_what_was_decided_early_stands_whatever_the_others_do(policy: RunWhen) -> None:
    for still_open, succeeded, unsuccessful, skipped in product(range(1, 3), range(3), range(3), range(3)):
        early = verdict(policy, still_open, succeeded, unsuccessful, skipped)
        if early is Verdict.WAIT:
            continue
        for more in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
            counts = [have + one for have, one in zip((succeeded, unsuccessful, skipped), more, strict=True)]
            assert verdict(policy, still_open - 1, *counts) is early


def test_a_task_that_may_start_early_starts_once_however_the_other_dependencies_end() -> None:
    player = Player([*(Node(name) for name in "ABC"), Node("T", ("A", "B", "C"), run_when=RunWhen.ANY_SUCCEEDED)])
    assert player.start_all() == ["A", "B", "C"]
    player.complete("A")
    player.settle()
    handed_out = player.plan.next_startable(0)
    assert handed_out is not None
    assert handed_out.task_id == "T"
    player.complete("B", "C")
    player.settle()
    assert player.plan.next_startable(0) is None
    assert not player.plan.has_ready


def test_a_task_with_several_failed_dependencies_is_blocked_once_and_by_all_of_them() -> None:
    player = with_two_needs(RunWhen.ALL_SUCCEEDED)
    player.start_all()
    player.fail("A", "B")
    assert player.plan.consequences() == [
        Block("T", "depends on A, which is failed, B, which is failed", ("A", "B")),
    ]


def test_a_task_with_several_ends_is_asked_about_once() -> None:
    nodes = [Node("A"), Node("B"), Node("T", ("A", "B"), run_when=RunWhen.ANY_SUCCEEDED, approve=True)]
    player = Player(nodes)
    player.start_all()
    player.complete("A", "B")
    assert player.plan.consequences() == [Ask("T")]


def test_the_same_dependency_listed_twice_counts_once() -> None:
    player = Player([Node("A"), Node("T", ("A", "A"))])
    assert player.play() == {"A": State.SUCCEEDED, "T": State.SUCCEEDED}


def test_a_dependency_that_does_not_exist_is_refused() -> None:
    with pytest.raises(GraphError, match="T depends on nobody, which does not exist"):
        Player([Node("T", ("nobody",))])


# -- what follows a failure -----------------------------------------------------------------------------------------


def test_descendants_of_a_failure_are_blocked_and_everything_else_is_done() -> None:
    nodes = [Node("A"), Node("B", ("A",)), Node("C", ("B",)), Node("D"), Node("E", ("D",)), Node("F", ("C", "E"))]
    player = Player(nodes)
    states = player.play({"A": State.FAILED})
    assert {task_id for task_id, state in states.items() if state is State.BLOCKED} == {"B", "C", "F"}
    assert {task_id for task_id, state in states.items() if state is State.SUCCEEDED} == {"D", "E"}
    assert player.reason("B") == "depends on A, which is failed"
    assert player.reason("C") == "depends on B, which is blocked"
    assert player.plan.final_status() is RunStatus.FAILED


def test_a_block_names_only_what_caused_it() -> None:
    player = Player([Node("A"), Node("B"), Node("C"), Node("T", ("A", "B", "C"))])
    player.start_all()
    player.complete("A")
    player.fail("B")
    (block,) = player.plan.consequences()
    assert block == Block("T", "depends on B, which is failed", ("B",))


def test_a_cleanup_for_failures_runs_after_one_and_lets_its_own_dependants_run() -> None:
    nodes = [Node("A"), Node("mend", ("A",), run_when=RunWhen.ANY_FAILED), Node("tell", ("mend",))]
    assert Player(nodes).play({"A": State.FAILED}) == {
        "A": State.FAILED,
        "mend": State.SUCCEEDED,
        "tell": State.SUCCEEDED,
    }
    well = Player(nodes)
    assert well.play() == {"A": State.SUCCEEDED, "mend": State.SKIPPED, "tell": State.SKIPPED}
    assert well.reason("mend") == "nothing it depends on failed"
    assert well.plan.final_status() is RunStatus.SUCCESS


def test_a_skip_goes_on_through_tasks_that_were_only_there_for_it() -> None:
    nodes = [
        Node("A", conditional=True),
        Node("B", ("A",)),
        Node("C", ("B",)),
        Node("D"),
        Node("E", ("C", "D")),
        Node("F", ("C",), run_when=RunWhen.ALL_DONE),
    ]
    player = Player(nodes, conditions={"A": False})
    assert player.play() == {
        "A": State.SKIPPED,
        "B": State.SKIPPED,
        "C": State.SKIPPED,
        "D": State.SUCCEEDED,
        "E": State.SUCCEEDED,
        "F": State.SUCCEEDED,
    }
    assert player.reason("A") == "its condition is false"
    assert player.reason("C") == "nothing it depends on was done"


# -- conditions and people ------------------------------------------------------------------------------------------


def test_a_condition_is_asked_for_when_the_dependencies_ended_and_once() -> None:
    player = Player([Node("A"), Node("T", ("A",), conditional=True)])
    player.start_all()
    assert player.plan.consequences() == []
    player.complete("A")
    assert player.plan.consequences() == [Decide("T")]
    player.answer(Decide("T"))
    assert player.plan.consequences() == []
    assert player.start() == "T"


def test_a_condition_that_cannot_be_evaluated_blocks_with_its_error() -> None:
    player = Player([Node("T", conditional=True)], conditions={"T": None})
    player.settle()
    assert player.states == {"T": State.BLOCKED}
    assert player.reason("T") == "its condition cannot be evaluated: bad"


def test_a_task_to_be_approved_waits_for_a_person_after_its_condition() -> None:
    player = Player([Node("A"), Node("T", ("A",), conditional=True, approve=True), Node("U", ("T",))])
    assert player.play()["T"] is State.NEEDS_INPUT
    assert player.plan.explain("T") == "waits for a person"
    assert player.plan.explain("U") == "waits for T"
    player.say("T", "approve")
    assert player.play() == dict.fromkeys("ATU", State.SUCCEEDED)


def test_a_rejected_task_blocks_its_dependants() -> None:
    player = Player([Node("T", approve=True), Node("U", ("T",))])
    player.play()
    player.say("T", "reject")
    player.cancelled("T")
    player.settle()
    assert player.states == {"T": State.CANCELLED, "U": State.BLOCKED}
    assert player.plan.final_status() is RunStatus.FAILED


def test_a_person_can_complete_what_waits_for_approval() -> None:
    player = Player([Node("T", approve=True), Node("U", ("T",))])
    player.play()
    player.say("T", "complete")
    player.happen(TaskCompleted, task_id="T")
    assert player.play() == dict.fromkeys("TU", State.SUCCEEDED)
    assert player.plan.attempts_of("T") == 0


def test_a_task_done_by_a_person_holds_neither_a_slot_nor_the_others() -> None:
    player = Player([Node("T"), Node("U", ("T",)), Node("V")])
    assert player.start() == "T"
    player.happen(TaskNeedsInput, task_id="T", attempt=1)
    assert player.play() == {"T": State.NEEDS_INPUT, "U": State.WAITING, "V": State.SUCCEEDED}
    assert not player.plan.is_over
    assert player.plan.attempt_of("T") == 1
    player.complete("T")
    assert ended(player.play())


# -- tasks outside of the selection ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (ExecutionStatus.SUCCESS, State.SUCCEEDED),
        (ExecutionStatus.SKIPPED, State.SKIPPED),
        (ExecutionStatus.FAILED, State.BLOCKED),
        (ExecutionStatus.CANCELLED, State.BLOCKED),
        (ExecutionStatus.BLOCKED, State.BLOCKED),
    ],
)
def test_what_a_task_outside_came_to_decides_as_if_it_were_inside(status: ExecutionStatus, state: State) -> None:
    player = Player([Node("X", external=True), Node("T", ("X",))])
    player.adopt("X", status)
    assert player.play()["T"] is state


def test_a_task_outside_is_not_counted_when_the_run_ends() -> None:
    player = Player([Node("X", external=True), Node("Y", external=True), Node("T", ("X",)), Node("U")])
    player.happen(TaskBlocked, task_id="X", reason="is not part of this run")
    assert player.play() == {
        "X": State.BLOCKED,
        "Y": State.WAITING,
        "T": State.BLOCKED,
        "U": State.SUCCEEDED,
    }
    assert player.plan.is_over
    assert player.plan.final_status() is RunStatus.FAILED
    assert list(player.plan.tasks_in(State.WAITING, State.BLOCKED)) == ["T"]
    assert player.plan.count(State.BLOCKED) == 2


def test_a_failure_outside_does_not_make_a_run_fail_that_does_not_need_it() -> None:
    nodes = [Node("X", external=True), Node("T", ("X",), run_when=RunWhen.ALL_DONE)]
    player = Player(nodes, fail_fast=True)
    player.adopt("X", ExecutionStatus.FAILED)
    assert player.play()["T"] is State.SUCCEEDED
    assert player.plan.final_status() is RunStatus.SUCCESS


def test_an_adopted_task_of_the_run_is_not_done_again() -> None:
    player = Player([Node("A"), Node("T", ("A",))])
    player.adopt("A")
    assert player.start_all() == ["T"]
    assert player.plan.attempts_of("A") == 0


def test_an_adopted_failure_does_not_stop_a_run_that_fails_fast() -> None:
    player = Player([Node("A"), Node("B"), Node("C", ("A",))], fail_fast=True)
    player.adopt("A", ExecutionStatus.FAILED)
    assert player.play() == {"A": State.FAILED, "B": State.SUCCEEDED, "C": State.BLOCKED}


@pytest.mark.parametrize("policy", RunWhen)
@pytest.mark.parametrize("other", ["S", "F", "C", "B", "K", "-"])
def test_an_excused_failure_counts_as_a_skip(policy: RunWhen, other: str) -> None:
    def made(end: str, *, excused: bool) -> Verdict:
        player = Player([Node("A", excused=excused), Node("B"), Node("T", ("A", "B"), run_when=policy)])
        ENDS[end](player, "A")
        ENDS[other](player, "B")
        return outcome(player)

    assert made("F", excused=True) is made("K", excused=False)
    assert made("C", excused=True) is made("C", excused=False)
    assert made("B", excused=True) is made("B", excused=False)


def test_an_excused_failure_stays_one_and_fails_neither_run_nor_fast() -> None:
    nodes = [Node("A", excused=True), Node("B"), Node("T", ("A", "B")), Node("only", ("A",))]
    player = Player(nodes, fail_fast=True)
    states = player.play({"A": State.FAILED})
    assert states == {"A": State.FAILED, "B": State.SUCCEEDED, "T": State.SUCCEEDED, "only": State.SKIPPED}
    assert player.plan.stopping is None
    assert player.plan.final_status() is RunStatus.SUCCESS


def test_what_is_blocked_names_no_excused_failure() -> None:
    player = Player([Node("A", excused=True), Node("B"), Node("T", ("A", "B"))])
    player.play({"A": State.FAILED, "B": State.FAILED})
    assert player.reason("T") == "depends on B, which is failed"


def test_reopening_an_excused_failure_takes_back_just_what_was_counted() -> None:
    player = Player([Node("A", excused=True), Node("B"), Node("T", ("A", "B"))])
    assert player.start_all() == ["A", "B"]
    player.fail("A")
    player.say("A", "retry")
    player.complete("B")
    assert player.start_all() == ["A"]
    assert player.plan.explain("T") == "waits for A"
    player.complete("A")
    assert player.start_all() == ["T"]
