"""What is empty in many records: one mapping for all, which nobody can fill and everybody can use."""

import copy
import json
import pickle

import pytest

from orchestration.models import Task
from orchestration.nothing import nothing
from orchestration.results import Outcome


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
