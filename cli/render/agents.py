"""Agents for people: the list, what a check found, and what an adapter made of recorded output."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cli.render.clean import clean_line, clip
from cli.render.tables import Cell, Row, table
from cli.render.words import count, listed, painted
from orchestration.exporting.spent import Spent

if TYPE_CHECKING:
    from orchestration.orchestrator.agents import AgentCheck
    from orchestration.orchestrator.replaying import Replay
    from orchestration.results import Outcome, Usage

LONGEST_ANSWER: Final = 300
LONGEST_ERROR: Final = 100

_SHOWN_FACTS: Final = ("model", "turns", "agent_version", "retry_after", "resets_at", "session_lost", "lingered")


def agent_rows(data: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row for each agent."""
    return [
        (
            Cell(agent["name"], None if agent["enabled"] else "dim"),
            agent["kind"],
            agent["model"] or "",
            agent["account"] or "",
            "yes" if agent["enabled"] else "no",
            ", ".join(agent["capabilities"]),
        )
        for agent in data
    ]


def check_lines(
    found: "Sequence[AgentCheck]", *, named: bool = False, width: int | None, colour: bool
) -> Iterator[str]:
    """A row for each agent, and below what is wrong or worth knowing of those that are used or were `named`."""
    header = ("AGENT", "KIND", "STATE", "VERSION", "TESTED WITH", "TASKS", "KEYS", "PROGRAM")
    yield table(header, [_check_row(one) for one in found], width=width, colour=colour)
    for one in found:
        said = [*((problem, "red") for problem in one.problems), *((remark, "yellow") for remark in one.remarks)]
        if named or (one.agent.enabled and one.used_by):
            yield from (f"  {one.name}: {painted(clean_line(text), style, colour)}" for text, style in said)
        if one.probe is not None and one.probe.succeeded:
            used = f"; used {used_by(one.probe.usage)}" if one.probe.usage else "; it did not say what it used"
            yield f"  {one.name}: the probe answered {clip(clean_line(one.probe.output), LONGEST_ERROR)!r}{used}"
        elif one.probe is not None and one.probe.usage:
            yield f"  {one.name}: the probe used {used_by(one.probe.usage)}"


def _check_row(one: "AgentCheck") -> Row:
    if not one.agent.enabled:
        state = Cell("disabled", "dim")
    elif one.missing:
        state = Cell("missing", "red" if one.used_by else None)
    else:
        state = Cell("wrong", "red") if one.problems else Cell("ok", "green")
    keys = [name for name, is_set in (one.keys or {}).items() if is_set]
    unset = f"none of {len(one.keys)} set" if one.keys else ""
    return (
        one.name,
        one.agent.kind,
        state,
        Cell(one.version or "", "yellow" if one.in_range is False else None),
        one.tested or "",
        str(len(one.used_by) or ""),
        listed(keys, 2) or unset,
        one.path or one.program or "",
    )


def problem_of_agents(wrong: "Sequence[AgentCheck]") -> str:
    """What is wrong with agents that are needed, and what to do: one line."""
    first = wrong[0]
    what = f"{count(len(wrong), 'agent')} not ready ({listed(one.name for one in wrong)}): {first.problems[0]}"
    if not first.missing:
        return f"{what}; mend that, then: orch agents check {first.name}"
    return f"{what}; install it, set `program` of the agent to where it is, or give its tasks another agent"


def used_by(usage: "Usage | None") -> str:
    """What an attempt used, in words."""
    spent = Spent()
    if usage is not None:
        spent.add(usage)
    return str(spent) if spent else ""


# -- transcripts ------------------------------------------------------------------------------------------------------


def replay_lines(replays: "Sequence[tuple[str, Replay]]", *, width: int | None, colour: bool) -> Iterator[str]:
    """All about a single transcript; of several, a row for each."""
    if len(replays) == 1:
        yield from _replay_details(*replays[0], colour)
        return
    header = ("TRANSCRIPT", "OUTCOME", "CLASS", "CLAIM", "EVENTS", "UNKNOWN", "SESSION", "USED", "WHAT WAS SAID")
    yield table(header, [_replay_row(name, replay) for name, replay in replays], width=width, colour=colour)


def _outcome_cell(outcome: "Outcome") -> Cell:
    return Cell("success", "green") if outcome.failure is None else Cell(outcome.failure.value, "red")


def _replay_row(name: str, replay: "Replay") -> Row:
    outcome = replay.outcome
    said = outcome.output if outcome.failure is None else outcome.error or ""
    return (
        name,
        _outcome_cell(outcome),
        str(outcome.metadata.get("error_class") or ""),
        outcome.claim or "",
        str(sum(replay.words.values())),
        str(sum(replay.unknown.values()) or ""),
        clip(clean_line(outcome.session_id or ""), 12),
        used_by(outcome.usage),
        clip(clean_line(said), LONGEST_ERROR),
    )


def _replay_details(name: str, replay: "Replay", colour: bool) -> Iterator[str]:
    outcome, facts = replay.outcome, replay.outcome.metadata
    cell = _outcome_cell(outcome)
    error_class = f" ({facts['error_class']})" if facts.get("error_class") else ""
    yield f"{clean_line(name)}: {painted(cell.text, cell.colour, colour)}{error_class}"
    rows = [
        ("claim", outcome.claim or "none"),
        ("error", clip(clean_line(outcome.error or ""), LONGEST_ANSWER)),
        ("answer", clip(clean_line(outcome.output), LONGEST_ANSWER)),
        ("used", used_by(outcome.usage)),
        ("session", outcome.session_id),
        *((key, facts[key]) for key in _SHOWN_FACTS if key in facts),
        *(("refused", text) for text in facts.get("permission_denials", ())),
        *(("warning", text) for text in facts.get("warnings", ())),
        ("final event", "yes" if facts.get("final_event") else "no"),
        ("lines", f"{replay.lines:,}, of which {replay.text_lines:,} are no event"),
        ("events", _counts(replay.words) or "none"),
        ("unknown", _counts(replay.unknown)),
    ]
    for label, value in rows:
        if value not in (None, ""):
            yield f"  {label:<12} {clean_line(str(value))}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items(), key=lambda item: -item[1]))
