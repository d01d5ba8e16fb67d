"""Functions that only compute, such as conditions and reducers: they are called in the loop, and nobody waits for them.

One that is async is refused where it is written; one that returns what another async function gave it can only be found
out when it is called, and would be true whatever that has to say.
"""

import inspect
from collections.abc import Callable
from typing import Any

from orchestration.calls.naming import name_of
from orchestration.calls.threads import refuse_late
from orchestration.forked import generation, leave_if_forked


def computed(function: Callable[..., Any], *positional: Any, **named: Any) -> Any:  # noqa: ANN401  # whatever it takes and returns
    """Call it.

    Raises:
        TypeError: what it returned has to be awaited.
        BaseException: what it raised.
    """
    noted = generation()
    try:
        value = function(*positional, **named)
    except BaseException as error:
        leave_if_forked(noted, error)
        raise
    leave_if_forked(noted)
    if inspect.isawaitable(value):
        refuse_late((value, None))
        raise TypeError(f"{name_of(function)} returned a {type(value).__name__}, for which nobody waits here")
    return value
