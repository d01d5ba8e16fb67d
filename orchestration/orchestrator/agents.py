"""What can be said of agents before they are given work: what is installed, which version, what is missing.

Nothing is started but the programs' own `--version`, unless a probe is asked for: then each agent does a trivial task
in a folder that is gone afterwards, started in every respect as for a real one. Of keys only names are told. Edges
survived: an adapter file that is wrong, options that the adapter does not have, a program that says nothing of its
version, an extra that is not installed, a probe that hangs.
"""

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Final, TypeAlias

from orchestration.adapters import Adapter, Launch
from orchestration.attempts import Assignment, Place
from orchestration.binding import CannotAsk, binding_for, endpoint_for, key_variable
from orchestration.errors import OrchError
from orchestration.executor import Planned, Surroundings, assemble, limits_for
from orchestration.executors._versions import Versions, program_of
from orchestration.kinds import Failure
from orchestration.models import (
    Agent,
    ApiAgent,
    CliAgent,
    HybridAgent,
    PythonAgent,
    ScriptAgent,
    Settings,
    ShellAgent,
    Task,
)
from orchestration.process import child_environment
from orchestration.process.command_line import command_line
from orchestration.records import dataclass
from orchestration.registry import AgentRegistry
from orchestration.results import Outcome, Usage

PROBE_TIMEOUT: Final = 120.0
"""Seconds for the trivial task; an agent that needs more for one word is not ready for work."""

PROBE: Final = "Answer with the single word `ready`. Do not use any tool, and do not change any file."

_KEY_WORDS: Final = ("KEY", "TOKEN", "SECRET")
_PROBED: Final = frozenset({"cli", "api", "scripted"})

PlaceOf: TypeAlias = Callable[[str, Path], Place]


