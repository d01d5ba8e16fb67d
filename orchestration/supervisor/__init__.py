"""One small process between `orch` and an agent program, out of whose sight nothing gets that the program starts.

It makes itself the subreaper of its descendants (Linux), so that whoever double-forks, calls `setsid` and empties its
environment still becomes its child when its parents have ended. When the program ends, whatever it left is asked to end
and then killed; when `orch` itself dies, by `kill -9` too, so is the program. Only when nobody is left does it end
itself, in the same way as the program did: whoever waits for it waits for all.

`supervised` is for those who start it; `__main__` is the process. Standard library only: it starts in the time of a
bare Python (about 10 ms). On macOS there are no subreapers: there it finds whoever still has a living parent or stays
in its group, and says so in its report.
"""

import os
import sys
from collections.abc import Sequence

GRACE = "--grace"
REPORT = "--report"
END = "--"

NOT_STARTED = 127
"""The exit code where the program could not be started; the report says why."""


def supervised(argv: Sequence[str], *, grace: float, report: str) -> tuple[str, ...]:
    """The command line that runs another one under a supervisor.

    Args:
        argv: what is to be run; looked up on the PATH of its environment.
        grace: seconds between the request to end and the end by force.
        report: a file that does not exist, where it says what it did, as JSON: `error`, `swept`, `survivors`.
    """
    folder = os.path.dirname(os.path.abspath(__file__))
    program = os.path.join(folder, "__main__.py")
    return (sys.executable, "-I", "-S", program, GRACE, f"{grace:.3f}", REPORT, report, END, *argv)
