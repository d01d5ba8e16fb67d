"""The page of the server against its OpenAPI document: addresses, what they take, and the kinds of their answers."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import codes_in, name_in, read, table_of
from tests.world.projects import make_project, shell
from tests.world.serving import serving_project

PAGE = read("docs/server.md")
NAMES = {"run_id": "run", "task_id": "task"}


@pytest.mark.slow
async def test_each_address_is_there_with_what_it_takes_and_answers(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        document = (await server.client.get("/openapi.json")).json()
    operations = {
        f"{method.upper()} {address_of(path)}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    rows = {name_in(row["address"]): row for row in table_of(PAGE, "Addresses", "address")}
    assert sorted(rows) == sorted(operations)
    for address, row in rows.items():
        told = {code.partition(":")[0] for code in codes_in(row["what it does"])}
        if address == "GET /runs/{run}/events":
            told |= {name_in(one["parameter"]) for one in table_of(PAGE, "Events and their ids", "parameter")}
        assert taken_by(operations[address], document) <= told, address
        assert kind_of(operations[address], document) in {None, *codes_in(row["kind"])}, address


def address_of(path: str) -> str:
    path = re.sub(r"{(\w+)}", lambda found: f"{{{NAMES.get(found[1], found[1])}}}", path)
    return path.replace("{stream}", "stdout")


def taken_by(operation: dict[str, Any], document: dict[str, Any]) -> set[str]:
    """The names of what stands behind `?` and in the body."""
    named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for one in (body, *body.get("anyOf", ())):
        named |= set(behind(one, document).get("properties", ()))
    return named


def kind_of(operation: dict[str, Any], document: dict[str, Any]) -> str | None:
    """The kind of envelope that is answered when all is well."""
    (well, *_) = (one for code, one in operation["responses"].items() if code in {"200", "202"})
    schema = behind(well.get("content", {}).get("application/json", {}).get("schema", {}), document)
    kind: str | None = schema.get("properties", {}).get("kind", {}).get("const")
    return kind


def behind(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one that it names."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found
