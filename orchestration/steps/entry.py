"""The parameters of a run at its door: where they come from, what of them is stored, and what a later life finds.

What the store has counts for a run that goes on; variables and the file are read when a run begins. A parameter that
holds a secret is stored without it, and has to come in again when the run goes on.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.errors import UsageError
from orchestration.masking import MASK
from orchestration.steps.given import read_again, written
from orchestration.steps.hiding import Hiding, names_in
from orchestration.steps.home import Home
from orchestration.steps.parameters import PREFIX, asked_by, read
from orchestration.steps.program import Program
from orchestration.steps.reading import checked_mapping, checked_value_name
from orchestration.steps.values import apart


def checked(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters as they are given, apart from later changes.

    Raises:
        UsageError: they are no dictionary, or a name is none.
    """
    given = {} if parameters is None else parameters
    checked_mapping(given, "parameters")
    for name in given:
        checked_value_name(name, "the name of a parameter")
    return {name: apart(value) for name, value in given.items()}


def completed(program: Program, given: dict[str, Any], home: Home | None, file: str | Path | None) -> dict[str, Any]:
    """With those that are not given, from variables and from the file; raises UsageError."""
    environment = (home or Home()).environment
    if file is None and not any(name.startswith(PREFIX) for name in environment):
        return given
    return read(given, file=file, environment=environment, asked=asked_by(program.root))


def kept(parameters: Mapping[str, Any], hiding: Hiding | None) -> dict[str, Any]:
    """The parameters as the run's first event tells them, without secrets."""
    told = written(parameters)
    return told if hiding is None else {name: hiding.value(value) for name, value in told.items()}


async def hiding_for(program: Program, home: Home | None, given: Mapping[str, Any]) -> Hiding | None:
    """What hides the secrets of the given parameters; None where no step names any."""
    names = names_in(program.root)
    if not names:
        return None
    hiding = Hiding(home or Home(), names)
    await hiding.look_ahead(given)
    return hiding


def again(
    program: Program,
    stored: Mapping[str, Any],
    given: dict[str, Any],
    home: Home | None,
    file: str | Path | None,
) -> dict[str, Any]:
    """The parameters of a run that goes on.

    Raises:
        UsageError: one held a secret, or what no store can keep, and does not come in again.
    """
    lost = [name for name, value in stored.items() if name not in given and MASK in json.dumps(value)]
    if not lost or not names_in(program.root):
        return read_again(stored, given)
    found = completed(program, {}, home, file)
    for name in lost:
        if name not in found:
            told = f"the parameter {name} holds a secret, which is stored nowhere"
            raise UsageError(told, hint="give it again to continue the run")
    return read_again(stored, {**{name: found[name] for name in lost}, **given})