@dataclass(frozen=True, slots=True)
class AgentCheck:
    """What was found out about one agent.

    `used_by` are the tasks that it would do, also as a part or stand-in of another agent; `path` is where its program
    is, `tested` the range of versions that its adapter is known to fit, `in_range` whether it is in there (None where
    nobody knows). `keys` says of each variable with a key of the agent whether it is set. `problems` keep it from
    working, `missing` says that one of them is that something is not installed; `remarks` do not.
    """

    name: str
    agent: Agent
    used_by: tuple[str, ...] = ()
    program: str | None = None
    path: str | None = None
    version: str | None = None
    tested: str | None = None
    in_range: bool | None = None
    keys: Mapping[str, bool] | None = None
    missing: bool = False
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    probe: Outcome | None = None

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON."""
        told = ("program", "path", "version", "tested", "in_range", "missing")
        return {
            "name": self.name,
            "kind": self.agent.kind,
            "enabled": self.agent.enabled,
            "used_by": list(self.used_by),
            **{name: getattr(self, name) for name in told},
            "keys": dict(self.keys or {}),
            "problems": list(self.problems),
            "remarks": list(self.remarks),
            "probe": None if self.probe is None else self.probe.to_dict(),
        }


class Inspector:
    """Looks at the agents of one project.

    Args:
        registry: who there is.
        surroundings: finds adapters.
        place: where a probe happens, given an id and a folder for its files.
    """

    def __init__(self, registry: AgentRegistry, surroundings: Surroundings, place: PlaceOf) -> None:
        """Nothing is looked at yet."""
        self._registry = registry
        self._surroundings = surroundings
        self._settings: Settings = surroundings.settings
        self._place = place

    async def check(
        self, names: Sequence[str], used: Mapping[str, Assignment], *, probe: bool = False
    ) -> list[AgentCheck]:
        """Look at the named agents, or at all.

        Args:
            names: which; all, disabled ones too, without any.
            used: who does each task.
            probe: have each do a trivial task.

        Raises:
            UnknownAgent: an agent that is named does not exist or is disabled.
        """
        chosen = {name: self._registry.get(name) for name in names} or dict(self._registry.items())
        users = self._users(used)
        with tempfile.TemporaryDirectory(prefix="orch-") as folder:
            place = self._place("probe", Path(folder))
            versions = Versions(place.children)
            found = []
            for name, agent in chosen.items():
                check = AgentCheck(name, agent, tuple(users.get(name, ())))
                check = await self._looked_at(check, place, versions)
                wanted = probe and agent.enabled and agent.kind in _PROBED and not check.problems
                if wanted and (names or check.used_by):
                    check = await self._probed(check, place, Path(folder))
                found.append(check)
        return found

    def _users(self, used: Mapping[str, Assignment]) -> dict[str, list[str]]:
        """For each agent the tasks that may come to it."""
        users: dict[str, list[str]] = {}
        for task_id, assignment in used.items():
            todo, seen = [assignment.agent_name], set[str]()
            while todo:
                name = todo.pop()
                if name in seen or name not in self._registry:
                    continue
                seen.add(name)
                users.setdefault(name, []).append(task_id)
                agent = dict(self._registry.items())[name]
                todo += agent.members if isinstance(agent, HybridAgent) else ()
                todo += [agent.fallback] if agent.fallback else ()
        return users

    # -- looking ------------------------------------------------------------------------------------------------

    async def _looked_at(self, check: AgentCheck, place: Place, versions: Versions) -> AgentCheck:
        agent = check.agent
        if isinstance(agent, CliAgent):
            return _elsewhere(await self._program(check, agent, place, versions), place.backend_of(agent))
        if isinstance(agent, ApiAgent):
            return self._service(check, agent, place)
        if isinstance(agent, ScriptAgent):
            return _elsewhere(_script(check, agent.command[0], place), place.backend_of(agent))
        if isinstance(agent, ShellAgent):
            words = command_line(agent.command or "")[:1]
            return _elsewhere(_script(check, words[0], place) if words else check, place.backend_of(agent))
        if isinstance(agent, PythonAgent) and isinstance(agent.function, str):
            return _elsewhere(self._called(check, agent, agent.function, place), place.backend_of(agent))
        return check

    async def _program(self, check: AgentCheck, agent: CliAgent, place: Place, versions: Versions) -> AgentCheck:
        try:
            adapter = self._surroundings.adapter_for(agent)
            launch = Launch("", str(place.directory), str(place.state), place.environment.get("HOME", ""), agent)
            invocation = adapter.invocation(launch)
        except OrchError as error:
            problems = [str(problem) for problem in error.problems] or [str(error)]
            return replace(check, problems=tuple(f"its adapter cannot be used: {one}" for one in problems))
        environment = {**self._environment(check.name, agent, place), **invocation.environment}
        program, path = program_of(invocation, environment, place.directory)
        version = await versions.of(path, invocation, adapter, environment)
        return replace(
            check,
            program=program,
            path=path,
            version=version,
            tested=adapter.form.version.tested,
            in_range=adapter.is_tested(version) if version else None,
            keys={name: bool(environment.get(name)) for name in _keys_of(adapter)},
            missing=path is None,
            problems=() if path else (f"the program {program!r} is not there",),
            remarks=(*invocation.warnings, *_about_version(adapter, path, version)),
        )

    def _service(self, check: AgentCheck, agent: ApiAgent, place: Place) -> AgentCheck:
        environment = self._environment(check.name, agent, place)
        binding = binding_for(check.name, agent, self._settings.api)
        key = key_variable(binding)
        keys = {} if key is None else {key: bool(environment.get(key, "").strip())}
        problems = []
        try:
            endpoint_for(check.name, binding, environment)
        except CannotAsk as error:
            problems.append(error.message)
        missing = importlib.util.find_spec("pydantic_ai") is None
        if missing:
            problems.append("asking models directly needs the extra `api` (pip install 'orch-tasks[api]')")
        return replace(check, program=binding.provider, keys=keys, missing=missing, problems=tuple(problems))

    def _called(self, check: AgentCheck, agent: PythonAgent, function: str, place: Place) -> AgentCheck:
        """Whether its package is there; what is in it would have to be executed to be known."""
        package = function.partition(":")[0].partition(".")[0]
        told = self._environment(check.name, agent, place).get("PYTHONPATH", "").split(os.pathsep)
        folders = [str(place.directory), *(str(place.directory / one) for one in told if one)]
        if PathFinder.find_spec(package, folders) or package in sys.modules or importlib.util.find_spec(package):
            return check
        return replace(check, missing=True, problems=(f"there is no module {package}, of which {function} would be",))

    def _environment(self, name: str, agent: Agent, place: Place) -> dict[str, str]:
        """What the agent may see, as far as that can be said without a task; of named secrets only that they come."""
        passed = (*self._settings.pass_env, *agent.pass_env, *place.own_names(name, agent), *agent.secrets)
        sources = {secret: "set" for secret in agent.secrets if secret in self._settings.secrets}
        return child_environment(place.environment, passed, {**self._settings.env, **agent.env, **sources})

    # -- probing ------------------------------------------------------------------------------------------------

    async def _probed(self, check: AgentCheck, place: Place, folder: Path) -> AgentCheck:
        """One attempt at a trivial task; no retry, and nothing of it is kept."""
        workspace = folder / "workspace" / check.name
        workspace.mkdir(parents=True)
        place = replace(place, directory=workspace, state=folder / "state" / check.name, instructions_for=_no_words)
        task = Task(id="probe", title="Say that you are ready", description=PROBE, timeout=PROBE_TIMEOUT)
        planned = Planned("probe", Assignment(task, check.name, check.agent))
        run = assemble("probe", [planned], place, limits=limits_for(self._registry, self._settings))
        outcome = await run.crew.perform("probe", 1, 0, _Silent())
        assert isinstance(outcome, Outcome)  # noqa: S101  # hybrid agents are not probed; this tells the type checker
        problems = () if outcome.succeeded else (f"the probe failed: {_said(outcome)}",)
        missing = outcome.failure is Failure.AGENT_MISSING
        return replace(check, probe=outcome, problems=problems, missing=missing)


class _Silent:
    """Hears what a probe says, and keeps nothing of it."""

    def __call__(self, item: Any, stream: str | None) -> None:  # noqa: ANN401  # any item
        """Nobody is told."""

    @property
    def is_ending(self) -> bool:
        """Nobody ends it but its own limits."""
        return False

    def spent(self, usage: Usage) -> None:
        """The outcome has it all."""


def _no_words(_: str, __: Agent) -> str:
    return ""


def _keys_of(adapter: Adapter) -> Iterator[str]:
    return (name for name in adapter.form.environment.pass_ if any(word in name for word in _KEY_WORDS))


def _about_version(adapter: Adapter, path: str | None, version: str | None) -> Iterator[str]:
    asked, tested = adapter.form.version.arguments, adapter.form.version.tested
    if path is not None and version is None and asked:
        yield "it does not say its version"
    elif version is not None and adapter.is_tested(version) is False:
        yield f"version {version} is not among those that the adapter was tested with ({tested})"


def _script(check: AgentCheck, program: str, place: Place) -> AgentCheck:
    named = str(place.directory / program) if "/" in program else program
    path = shutil.which(named, path=place.environment.get("PATH"))
    problems = () if path else (f"the program {program!r} is not there, or cannot be executed",)
    return replace(check, program=program, path=path, missing=path is None, problems=problems)


def _elsewhere(check: AgentCheck, backend: str | None) -> AgentCheck:
    """What is not installed here keeps nobody from working elsewhere."""
    if backend is None:
        return check
    told = f"its attempts run on the backend {backend}, where nothing was looked at"
    if not check.missing:
        return replace(check, remarks=(*check.remarks, told))
    return replace(check, missing=False, problems=(), remarks=(*check.remarks, *check.problems, told))


def _said(outcome: Outcome) -> str:
    kind = outcome.failure.value if outcome.failure else "it asks a person"
    first = next(iter((outcome.error or "").strip().splitlines()), "")
    return f"{kind}: {first}" if first else kind
