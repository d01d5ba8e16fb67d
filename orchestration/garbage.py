"""The cyclic collector of garbage, kept from looking while much is built that stays.

Building ten thousand steps, tasks or records makes hundreds of thousands of objects and no cycle among them; the
collector would walk through all of them several times, which takes longer than building them. So it waits: for the
length of one piece of work that awaits nothing, calls nothing of the user's that takes time, and is over soon.

Edges survived: somebody who has switched it off stays without it; pieces inside of each other; several threads at once
(the collector is one for all of them: whichever piece ends first switches it on again, which is only slower).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector wait."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
