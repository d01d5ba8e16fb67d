"""Which variables of a child hold secrets: those named as such, and those that look so by their name or value.

A guess that is wrong costs little either way: a variable taken for a secret shows as stars, one that is not is the
business of whoever did not name it. So the name decides only where the value could be a secret at all (no switch, no
number, no path), and the value decides only where it has the form of a key that services hand out, or looks drawn by
lot. Names are read word by word: `GIT_AUTHOR_NAME` holds no `AUTH`, `SSH_AUTH_SOCK` is a path, `PWD` is a folder.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

SHORTEST_SUSPECT: Final = 6
"""Characters of the shortest value that a name alone makes a secret: shorter ones are switches."""

SHORTEST_DRAWN: Final = 24
"""Characters of the shortest value that looks drawn by lot; words and versions are shorter."""

_STRONG: Final = ("PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "CREDENTIAL", "CREDENTIALS")
_WORDS: Final = frozenset(
    {*_STRONG, "SECRETS", "KEY", "PASS", "PWD", "PW", "AUTH", "AUTHORIZATION", "BEARER", "PRIVATE", "DSN", "JWT", "PAT"}
    | {"COOKIE", "SIGNATURE", "SALT", "PASSCODE"},
)
_ABOUT_ONE: Final = (  # as last word: what the variable holds belongs to a secret, and is none
    "FILE PATH DIR DIRECTORY FOLDER SOCK SOCKET HOME NAME USER HOST PORT TYPE MODE METHOD ALGORITHM TTL EXPIRY EXPIRES "
    "TIMEOUT LENGTH SIZE COUNT LIMIT ENABLED COMMAND CMD ASKPASS PREFIX HEADER VERSION REGION"
)
_NO_VALUES: Final = frozenset(_ABOUT_ONE.split())
_NO_SECRETS: Final = frozenset({"PWD", "OLDPWD"})
_WORD_ENDS: Final = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])")
_NOTHING: Final = re.compile(r"(?i:true|false|enabled|disabled|default|required|optional|always|\d{1,5}|[\d.]{1,12})")
_PATH: Final = re.compile(r"(?:~|\.{1,2})?(?:/[\w.@ -]{1,80}){2,}/?")
_FORMS: Final = re.compile(
    r"""sk-[\w-]{16,} | (?:sk|rk)_(?:live|test)_\w{10,} | gh[a-z]_\w{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
      | (?:AKIA|ASIA)[0-9A-Z]{12,} | xox[a-z]-[\w-]{10,} | AIza[\w-]{30,} | hf_\w{20,} | npm_\w{20,} | pypi-[\w-]{20,}
      | SG\.[\w-]{16,}\.[\w-]{16,} | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]* | dop_v1_\w{20,} | AGE-SECRET-KEY-\w+ """,
    re.VERBOSE,
)
_INSIDE: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/?#@\s:]*:[^/?#@\s]+@")
_DRAWN: Final = re.compile(r"[A-Za-z0-9+/_=-]+")


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable is taken for a secret."""
    value = value.strip()
    if len(value) < SHORTEST_SUSPECT or name in _NO_SECRETS:
        return False
    return _is_a_known_form(value) or (_is_a_name_for_secrets(name) and _could_be_secret(value))


def secret_names(
    environment: Mapping[str, str], named: Iterable[str] = (), *, guess: Iterable[str] | None = None
) -> frozenset[str]:
    """Which variables of a child's environment are masked.

    Args:
        environment: The whole environment of the child.
        named: What is secret whatever it looks like: the secrets of task, agent and project, the keys of the agent.
        guess: The variables about which to guess, such as those of `env` and `pass_env`; None for all but ours.
    """
    if guess is None:
        guess = (name for name in environment if not name.startswith("ORCH_"))
    suspects = {name for name in guess if name in environment and looks_secret(name, environment[name])}
    return frozenset(suspects | {name for name in named if name in environment})


def _is_a_name_for_secrets(name: str) -> bool:
    words = [word.upper() for word in _WORD_ENDS.split(name) if word]
    if not words or words[-1] in _NO_VALUES:
        return False
    return not _WORDS.isdisjoint(words) or any(word.endswith(_STRONG) for word in words)


def _could_be_secret(value: str) -> bool:
    return not _NOTHING.fullmatch(value) and (not _PATH.fullmatch(value) or _is_drawn(value))


def _is_a_known_form(value: str) -> bool:
    return bool(_FORMS.match(value) or _INSIDE.search(value)) or (
        bool(_DRAWN.fullmatch(value)) and not _PATH.fullmatch(value) and _is_drawn(value)
    )


def _is_drawn(value: str) -> bool:
    """Whether the kinds of characters change as often as they do in what was drawn by lot, and in no word."""
    if len(value) < SHORTEST_DRAWN:
        return False
    kinds = ["0" if sign.isdigit() else "A" if sign.isupper() else "a" for sign in value]
    changes = sum(left != right for left, right in pairwise(kinds))
    return len(set(kinds)) == len("0Aa") and kinds.count("0") > 1 and 3 * changes >= len(value)
