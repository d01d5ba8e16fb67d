"""The type of tasks `shout`: a type of tasks is a class whose objects are steps, here one of ours with a function."""

from functools import partial
from typing import Any

from orchestration import PythonTask


def _shout(text: str, marks: int) -> str:
    return text.upper() + "!" * marks


class ShoutTask(PythonTask):
    """Says what is known as `text`, and returns it as `said`; takes all that other tasks take."""

    def __init__(self, name: str, marks: int = 1, **options: Any) -> None:  # noqa: ANN401  # those of all tasks
        """`marks` is how many exclamation marks it ends with."""
        super().__init__(partial(_shout, marks=marks), name, returns=["said"], **options)
