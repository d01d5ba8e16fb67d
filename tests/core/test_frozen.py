"""Records that are cheap to make are as frozen as others, and cannot be told from them."""

import copy
import json
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from orchestration.frozen import nothing, quick
from orchestration.models import Task
from orchestration.results import Outcome


@dataclass(frozen=True, slots=True)
class Plain:
    a: int
    b: str = "b"


@quick
@dataclass(frozen=True, slots=True)
class Made(Plain):
    """A record with something of each kind."""

    c: Mapping[str, Any] = field(default_factory=dict)
    d: tuple[int, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Further(Made):
    e: int = 5


@pytest.mark.parametrize("kind", [Made, Further])
def test_a_record_is_made_by_place_or_name_with_its_defaults(kind: type[Made]) -> None:
    assert kind(1) == kind(a=1, b="b", c={}, d=())
    assert kind(1, "x", {"k": 1}, (2,)) == kind(d=(2,), c={"k": 1}, b="x", a=1)
    assert kind(1) != kind(2)
    assert type(kind(1)) is kind
    assert kind(1).c is not kind(1).c


@pytest.mark.parametrize("kind", [Made, Further])
@pytest.mark.parametrize("name", ["a", "c", "new"])
def test_a_record_cannot_be_changed(kind: type[Made], name: str) -> None:
    made = kind(1)
    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(made, name, 2)
    with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
        delattr(made, name)
    assert made == kind(1)
    assert not hasattr(made, "__dict__")


@pytest.mark.parametrize("kind", [Made, Further])
def test_a_record_is_copied_and_shown_as_any_other(kind: type[Made]) -> None:
    made = kind(1, d=(3,))
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made)), replace(made, a=1)):  # noqa: S301  # our own
        assert again == made
        assert type(again) is kind
    assert repr(made).startswith(f"{kind.__name__}(a=1, b='b', c={{}}, d=(3,)")
    with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required positional argument: 'a'"):
        kind()  # type: ignore[call-arg]  # that is the point
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        kind(1, z=2)  # type: ignore[call-arg]  # likewise


def test_what_is_no_plain_record_is_refused() -> None:
    @dataclass(frozen=True)
    class WithoutSlots:
        a: int

    @dataclass(frozen=True, slots=True)
    class DoesMore:
        a: int

        def __post_init__(self) -> None:
            """Something."""

    for kind in (WithoutSlots, DoesMore, int):
        with pytest.raises(TypeError):
            quick(kind)


# -- the empty mapping ----------------------------------------------------------------------------------------------


def test_what_is_empty_in_many_records_is_there_once_and_stays_empty() -> None:
    task, outcome = Task(id="A"), Outcome()
    assert task.env is task.metadata is outcome.outputs is Outcome().metadata
    for change in (
        lambda: task.env.__setitem__("K", "v"),
        lambda: task.env.update(K="v"),
        lambda: task.env.setdefault("K", "v"),
    ):
        with pytest.raises(TypeError, match="is frozen"):
            change()
    assert task.env == {}


def test_an_empty_mapping_of_a_record_is_used_as_any_other() -> None:
    mine = nothing()
    mine |= {"K": "v"}
    assert mine == {"K": "v"}
    assert nothing() | {"K": "v"} == {**nothing(), "K": "v"} == {"K": "v"}
    assert json.dumps(nothing()) == repr(nothing()) == "{}"
    assert Task(id="A").model_dump()["env"] == json.loads(Task(id="A").model_dump_json())["env"] == {}
    again = (copy.copy(nothing()), copy.deepcopy(nothing()), pickle.loads(pickle.dumps(nothing())), nothing().copy())  # noqa: S301  # our own
    for own in (*again, Task(id="A").model_copy(deep=True).env):
        assert type(own) is dict
        own["K"] = "v"
    assert nothing() == {}
