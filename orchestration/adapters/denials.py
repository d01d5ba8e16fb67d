"""What the agent was not allowed to do, in its own words; bounded, each once."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from orchestration.adapters.form import Denials
from orchestration.adapters.showing import shown
from orchestration.adapters.values import clean, text_of
from orchestration.kinds import Failure
from orchestration.results import Outcome

MAX_REFUSALS: Final = 50
"""Refusals that are kept; an agent may try the same thing for hours."""

MAX_TEXT: Final = 300
"""Characters of one refusal."""


class Refusals:
    """Gathers refusals from the events that tell of them."""

    __slots__ = ("_forms", "_texts", "words")

    def __init__(self, forms: Iterable[Denials]) -> None:
        self._forms = tuple(forms)
        self.words = frozenset(word for form in self._forms for word in form.event)
        self._texts: dict[str, None] = {}

    def see(self, word: str, event: Any) -> None:  # noqa: ANN401  # any JSON
        """Take in one event that has got its word."""
        for form in self._forms:
            if word in form.event and form.match.fits(event):
                for value in form.path.find(event):
                    self._add(shown(form.show, value) if form.show else _plain(value))

    def texts(self) -> tuple[str, ...]:
        """What was refused, in order."""
        return tuple(self._texts)

    def _add(self, text: str | None) -> None:
        if text and len(self._texts) < MAX_REFUSALS:
            self._texts[clean(text[:MAX_TEXT])] = None


def _plain(value: object) -> str:
    if isinstance(value, dict | list):
        try:
            return json.dumps(value, ensure_ascii=False) if value else ""
        except (ValueError, RecursionError):
            return "…"
    return text_of(value)


def denied(outcome: Outcome, *, proved: bool) -> Outcome:
    """The outcome once it is known whether checks prove the work: a claim alone does not, after a refusal.

    An agent that was refused something and says that it is done has failed with `permission`, unless every check of
    the task has passed and there was one.
    """
    refused = outcome.metadata.get("permission_denials")
    if not refused or proved or outcome.failure is not None:
        return outcome
    told = f"it was not allowed to: {'; '.join(map(str, refused))}"
    return replace(outcome, failure=Failure.PERMISSION, error=told)
