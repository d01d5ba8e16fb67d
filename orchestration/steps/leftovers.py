"""Before anything new of a run begins, what its earlier life has left is ended and proved dead.

What functions start that run in `orch` itself, as those of `orch pipeline` do, carries no marker of an attempt. It
bears a brand of the run, so the warden and the next life find it; a program that uses the Python API is left as it is.
"""

from contextlib import AbstractContextManager, nullcontext

from orchestration.protocols import RunRecord
from orchestration.steps.home import Home


async def end_what_is_left(home: Home, record: RunRecord) -> None:
    """End the processes of a run whose owner lock we hold; see `orchestration.process.leftovers`.

    Raises:
        StillAlive: some of them cannot be ended, so nothing may begin.
    """
    from orchestration.checks import MARKER  # noqa: PLC0415  # a run in memory has no earlier life
    from orchestration.errors import StillAlive  # noqa: PLC0415  # as above
    from orchestration.process import end_leftovers  # noqa: PLC0415  # as above

    _, survivors = await end_leftovers(home.children, MARKER, f"{record.run_id}{home.mark}/")
    if survivors:
        raise StillAlive(record.run_id, survivors)


def guarding_functions(home: Home, run_id: str) -> AbstractContextManager[None]:
    """Have what functions of a run start in this program found again, where the program is ours."""
    if not home.has_children:  # nobody has said whose they are, so it is a host program's run
        return nullcontext()
    from orchestration.checks import MARKER  # noqa: PLC0415  # as above

    return home.children.guarding_functions(MARKER, f"{run_id}{home.mark}/")
