"""The JSON Schemas say what the loader reads: every field, both spellings, and the short forms that people write."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestration.loading import agent_schema, settings_schema, task_schema
from orchestration.models import TASK_ALIASES, Settings, Task

SCHEMAS = (task_schema, agent_schema, settings_schema)


def kinds(field: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The types of value that a field may have, with references followed."""
    found: set[str] = set()
    for branch in field.get("anyOf", [field]):
        one = schema["$defs"][branch["$ref"].rpartition("/")[2]] if "$ref" in branch else branch
        named = one.get("type", [])
        found |= {named} if isinstance(named, str) else set(named)
    return found


@pytest.mark.parametrize("make", SCHEMAS)
def test_a_schema_is_json_with_a_dialect_a_title_and_no_loose_references(make: Callable[[], dict[str, Any]]) -> None:
    schema = make()
    text = json.dumps(schema)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "orch" in schema["title"]
    defined = {f"#/$defs/{name}" for name in schema.get("$defs", {})}
    assert {part.split('"')[0] for part in text.split('"$ref": "')[1:]} <= defined


def test_every_field_and_every_spelling_of_a_task_is_there() -> None:
    assert set(task_schema()["properties"]) == {*Task.model_fields, *TASK_ALIASES.values()}
    assert set(settings_schema()["properties"]) == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("id", {"string", "integer"}),
        ("title", {"string", "number", "null"}),
        ("timeout", {"string", "number", "null"}),
        ("kill_grace", {"string", "number", "null"}),
        ("labels", {"string", "number", "array", "null"}),
        ("success_criteria", {"string", "number", "array", "null"}),
        ("retry", {"object", "integer", "null"}),
        ("env", {"object", "null"}),
        ("inputs", {"object", "array", "null"}),
        ("outputs", {"object", "array", "string", "number", "null"}),
        ("priority", {"string", "null"}),
        ("when", {"string", "number", "boolean", "null"}),
        ("expects_changes", {"boolean", "null"}),
    ],
)
def test_short_forms_of_a_field_are_allowed(field: str, expected: set[str]) -> None:
    schema = task_schema()
    assert kinds(schema["properties"][field], schema) == expected


def test_a_task_need_not_have_an_id_because_its_file_has_a_name() -> None:
    assert task_schema()["required"] == []


def test_retry_can_be_a_number_in_the_settings_too() -> None:
    schema = settings_schema()
    assert kinds(schema["properties"]["retry"], schema) == {"object", "integer", "null"}


KINDS = {"shell", "script", "python", "interactive", "cli", "api", "hybrid", "scripted", "plugin"}


def test_an_agent_is_told_by_its_kind() -> None:
    schema = agent_schema()
    assert schema["discriminator"]["propertyName"] == "kind"
    assert set(schema["discriminator"]["mapping"]) == KINDS
    for name in schema["discriminator"]["mapping"].values():
        one = schema["$defs"][name.rpartition("/")[2]]
        assert "kind" in one["required"]
