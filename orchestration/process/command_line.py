"""A command line as people write it → what is to be executed: the program itself, or `sh -c` around the line.

A shell costs about as much as a small program, so a line that no shell would change is started directly. The line is
given to the shell whenever there is doubt: the answer must be what `sh -c` would have done, only sooner. Doubt is

- every character that some shell gives a meaning to, quotes and backslashes among them, and every character that is
  neither printable ASCII, a space nor a tab: shells differ on what separates words;
- an assignment before the command, or a first word that a shell answers itself. `echo` and `printf` are among these:
  the programs of that name do not treat all arguments as the shell's own do.

What a direct start cannot do as a shell does is run a file without a `#!` line: the system refuses it, where a shell
would read it as a script.
"""

import re
from functools import lru_cache
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./\- \t]+")
_BLANKS: Final = re.compile(r"[ \t]+")
_MEANT_FOR_A_SHELL: Final = re.compile(r"=|^%")  # in a first word: an assignment, or a job to bring back

_RESERVED: Final = "case coproc do done elif else esac fi for function if in select then time until while"
_BUILT_IN: Final = (
    ". : alias bg break cd command continue eval exec exit export fc fg getopts hash jobs kill newgrp pwd read "
    "readonly return set shift test times trap type ulimit umask unalias unset wait"
)
_BUILT_IN_SOMEWHERE: Final = (  # dash, bash or ksh may be installed as sh
    "bind builtin caller chdir compgen complete compopt declare dirs disown echo enable help history let local logout "
    "mapfile popd printf print pushd readarray shopt source suspend typeset whence"
)
ANSWERED_BY_SHELLS: Final = frozenset(f"{_RESERVED} {_BUILT_IN} {_BUILT_IN_SOMEWHERE}".split())
"""First words that are no program, or not the program that PATH would give. Those with a bracket are no plain text."""


@lru_cache(maxsize=256)
def command_line(text: str) -> tuple[str, ...]:
    """Say what is to be executed for a line that a user wrote.

    Args:
        text: The line, or several, as `sh` would read it.

    Returns:
        The program and its arguments; nothing where the line holds nothing but blanks.
    """
    line = text.strip(" \t\n")
    if not line:
        return ()
    if _PLAIN.fullmatch(line):
        words = _BLANKS.split(line)
        if words[0] not in ANSWERED_BY_SHELLS and not _MEANT_FOR_A_SHELL.search(words[0]):
            return tuple(words)
    # A line that begins with a sign would be taken for an option of the shell; a blank before it means nothing.
    return ("sh", "-c", f" {line}" if line[0] in "-+" else line)
