"""A task for an agent program → exactly what is to be started: words, standard input, variables, files.

Everything that makes a start impossible (a prompt over the program's limit, an option it does not declare, a
permission it does not offer) is found here, before anything runs. What was asked for and cannot be had without
harm (a turn limit the program does not know, going on with a session it cannot resume) is a warning.
"""

from collections.abc import Mapping
from dataclasses import field
from pathlib import PurePath
from typing import Final

from orchestration.adapters.form import LONGEST_ARGUMENT, Form, Option, OwnRetriesOff, Scalar
from orchestration.adapters.words import OPTION, every_word, expand, filled
from orchestration.errors import LaunchError, Problem
from orchestration.graph import nearest
from orchestration.models import CliAgent
from orchestration.records import dataclass

PROMPT_FILE: Final = "prompt-for-agent.md"
"""Name of the prompt's file in the attempt's folder, for programs that read it from one."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is known before a start.

    `folder` is the attempt's own, `home` where the user's settings are; `session` is the one to go on with, if any;
    `new_session` a fresh UUID for programs that are told what to call a session; `own_retries` whether the program
    may repeat refused requests by itself.
    """

    prompt: str
    workspace: str
    folder: str
    home: str
    agent: CliAgent
    session: str | None = None
    new_session: str = ""
    own_retries: bool = True


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is to be started.

    `environment` is to be set, `pass_names` may pass from the caller; `prompt_file` (path, text) is to be written
    first; `side_files` are to be read at the end; `resumed` and `assigned` are the session that it goes on with, and
    the one that it was told to open.
    """

    argv: tuple[str, ...]
    stdin: bytes | None = None
    prompt_file: tuple[str, str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_names: tuple[str, ...] = ()
    side_files: tuple[str, ...] = ()
    program: str = ""
    alternatives: tuple[str, ...] = ()
    version_argv: tuple[str, ...] = ()
    resumed: str | None = None
    assigned: str | None = None
    warnings: tuple[str, ...] = ()


def invocation_of(form: Form, name: str, launch: Launch) -> Invocation:
    """Decide what is to be started.

    Raises:
        LaunchError: it cannot be started as asked; `problems` lists every reason.
    """
    agent = launch.agent
    options, _ = _options(form, agent.options)
    wrong = [text for _, text in wrong_settings(form, agent)] + _wrong_prompt(form, launch.prompt)
    if wrong:
        raise _refused(name, wrong)
    resumed = launch.session if launch.session and form.session.resume and not _is_option(launch.session) else None
    values = _values(launch, resumed, options)
    silence = None if launch.own_retries else form.own_retries_off
    words, silencing = _words(form, launch, values, silence)
    program = agent.program or (form.program.name,)
    argv = (*program, *words)
    if unfit := [f"word {n} of the command line {why}" for n, word in enumerate(argv) if (why := _unfit(word))]:
        raise _refused(name, unfit)
    environment = form.environment.set | (silence.environment if silence else {})
    is_silent = bool(silencing or (silence and silence.environment))
    return Invocation(
        argv=argv,
        stdin=launch.prompt.encode("utf-8", "replace") if form.prompt.channel == "stdin" else None,
        prompt_file=(values["prompt_file"] or "", launch.prompt) if form.prompt.channel == "file" else None,
        environment={key: filled(text, values) for key, text in environment.items()},
        pass_names=form.environment.pass_,
        side_files=tuple(filled(one.path, values) for one in form.side_files),
        program=program[0],
        alternatives=() if agent.program else form.program.alternatives,
        version_argv=(*program, *form.version.arguments) if form.version.arguments else (),
        resumed=resumed,
        assigned=launch.new_session or None if form.session.assigned and resumed is None else None,
        warnings=tuple(_warnings(form, launch, is_silent=is_silent)),
    )


def wrong_settings(form: Form, agent: CliAgent) -> list[tuple[str, str]]:
    """What an agent is set to that its adapter does not know: the field, and what is wrong with it."""
    wrong = [("options", text) for text in _options(form, agent.options)[1]]
    return wrong + [("permission", text) for text in _wrong_permission(form, agent)]


def _words(
    form: Form, launch: Launch, values: Mapping[str, str | None], silence: OwnRetriesOff | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words after the program's name, and those among them that switch its own retries off."""
    agent = launch.agent
    holds = {
        "model": agent.model is not None,
        "resume": values["session"] is not None,
        "max_turns": agent.max_turns is not None,
        "max_cost_usd": agent.max_cost_usd is not None,
        "own_retries_off": silence is not None,
        **{key: value not in {None, "false"} for key, value in values.items() if key.startswith(OPTION)},
    }
    silencing = tuple(expand(silence.arguments if silence else (), holds, values, {}))
    lists = {
        "args": agent.args,
        "own_retries_off": silencing,
        "permission": tuple(expand(form.permission.get(agent.permission, ()), holds, values, {})),
    }
    words = tuple(expand(form.arguments, holds, values, lists))
    has_place = any(word == "{args}" for word, _ in every_word(form.arguments))
    return words if has_place else (*words, *agent.args), silencing


