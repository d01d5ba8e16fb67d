"""An agent that ships: it plays a script of what agents do, right and wrong, so that a backlog can be rehearsed.

`python -m orchestration.scripted --script FILE` is a program like any agent: the prompt on stdin, one JSON event per
line on stdout, files written, commands run, an exit code. A script tells it what to do (`steps` is the vocabulary),
and `TRICKS` are scripts by name for everything that agents are known to get wrong. Everything here is standard
library, and as little of it as possible, because a hundred of them may be started at once.
"""

from orchestration.scripted.launching import SCRIPT_FILE, document, program
from orchestration.scripted.reading import BadScript, Wrong, problems_of
from orchestration.scripted.tricks import TRICKS

__all__ = ["SCRIPT_FILE", "TRICKS", "BadScript", "Wrong", "document", "problems_of", "program"]
