"""Tables about the code against the code: public names, methods and results; rooms and floors."""

import re
import tomllib

import pytest

import orchestration
from orchestration import results
from tests.docs.pages import ROOT, codes_in, read, table_of
from tests.docs.test_reference import names_in

PYTHON_API, ARCHITECTURE = read("docs/python-api.md"), read("docs/architecture.md")

# -- python -----------------------------------------------------------------------------------------------------------


def test_each_public_name_is_there() -> None:
    assert names_in(table_of(PYTHON_API, "All names", "name"), "name") == sorted(orchestration.__all__)


@pytest.mark.parametrize(
    ("heading", "owner"),
    [
        ("A project", orchestration.ProjectOrchestrator),
        ("Without a project", orchestration.TaskExecutor),
        ("Agents", orchestration.AgentRegistry),
    ],
)
def test_each_public_method_is_there(heading: str, owner: type) -> None:
    methods = {name for name, value in vars(owner).items() if name[0] != "_" and not isinstance(value, property)}
    assert set(names_in(table_of(PYTHON_API, heading, "method"), "method")) == methods


@pytest.mark.parametrize("record", [results.ExecutionResult, results.RunResult])
def test_each_field_of_a_result_is_there(record: type) -> None:
    told = names_in(table_of(PYTHON_API, record.__name__, "field"), "field")
    assert told == list(record.__slots__)  # type: ignore[attr-defined]  # both are slotted records


# -- architecture -----------------------------------------------------------------------------------------------------


def rooms() -> set[str]:
    there = (ROOT / "orchestration").iterdir()
    return {path.stem for path in there if path.suffix == ".py" or (path / "__init__.py").exists()} - {
        "__init__",
        "_version",
    }


def test_each_room_is_explained() -> None:
    assert set(names_in(table_of(ARCHITECTURE, "Rooms", "room"), "room")) == rooms()


def test_the_floors_are_those_that_the_code_is_held_to() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one.get("exhaustive")]
    floors = [{room for room in re.findall(r"\w+", layer) if room in rooms()} for layer in layers]
    told = [set(codes_in(row["rooms"])) for row in table_of(ARCHITECTURE, "Floors", "floor")]
    assert told == [floor for floor in floors if floor]
