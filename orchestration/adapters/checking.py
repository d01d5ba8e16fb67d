"""What one field of an adapter file says about another: words that no rule gives, placeholders without a value.

Each finding is a path into the file, a sentence and a remedy. All are found, not only the first.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from orchestration.adapters.form import Form, Part, Source
from orchestration.adapters.usage import FIELDS
from orchestration.adapters.words import (
    CONDITIONAL,
    CONDITIONS,
    LISTS,
    MEANT_BY,
    OPTION,
    PLACEHOLDER,
    PLAIN,
    every_word,
)
from orchestration.graph import nearest
from orchestration.kinds import OURS_TO_SAY

FieldPath = tuple[str | int, ...]
Finding = tuple[FieldPath, str, str | None]

_CHANNEL_OF: Final = {"prompt": "argument", "prompt_file": "file"}
OURS: Final = "ORCH_"
"""Begin of the variables by which attempts know themselves, and by which what they leave behind is found."""

_VALUES: Final = ("answer", "error", "model", "turns", "agent_version")


def findings_in(form: Form) -> Iterator[Finding]:
    """Everything that does not fit together."""
    yield from _arguments(form)
    yield from _texts(form)
    yield from _defaults(form)
    yield from _words(form)
    yield from _rules(form)
    yield from _classes(form)
    yield from _usage(form)


def _arguments(form: Form) -> Iterator[Finding]:
    lists = [(("arguments",), form.arguments), *((("permission", key), one) for key, one in form.permission.items())]
    if form.own_retries_off is not None:
        lists.append((("own_retries_off", "arguments"), form.own_retries_off.arguments))
    used: set[str] = set()
    for path, parts in lists:
        yield from _conditions(form, path, parts)
        for word, known in every_word(parts):
            for name in PLACEHOLDER.findall(word):
                used.add(name)
                if name in LISTS:
                    wrong = _wrong_list(name, word, nested=path != ("arguments",))
                else:
                    wrong = _wrong_name(form, name, known)
                if wrong is not None:
                    yield (path, *wrong)
    for name, remedy in _needed(form):
        if name not in used:
            yield ("arguments",), f"{{{name}}} is nowhere, and it is needed", remedy


def _needed(form: Form) -> Iterator[tuple[str, str | None]]:
    """Placeholders that other fields promise, each with the remedy where it is missing."""
    if form.prompt.channel == "argument":
        yield "prompt", "the prompt goes by argument"
    if form.prompt.channel == "file":
        yield "prompt_file", "the prompt goes by file"
    if form.permission:
        yield "permission", 'permissions are declared: add "{permission}" as a word'
    if form.session.resume:
        yield "session", "use it in a part with `if: resume`, or write `session: {resume: false}`"
    if form.session.assigned:
        yield "new_session", "use it in a part with `unless: resume`"
    if form.own_retries_off is not None and form.own_retries_off.arguments:
        yield "own_retries_off", 'add "{own_retries_off}" as a word'


def _wrong_list(name: str, word: str, *, nested: bool) -> tuple[str, str | None] | None:
    if word != f"{{{name}}}":
        return f"{{{name}}} stands for whole words", f'write "{{{name}}}" as a word of its own'
    return (f"{{{name}}} cannot stand here", "it belongs into `arguments`") if nested else None


def _wrong_name(form: Form, name: str, known: frozenset[str]) -> tuple[str, str | None] | None:
    if name in PLAIN:
        channel = _CHANNEL_OF.get(name, form.prompt.channel)
        wrong = f"{{{name}}} is used, and the prompt goes by {form.prompt.channel}"
        return None if channel == form.prompt.channel else (wrong, None)
    condition = MEANT_BY.get(name, name)
    option = form.options.get(name.removeprefix(OPTION)) if name.startswith(OPTION) else None
    if option is None and name not in CONDITIONAL:
        every = (*PLAIN, *CONDITIONAL, *LISTS, *(OPTION + key for key in form.options))
        return f"there is no placeholder {{{name}}}", nearest(name, every) or f"known: {', '.join(sorted(every))}"
    if condition in known or (option is not None and (option.default is not None or option.required)):
        return None
    return f"{{{name}}} is not always there", f"put it into a part with `if: {condition}`"


def _conditions(form: Form, path: FieldPath, parts: Iterable[str | Part]) -> Iterator[Finding]:
    known = (*CONDITIONS, *(OPTION + key for key in form.options))
    for part in parts:
        if isinstance(part, Part):
            for name in (*part.if_, *part.unless):
                if name not in known:
                    yield path, f"there is no condition {name!r}", nearest(name, known) or f"known: {', '.join(known)}"
            if not part.if_ and not part.unless:
                yield path, "a part without a condition", "write its words without `add`, or add `if:` or `unless:`"
            yield from _conditions(form, path, part.add)


def _texts(form: Form) -> Iterator[Finding]:
    """Placeholders in variables and names of files, where no condition stands around them."""
    texts: list[tuple[FieldPath, str]] = [
        (("environment", "set", key), one) for key, one in form.environment.set.items()
    ]
    texts += [(("side_files", index, "path"), one.path) for index, one in enumerate(form.side_files)]
    for path, text in texts:
        for name in PLACEHOLDER.findall(text):
            if name.startswith(OPTION) and name.removeprefix(OPTION) in form.options:
                continue
            if name not in PLAIN - {"prompt"} and name not in CONDITIONAL:
                yield path, f"there is no placeholder {{{name}}} here", nearest(name, PLAIN | CONDITIONAL)
    for where in (("environment", "set"), ("own_retries_off", "environment")):
        for key in _variables(form, where[0]):
            if key.startswith(OURS):
                yield (*where, key), f"{key} is told by orch itself", "choose another name, or leave it out"


def _variables(form: Form, where: str) -> Iterable[str]:
    if where == "environment":
        return form.environment.set
    return form.own_retries_off.environment if form.own_retries_off is not None else ()


def _defaults(form: Form) -> Iterator[Finding]:
    for key, option in form.options.items():
        if option.choices and option.default is not None and str(option.default) not in map(str, option.choices):
            known = ", ".join(map(str, option.choices))
            yield ("options", key, "default"), f"{option.default!r} is none of the choices", f"choices: {known}"


def _words(form: Form) -> Iterator[Finding]:
    given = {rule.is_ for rule in form.events} | {one.is_ for one in form.side_files}
    for path, words in _used_words(form):
        for word in words:
            if word not in given:
                hint = nearest(word, given) or f"words given by rules: {', '.join(sorted(given)) or 'none'}"
                yield path, f"no rule of `events` gives the word {word!r}", hint


def _used_words(form: Form) -> Iterator[tuple[FieldPath, tuple[str, ...]]]:
    sources: list[tuple[FieldPath, tuple[Source, ...]]] = [((name,), getattr(form, name)) for name in _VALUES]
    sources.append((("session", "reported"), form.session.reported))
    for path, several in sources:
        for index, source in enumerate(several):
            here = (*path, index) if len(several) > 1 else path
            yield (*here, "event"), source.event
            yield (*here, "since"), source.since
    for index, usage in enumerate(form.usage):
        yield ("usage", index, "event"), usage.event
    for index, one in enumerate(form.errors):
        yield ("errors", index, "event"), one.event
        for reset in one.reset:
            yield ("errors", index, "reset"), reset.event
    for denials in form.denials:
        yield ("denials",), denials.event


def _rules(form: Form) -> Iterator[Finding]:
    settles = [rule for rule in form.events if rule.good_when is not None or rule.final == "good"]
    if form.end == "event" and not settles:
        hint = "mark its rule with `final: good` or `good_when`, or write `end: process` where there is none"
        yield ("events",), "no rule says which event is the final one", hint
    if form.answer_is == "required" and not form.answer:
        yield ("answer",), "nothing says where the answer is", "add `answer:`, or write `answer_is: optional`"
    for name in _VALUES:
        for source in getattr(form, name):
            if source.reduce == "concat_since" and not source.since:
                yield (name, "since"), "`concat_since` needs `since`: the words that begin it anew", None


def _classes(form: Form) -> Iterator[Finding]:
    for index, one in enumerate(form.errors):
        path = ("errors", index)
        if one.failure in OURS_TO_SAY:
            hint = "a failure that an agent reports is `exit_code`, or one that says more"
            yield (*path, "failure"), f"{one.failure.value} is what only orch itself can say", hint
        if not one.event and one.text is None:
            yield path, "a class that nothing fits", "give it `event` (with `match`), or `text`, or both"
        if one.match is not None and not one.event:
            yield (*path, "match"), "`match` needs `event`: the word of the event to look at", None
        for reset in one.reset:
            if (reset.after is None) == (reset.at is None):
                yield (*path, "reset"), "give `after` (a time from now) or `at` (a moment), one of them", None
            if reset.path is None and reset.text is None:
                yield (*path, "reset"), "give `path` or `text`: where the time stands", None
            if reset.path is not None and not (reset.event or one.event):
                yield (*path, "reset"), "`path` needs `event`: the word of the event to look at", None


def _usage(form: Form) -> Iterator[Finding]:
    for index, source in enumerate(form.usage):
        if all(getattr(source, name) is None for name in (*FIELDS, "cost")):
            path = ("usage", index) if len(form.usage) > 1 else ("usage",)
            yield path, "a source that counts nothing", f"give a path to {', '.join(FIELDS)} or cost"
