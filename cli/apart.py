"""Standard output kept for data alone, while code of somebody else runs in this process.

What that prints, by `print`, by the descriptor or by a child of its own, would stand in the middle of the document that
was asked for. So our own stream writes to a descriptor that nobody else knows, and the number 1 is standard error.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from cli.streams import Tolerant, tolerant


@contextmanager
def data_apart() -> Iterator[TextIO]:
    """Have all else that is printed go to standard error.

    Yields the stream for data. It is `sys.stdout` again afterwards; the descriptor 1 stays standard error.
    """
    data = sys.stdout
    data.flush()
    raw = getattr(getattr(data, "buffer", None), "raw", None)
    if not isinstance(raw, Tolerant):  # somebody else's streams: we are called in his process
        yield data
        return
    raw.move()
    os.dup2(2, 1)
    sys.stdout = tolerant(data, 1)
    try:
        yield data
    finally:
        sys.stdout.flush()
        sys.stdout = data
