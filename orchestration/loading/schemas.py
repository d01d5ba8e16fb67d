"""What may be written in the files, as JSON Schemas for editors and for `orch schema`.

Drawn from the models, as wide as the loader reads: a number is fine where text is meant, one text where a list is
meant, nothing wherever a field may be left out, and both spellings of a field.
"""

from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from orchestration.models import TASK_ALIASES, Agent, Settings, Task

DIALECT: Final = GenerateJsonSchema.schema_dialect
_ID_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class _AsLoaded(GenerateJsonSchema):
    """The schema of what the loader accepts, which turns numbers into text where text is meant."""

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        made = super().str_schema(schema)
        return made if "pattern" in made else {**made, "type": ["string", "number"]}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Fields that are left out may also be written with nothing behind the colon."""
        made = super().model_schema(schema)
        if "kind" in made.get("properties", {}):
            made["required"] = ["kind", *made.get("required", [])]
        needed = made.get("required", [])
        for name, field in made.get("properties", {}).items():
            if name not in needed:
                made["properties"][name] = _or_nothing(field)
        return made


def task_schema() -> dict[str, Any]:
    """The schema of one task: a YAML file, the front matter of a Markdown file, or an item under `tasks:`."""
    schema = Task.model_json_schema(schema_generator=_AsLoaded)
    fields = schema["properties"]
    fields["id"] = {"type": ["string", "integer"], "pattern": _ID_PATTERN, "title": "Id"}
    schema["required"] = [name for name in schema.get("required", []) if name != "id"]  # the file's name can be the id
    for name, alias in TASK_ALIASES.items():
        fields[alias] = {**fields[name], "title": alias.replace("_", " ").title()}
    return _finished(schema, "A task of orch")


def agent_schema() -> dict[str, Any]:
    """The schema of one agent, as it stands under `agents:`."""
    return _finished(TypeAdapter(Agent).json_schema(schema_generator=_AsLoaded), "An agent of orch")


def settings_schema() -> dict[str, Any]:
    """The schema of `orchestration.yaml`."""
    return _finished(Settings.model_json_schema(schema_generator=_AsLoaded), "Settings of orch")


def _or_nothing(field: dict[str, Any]) -> dict[str, Any]:
    branches = field.get("anyOf", [])
    if {"type": "null"} in branches or not field:
        return field
    about: dict[str, Any] = {key: field[key] for key in ("title", "description", "default") if key in field}
    rest = {key: value for key, value in field.items() if key not in about}
    return {**about, "anyOf": [*(branches or [rest]), {"type": "null"}]}


def _finished(schema: dict[str, Any], title: str) -> dict[str, Any]:
    for field in [schema.get("properties", {}).get("retry", {})]:
        if "anyOf" in field:
            field["anyOf"] = [*field["anyOf"], {"type": "integer", "minimum": 1, "maximum": 1000}]
    return {"$schema": DIALECT, **schema, "title": title}
