"""Writing a process its input, then closing it.

Edges it survives: a process that ends, or closes its input, before it has read all of it (no error of anybody); input
larger than a pipe holds, to a process that reads slowly or never; input that fits, which costs one write.
"""

import asyncio
import os


class Feeding:
    """The input of one process, on its way."""

    __slots__ = ("_descriptor", "_left", "_loop")

    def __init__(self, descriptor: int, data: bytes) -> None:
        """Take over the write end of the pipe, which does not block, and write what fits."""
        self._loop = asyncio.get_running_loop()
        self._descriptor: int | None = descriptor
        self._left = memoryview(data)
        self._write()
        if self._descriptor is not None:
            self._loop.add_writer(self._descriptor, self._write)

    def _write(self) -> None:
        if self._descriptor is None:
            return
        try:
            while self._left:
                self._left = self._left[os.write(self._descriptor, self._left) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # BrokenPipeError: nobody reads any more
            pass
        self.close()

    def close(self) -> None:
        """Close the pipe, whatever was written."""
        if self._descriptor is not None:
            if not self._loop.is_closed():
                self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
