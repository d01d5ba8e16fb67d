"""Parameters of a run from the command line: `--param name=value`.

A value is text where a step asks for text under that name, and otherwise JSON, or else the text that it is. A name that
nobody asks for is probably a slip of the hand: it is told, and no more, as a function may look all parameters up by
`current_step()`.
"""

from typing import TYPE_CHECKING, Any

from orchestration.errors import UsageError

if TYPE_CHECKING:
    from orchestration.steps.program import Program


def parameters_of(program: "Program", written: list[str] | None) -> dict[str, Any]:
    """The parameters that were written for a run of this program.

    Raises:
        UsageError: one is not `name=value`, or an object in it has a key twice.
    """
    from cli.session import say
    from orchestration.steps.parameters import asked_by, value_for
    from orchestration.steps.wanting import wanted_by

    asked = asked_by(program.root)
    given: dict[str, Any] = {}
    for one in written or ():
        name, equals, value = one.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"--param: {one[:80]!r} is not NAME=VALUE", hint="for example: --param size=3")
        given[name.strip()] = value_for(value, asked.get(name.strip(), ()), f"--param {name.strip()}")
    for doubt in wanted_by(program.root).doubts(given) if given else ():
        say(f"warning: {doubt}")
    return given