def _values(launch: Launch, resumed: str | None, options: Mapping[str, Scalar | None]) -> dict[str, str | None]:
    agent = launch.agent
    return {
        "model": agent.model,
        "session": resumed,
        "new_session": launch.new_session,
        "workspace": launch.workspace,
        "folder": launch.folder,
        "home": launch.home,
        "prompt": launch.prompt,
        "prompt_file": str(PurePath(launch.folder) / PROMPT_FILE),
        "max_turns": None if agent.max_turns is None else str(agent.max_turns),
        "max_cost_usd": None if agent.max_cost_usd is None else f"{agent.max_cost_usd:.6f}".rstrip("0").rstrip("."),
        **{OPTION + key: _text(value) for key, value in options.items()},
    }


def _text(value: Scalar | None) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _options(form: Form, given: Mapping[str, Scalar]) -> tuple[dict[str, Scalar | None], list[str]]:
    wrong = []
    for key in given:
        if key not in form.options:
            known = ", ".join(form.options) or "it has none"
            wrong.append(f"unknown option {key!r} ({nearest(key, form.options) or f'known: {known}'})")
    chosen = {key: given.get(key, option.default) for key, option in form.options.items()}
    wrong += [text for key, option in form.options.items() if (text := _wrong_option(key, option, chosen[key]))]
    return chosen, wrong


def _wrong_option(key: str, option: Option, value: Scalar | None) -> str | None:
    if value is None:
        return f"option {key!r} is needed" if option.required else None
    if option.choices and _text(value) not in {_text(choice) for choice in option.choices}:
        return (
            f"option {key!r} must be one of {', '.join(str(_text(one)) for one in option.choices)}; got {value!r:.60}"
        )
    return None


def _wrong_prompt(form: Form, prompt: str) -> list[str]:
    limit, unit = form.prompt.limit, form.prompt.unit
    size = len(prompt) if unit == "characters" else len(prompt.encode("utf-8", "replace"))
    if limit is not None and size > limit:
        return [f"the prompt has {size:,} {unit}, and this agent takes {limit:,}"]
    if form.prompt.channel == "argument" and len(prompt.encode("utf-8", "replace")) > LONGEST_ARGUMENT:
        return [f"the prompt has {size:,} {unit}, and a word of a command line can have {LONGEST_ARGUMENT:,} bytes"]
    return []


def _wrong_permission(form: Form, agent: CliAgent) -> list[str]:
    if agent.permission in form.permission:
        return []
    if not form.permission and "permission" not in agent.model_fields_set:
        return []  # nobody asked for one
    offered = ", ".join(form.permission) or "it has no choice of them"
    return [f"permission {agent.permission!r} is not offered by this agent (offered: {offered})"]


def _unfit(word: str) -> str | None:
    if "\0" in word:
        return "holds a NUL character, which no program takes"
    size = len(word.encode("utf-8", "surrogateescape" if word.isprintable() else "replace"))
    return f"has {size:,} bytes; the limit is {LONGEST_ARGUMENT:,}" if size > LONGEST_ARGUMENT else None


def _warnings(form: Form, launch: Launch, *, is_silent: bool) -> list[str]:
    agent = launch.agent
    written = " ".join(word for word, _ in every_word((*form.arguments, *form.environment.set.values())))
    found = [
        f"this agent has no setting for {name}; it is not told"
        for name in ("model", "max_turns", "max_cost_usd")
        if getattr(agent, name) is not None and f"{{{name}}}" not in written
    ]
    if launch.session and not form.session.resume:
        found.append("this agent cannot go on with a session; it starts afresh")
    elif launch.session and _is_option(launch.session):
        found.append(f"the session {launch.session!r:.80} would be read as an option; it starts afresh")
    if not launch.own_retries and not is_silent:
        found.append("this agent's own retries cannot be switched off")
    return found


def _is_option(session: str) -> bool:
    """Whether a session, which the agent itself has named, would be taken for something else among its arguments."""
    return session.startswith("-")


def _refused(name: str, wrong: list[str]) -> LaunchError:
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return LaunchError(f"{name} cannot be started: {wrong[0]}{more}", problems=[Problem(text) for text in wrong])
