"""The page about adapters: its example is an adapter, and its tables name every field that there is, and no other."""

from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.adapters import Adapter, End, parse_adapter
from orchestration.adapters import form as forms
from orchestration.adapters.words import CONDITIONAL, CONDITIONS, LISTS, PLAIN
from orchestration.loading.yamltext import parse
from tests.core.adapters import launch, lines, read
from tests.docs.pages import codes_in, fences_of, table_of, tables_of
from tests.docs.pages import read as page

NAME = "docs/adapters.md"
TEXT = page(NAME)
HERON = next(fence.text for fence in fences_of(NAME, TEXT) if fence.marks.get("file") == "agents/heron.yaml")
MODELS: dict[str, type[forms.Written]] = {
    "Top level": forms.Form,
    "Version": forms.Version,
    "Options": forms.Option,
    "Prompt": forms.Prompt,
    "Environment": forms.Environment,
    "Session": forms.Session,
    "Output": forms.Output,
    "Events": forms.Rule,
    "Values": forms.Source,
    "Usage": forms.UsageSource,
    "Side files": forms.SideFile,
    "Errors": forms.ErrorClass,
    "Denials": forms.Denials,
    "Stop": forms.Stop,
    "Words and placeholders": forms.Part,
}


def named(rows: list[dict[str, str]], column: str) -> set[str]:
    return {code for row in rows for code in codes_in(row[column])}


def fields(model: type[forms.Written]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize("heading", MODELS)
def test_a_table_names_every_field_and_no_other(heading: str) -> None:
    assert named(table_of(TEXT, heading, "field"), "field") == fields(MODELS[heading])


def test_resets_conditions_and_placeholders_are_all_named() -> None:
    assert named(tables_of(TEXT, "Errors", "field of `reset`")[0], "field of `reset`") == fields(forms.Reset)
    placeholders = {f"{{{name}}}" for name in PLAIN | CONDITIONAL | LISTS} | {"{option.NAME}"}
    assert named(table_of(TEXT, "Words and placeholders", "placeholder"), "placeholder") == placeholders
    assert all(f"`{condition}`" in TEXT for condition in CONDITIONS)


def heron() -> Adapter:
    return parse_adapter(parse(HERON).value, "heron")


BEGUN = {"event": "run.started", "session.id": "h-1"}
SAID = {"event": "message.text", "text": "Well done."}
TOOL = {"event": "tool.shell", "tool": {"name": "shell", "input": "make"}}
GOOD = {"event": "run.finished", "status": "ok"}


def refusal(code: int, **more: object) -> dict[str, Any]:
    return {"event": "run.finished", "status": "error", "reason": {"code": code, "message": "no", **more}}


def report(tokens: int) -> str:
    return f'{{"totals.by-model": {{"large-1.5": {{"in": {tokens}, "out": {tokens // 10}, "usd": 0.5}}}}}}'


def cases() -> Iterator[tuple[list[Any], End, str | None, str | None]]:
    killed = End(exit_code=0)
    yield [BEGUN, SAID, TOOL, SAID, GOOD], End(exit_code=0), None, None
    yield [BEGUN, SAID, TOOL], killed, "invalid_output", None
    yield [BEGUN, SAID, TOOL, GOOD], End(exit_code=0), "no_output", None
    yield [BEGUN, refusal(429, retry_after=30)], End(exit_code=1), "rate_limited", "rate_limit"
    yield [BEGUN, refusal(500)], End(exit_code=1), "exit_code", "server_error"
    yield [BEGUN, refusal(401, message="Invalid key")], End(exit_code=1), "auth", "auth"
    yield [BEGUN, SAID, GOOD], End(exit_code=None, signal=9, ended_by="lingering"), None, None
    yield [BEGUN, SAID], End(exit_code=0, ended_by="idle_timeout"), "idle_timeout", None


@pytest.mark.parametrize(("events", "end", "failure", "error_class"), list(cases()))
def test_the_agent_of_the_example_is_understood(
    events: list[Any], end: End, failure: str | None, error_class: str | None
) -> None:
    reader = read(heron(), lines(*events))
    found = reader.verdict(end)
    assert (found.failure, found.metadata.get("error_class")) == (failure, error_class)
    assert found.session_id == "h-1"


def test_the_agent_of_the_example_is_resumed_with_its_own_usage_only() -> None:
    adapter = heron()
    first = read(adapter, lines(BEGUN, SAID, GOOD))
    first.side_file("/f/report.json", report(900))
    totals = first.verdict(End(exit_code=0)).metadata["session_totals"]
    again = adapter.invocation(launch("p", session="h-1", options={"effort": "low"}, permission="read"))
    assert again.argv == ("heron", "go", "--stream", "--session", "h-1", "--effort=low", "--dry")
    assert again.environment["HERON_REPORT"] == "/f/report.json"
    assert again.side_files == ("/f/report.json",)
    second = read(adapter, lines(BEGUN, SAID, GOOD), session="h-1", totals=totals)
    second.side_file("/f/report.json", report(1000))
    used = second.usage
    assert used is not None
    assert (used.input_total, used.output_total, used.cost_usd) == (100, 10, 0.0)
