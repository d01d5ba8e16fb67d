"""Errors are values too: they are copied, and travel between processes, whatever their class takes to make one."""

import copy
import inspect
import pickle
import traceback
from typing import Any

import pytest

from orchestration import errors
from orchestration.errors import MOST_NOTES, InvalidProject, OrchError, Problem, UsageError

KINDS = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, OrchError)]


def made(kind: type[OrchError]) -> OrchError:
    """One of a kind, with an argument for everything that has no default."""
    words: dict[str, Any] = {"unmet": {"A": "failed"}, "pids": (1, 2), "pid": 1, "status": 403, "number": 15}
    asked = inspect.signature(kind).parameters.values()
    return kind(
        *(words.get(one.name, "text") for one in asked if one.default is one.empty and one.kind < one.KEYWORD_ONLY)
    )


def test_a_traceback_says_what_to_do() -> None:
    error = UsageError("there is no task A-1", hint="did you mean A-001?")
    assert traceback.format_exception_only(error)[-1] == "did you mean A-001?\n"
    problems = [Problem("wrong", file="tasks/A.md", line=n, hint="mend it") for n in range(1, MOST_NOTES + 3)]
    told = traceback.format_exception_only(InvalidProject("all wrong", hint="mend them", problems=problems))
    assert told[1:3] == ["tasks/A.md:1: wrong (mend it)\n", "tasks/A.md:2: wrong (mend it)\n"]
    assert told[-1] == "and 2 more\n"
    assert len(told) == MOST_NOTES + 2


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_the_same_after_its_way_to_another_process(kind: type[OrchError]) -> None:
    error = made(kind)
    error.hint, error.problems = "mend it", (Problem("wrong", line=3),)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301  # our own
        assert type(again) is kind
        assert (again.args, vars(again)) == (error.args, vars(error))
        assert str(again) == str(error)
