"""The secrets of a run of steps: looked up just before a step that names them, and hidden in all that the run says.

What one step was given is hidden in what every step of the run tells from then on: events, items, logs, printed text,
outputs, errors, tracebacks. Edges survived: a secret that changes between two attempts (both values stay hidden), one
that spells a number, one inside of an object (it is shown as JSON then, masked), one that a limit would cut in two, a
parameter of the run that holds one, several threads that print at once. Hidden is what is told, never what a function
gets, nor what it writes into files of its own.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import OrchError
from orchestration.kinds import Failure
from orchestration.masking import MASK, SHORTEST, Masker
from orchestration.protocols import Reporting
from orchestration.results import Outcome, Usage
from orchestration.shown import shown
from orchestration.steps.binding import Signature
from orchestration.steps.returns import Return
from orchestration.steps.unit import Unit

if TYPE_CHECKING:
    from orchestration.steps.home import Home

_NOTHING: Final[Mapping[str, str]] = {}
BEGINNING: Final = 40
"""Characters of a secret that are one by themselves: errors quote values, and cut what is long."""


class Hiding:
    """The secrets of one run.

    Args:
        home: knows where secrets are kept.
        names: all that the steps of the run name.

    Attributes:
        known: the values that were looked up so far, by name.
    """

    def __init__(self, home: "Home", names: Sequence[str]) -> None:
        """Nothing is looked up."""
        self._home = home
        self._names = names
        self._values: dict[str, str] = {}
        self.known: dict[str, str] = {}
        self.masker = Masker()
        self._long: tuple[str, ...] = ()

    async def look_up(self, names: Sequence[str]) -> Mapping[str, str]:
        """The values of secrets, as they are now.

        Raises:
            SecretMissing: one cannot be had.
        """
        if not names:
            return _NOTHING
        found = await self._home.secrets(names)
        self.known.update(found)
        self._learn(found)
        return found

    async def look_ahead(self, parameters: Mapping[str, Any]) -> None:
        """Learn what must not be kept of the run's parameters; what cannot be had yet is for its step to tell."""
        if not any(len(json.dumps(shown(value))) >= SHORTEST for value in parameters.values()):
            return
        for name in self._names:
            with suppress(OrchError):
                self._learn(await self._home.secrets([name]))

    def _learn(self, found: Mapping[str, str]) -> None:
        before = len(self._values)
        for name, value in found.items():
            if value not in self._values.values():
                self._values[name if name not in self._values else f"{name} ({before + 1})"] = value
        if len(self._values) > before:
            cut = {f"the beginning of {name}": value[:BEGINNING] for name, value in self._values.items()}
            self.masker = Masker({**cut, **self._values})
            quoted = {text for value in self._values.values() for text in (value, repr(value)[1:-1])}
            self._long = tuple(text for text in sorted(quoted) if len(text) > BEGINNING)

    # -- hiding -------------------------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """The text without secrets, and without long beginnings of them: errors quote values, and cut what is long."""
        for secret in self._long:
            text = _without_beginnings(text, secret)
        return self.masker.text(text)

    def value(self, value: Any) -> Any:  # noqa: ANN401  # any value; without a secret in it, it stays the same object
        """The value without secrets: as it is where it shows none, else as JSON would show it, masked."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        seen = shown(value)
        try:
            told = json.dumps(seen, ensure_ascii=False, default=str)
        except (ValueError, TypeError, RecursionError):  # what cannot be looked through is not shown
            return self.masker.value(seen)
        return value if self.masker.text(told) == told else self.masker.value(seen)

    def outcome(self, outcome: Outcome, returns: Sequence[Return], short: Sequence[str]) -> Outcome:
        """The outcome of an attempt without secrets; `short` are those of it that cannot be hidden."""
        kept = {one.name for one in returns if one.serializer is not None}
        outputs = {self.text(str(name)): self.value(value) for name, value in outcome.outputs.items()}
        spoilt = [name for name in kept if name in outcome.outputs and outputs.get(name) != outcome.outputs[name]]
        metadata = {self.text(str(name)): self.value(value) for name, value in outcome.metadata.items()}
        if short:
            told = [f"the secret {name} is shorter than {SHORTEST} characters, and is not masked" for name in short]
            metadata["warnings"] = [*metadata.get("warnings", ()), *told]
        error = None if outcome.error is None else self.text(outcome.error)
        outcome = replace(outcome, error=error, output=self.text(outcome.output), outputs=outputs, metadata=metadata)
        if not spoilt:
            return outcome
        told_so = f"the return {spoilt[0]} holds a secret, which is kept nowhere; make it again with recompute=True"
        return replace(outcome, failure=Failure.INVALID_OUTPUT, error=told_so, outputs={})

    def short(self, names: Sequence[str]) -> list[str]:
        """Those of these secrets that are too short to be hidden."""
        return [name for name in names if name in self.masker.ignored]

    def reporting(self, report: Reporting) -> "HidingReport":
        """The same, told without secrets."""
        return HidingReport(self, report)


def _without_beginnings(text: str, secret: str) -> str:
    """The text with a mask for each beginning of the secret that is long enough, however far it goes."""
    beginning = secret[:BEGINNING]
    at = text.find(beginning)
    while at >= 0:
        same = [a == b for a, b in zip(text[at:], secret, strict=False)]
        end = at + (same.index(False) if False in same else len(same))
        text = f"{text[:at]}{MASK}{text[end:]}"
        at = text.find(beginning, at + len(MASK))
    return text


class HidingReport:
    """Tells what it is told, without secrets."""

    __slots__ = ("_hiding", "_report")

    def __init__(self, hiding: Hiding, report: Reporting) -> None:
        """Stand in front of a report."""
        self._hiding, self._report = hiding, report

    def __call__(self, item: Any, stream: str | None) -> Awaitable[None] | None:  # noqa: ANN401  # any item
        """Pass one item on."""
        return self._report(self._hiding.value(item), stream)

    @property
    def is_ending(self) -> bool:
        """Whether the attempt is to end."""
        return self._report.is_ending

    def spent(self, usage: Usage) -> None:
        """The attempt has used so much so far."""
        self._report.spent(usage)


# -- given to functions -------------------------------------------------------------------------------------------


class _Unshown(str):
    """A secret on its way to a parameter: an error about it does not quote it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


def bound(
    signature: Signature,
    secrets: Mapping[str, str],
    find: Callable[[str], Any],
    known: Callable[[], Mapping[str, Any]],
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a function that may ask for secrets by their names; raises CannotBind."""
    own = {name: _Unshown(value) for name, value in secrets.items()}
    positional, named = signature.bind(lambda name: own[name] if name in own else find(name), known)
    return [_plain(value) for value in positional], {name: _plain(value) for name, value in named.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401  # any argument
    return str(value) if type(value) is _Unshown else value


def names_in(unit: Unit) -> list[str]:
    """All secrets that the steps inside of a unit name, each once."""
    return list(dict.fromkeys(_named(unit)))


def _named(unit: Unit) -> Iterator[str]:
    for inner in unit.composite.units.values():
        if inner.is_composite:
            yield from _named(inner)
        elif inner.around is not None:
            yield from inner.around.secrets


def missing(error: OrchError) -> Outcome:
    """The outcome of an attempt that could not be given a secret."""
    return Outcome(failure=Failure.AUTH, error=f"{error.message}{f' ({error.hint})' if error.hint else ''}")
