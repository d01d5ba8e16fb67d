"""A child process that a function of others made by `os.fork` and did not leave: it must not go on as if it were us.

What a function raises is an outcome of its attempt, an exit too. In such a child it would be one as well, and the child
would go on with a run that is not its own, or hang in a loop that is none there. So it ends where Python would have
ended it, with the exit code that it would have had.
"""

import os
import sys
import traceback
from contextlib import suppress


def leave_if_forked(process: int, error: BaseException) -> None:
    """End this process, by what a function has raised in it, where it is not the one of this id any more."""
    if os.getpid() == process:
        return
    code: object = 1
    with suppress(Exception):  # whatever is broken in a child, it ends
        if isinstance(error, SystemExit):
            code = 0 if error.code is None else error.code
        else:
            traceback.print_exception(error, file=sys.__stderr__)
        if not isinstance(code, int):
            print(code, file=sys.__stderr__)  # as Python does with an exit by a text
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
    os._exit(code & 0xFF if isinstance(code, int) else 1)
