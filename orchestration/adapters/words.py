"""Words of a command line: plain ones with placeholders of a closed set, and parts that depend on what is asked for.

No templating language: `{model}` in a word is replaced by the model, nothing is evaluated. A word that is only
`{args}`, `{permission}` or `{own_retries_off}` stands for any number of words. Braces around anything that is no
plain name are left as they are, so that JSON can be passed on.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from orchestration.adapters.form import Part

PLACEHOLDER: Final = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_.:/-]+)?)\}")
PLAIN: Final = frozenset({"new_session", "workspace", "folder", "home", "prompt", "prompt_file"})
"""Always known; the others only where they were asked for."""

CONDITIONAL: Final = frozenset({"model", "session", "max_turns", "max_cost_usd"})
LISTS: Final = frozenset({"args", "permission", "own_retries_off"})
CONDITIONS: Final = ("model", "resume", "max_turns", "max_cost_usd", "own_retries_off")
OPTION: Final = "option."
MEANT_BY: Final = {"session": "resume"}
"""Placeholder → the condition that makes it known, where the two have different names."""


def filled(text: str, values: Mapping[str, str | None]) -> str:
    """The text with its placeholders replaced; those without a value become nothing."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1]) or "", text)


def expand(
    parts: Iterable[str | Part],
    holds: Mapping[str, bool],
    values: Mapping[str, str | None],
    lists: Mapping[str, tuple[str, ...]],
) -> Iterator[str]:
    """The words that are left when conditions are decided and placeholders replaced.

    Args:
        parts: as they were written.
        holds: condition → whether it holds; unknown ones do not.
        values: placeholder → what it stands for.
        lists: placeholder of many words → the words.
    """
    for part in parts:
        if isinstance(part, str):
            name = part[1:-1]
            if part.startswith("{") and name in LISTS:
                yield from lists.get(name, ())
            else:
                yield filled(part, values)
        elif all(holds.get(one, False) for one in part.if_) and not any(holds.get(one, False) for one in part.unless):
            yield from expand(part.add, holds, values, lists)


def every_word(
    parts: Iterable[str | Part], known: frozenset[str] = frozenset()
) -> Iterator[tuple[str, frozenset[str]]]:
    """Every word that could be given, with the conditions that hold where it stands."""
    for part in parts:
        if isinstance(part, str):
            yield part, known
        else:
            yield from every_word(part.add, known | frozenset(part.if_))
