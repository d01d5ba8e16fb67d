"""Parameters of a run from the command line: `--param name=value`; a value is understood as that of a variable is."""

from typing import Any

from orchestration.errors import UsageError


def parameters_of(written: list[str] | None) -> dict[str, Any]:
    """The parameters that are written.

    Raises:
        UsageError: one is not `name=value`.
    """
    from orchestration.steps.parameters import value_of

    given: dict[str, Any] = {}
    for one in written or ():
        name, equals, value = one.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"--param: {one[:80]!r} is not NAME=VALUE", hint="for example: --param size=3")
        given[name.strip()] = value_of(value)
    return given
