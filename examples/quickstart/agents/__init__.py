"""The programs behind the agents of this project: the standard library only, one small file for each kind of work.

Every survey writes what it found as one JSON file under `out/facts` and passes the few numbers that others need on as
outputs. The report is made of those files and of nothing else, so that it can be checked against them.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # these run under whichever python3 is first on PATH
    sys.exit("These agents need Python 3.11 or newer as python3: put the .venv/bin of the checkout first on PATH.")
