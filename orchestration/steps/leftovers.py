"""Before anything new of a run begins, what its earlier life has left is ended and proved dead."""

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
