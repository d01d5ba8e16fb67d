"""`orchestration.yaml` → settings, as far as they can be used.

One wrong key must not hide what is wrong with the tasks, so wrong keys are left out and the rest is used; names of
agents that were wrong are remembered, so that tasks which name them are not reported as well.
"""

import os
from dataclasses import field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestration import plugins
from orchestration.graph import nearest
from orchestration.loading.backends import wrong_backends
from orchestration.loading.findings import Finding, Refused
from orchestration.loading.given import given
from orchestration.loading.reading import read_text
from orchestration.loading.scalars import numbers_in
from orchestration.loading.scripts import with_scripts
from orchestration.loading.unavailable import ignored_in
from orchestration.loading.unknown import unknown_in_settings
from orchestration.loading.walking import SETTINGS_FILE
from orchestration.loading.wording import findings_of
from orchestration.loading.yamlerrors import NotYaml
from orchestration.loading.yamltext import Document, parse
from orchestration.models import BUILT_IN_AGENTS, KINDS, HybridAgent, PluginAgent, Settings
from orchestration.records import dataclass

_OTHER_NAMES = ("orchestration.yml", "orchestration.json", "orchestration.toml")


@dataclass(slots=True)
class SettingsCatch:
    """What the settings file gave; `names_tasks` says whether it names places of tasks, which then have to exist."""

    settings: Settings = field(default_factory=Settings)
    findings: list[Finding] = field(default_factory=list)
    lost_agents: set[str] = field(default_factory=set)
    knows_agents: bool = True
    names_tasks: bool = False


def read_settings(root: Path) -> SettingsCatch:
    """Read the settings of the project at `root`; whatever is wrong with them is in the answer."""
    if not os.path.lexists(root / SETTINGS_FILE):
        return SettingsCatch(findings=_misnamed(root))
    catch = _read(root)
    catch.findings += _misnamed(root)
    return catch


def _read(root: Path) -> SettingsCatch:
    try:
        document = settings_document(root)
    except Refused as refused:
        return SettingsCatch(findings=[refused.finding], knows_agents=False)
    data = {} if document.value is None else document.value
    if not isinstance(data, dict):
        hint = "for example `max_concurrent: 3`"
        what = Finding("the settings have to be `key: value` lines", SETTINGS_FILE, hint, document.line_of(()))
        return SettingsCatch(findings=[what], knows_agents=False)
    catch = _checked(_given(data))
    catch.settings, wrong = with_scripts(root, catch.settings)
    wrong += wrong_backends(catch.settings)
    if any(agent.kind == "cli" for agent in catch.settings.agents.values()):
        from orchestration.loading.adapters import wrong_adapters  # noqa: PLC0415  # only who has such agents pays

        wrong += wrong_adapters(root, catch.settings)
    catch.findings += [finding if finding.file else finding.within(SETTINGS_FILE, ()) for finding in wrong]
    return catch


def settings_document(root: Path, *, every_line: bool = False) -> Document:
    """The settings as plain values.

    Raises:
        Refused: the file cannot be read or is no YAML.
    """
    try:
        return parse(read_text(str(root / SETTINGS_FILE), SETTINGS_FILE), every_line=every_line)
    except NotYaml as error:
        raise Refused(Finding(error.message, SETTINGS_FILE, error.hint, error.line)) from error


def _checked(data: dict[str, Any]) -> SettingsCatch:
    catch = SettingsCatch()
    catch.findings += unknown_in_settings(data)
    size = -1
    while size != _size(data):  # as long as something that was wrong could be left out
        size = _size(data)
        try:
            catch.settings = Settings.model_validate(data)
            break
        except ValidationError as error:
            for finding in findings_of(error, data):
                catch.findings.append(_leave_out(finding, data, catch))
    for name, agent in catch.settings.agents.items():
        catch.findings += [ignored.within(SETTINGS_FILE, ("agents", name)) for ignored in ignored_in(agent)]
    catch.names_tasks = "tasks" in data
    catch.findings += [*_default_that_is_disabled(catch.settings), *_parts_that_are_disabled(catch.settings)]
    catch.findings = [finding.within(SETTINGS_FILE, ()) for finding in catch.findings]
    return catch


def _size(data: dict[str, Any]) -> int:
    agents = data.get("agents")
    return len(data) + (len(agents) if isinstance(agents, dict) else 0)


def _leave_out(finding: Finding, data: dict[str, Any], catch: SettingsCatch) -> Finding:
    """Take the wrong part out of the data, so that the rest can be checked again."""
    key, *inner = map(str, finding.path or ("default_agent",))  # what no field is blamed for is about that one
    agents = data.get("agents")
    if key == "agents" and inner and isinstance(agents, dict):
        catch.lost_agents.add(inner[0])
        data["agents"] = {name: agent for name, agent in agents.items() if name != inner[0]}
        return finding
    wrong = data.pop(key, None)
    if key == "agents":
        catch.knows_agents = False
    if finding.path:
        return finding
    known = [*BUILT_IN_AGENTS, *(agents if isinstance(agents, dict) else ()), *catch.lost_agents]
    hint = nearest(str(wrong), known) or f"known agents: {', '.join(known)}"
    return Finding(finding.message, hint=hint, path=(key,))


def _default_that_is_disabled(settings: Settings) -> list[Finding]:
    name = settings.default_agent
    agent = settings.agents.get(name) if name else None
    if agent is None or agent.enabled:
        return []
    what = f"default_agent {name!r} is disabled"
    return [Finding(what, hint="enable it, or name another one", path=("default_agent",), grave=False)]


def _parts_that_are_disabled(settings: Settings) -> list[Finding]:
    """What a hybrid agent or a fallback counts on has to be enabled when it is its turn."""
    agents = settings.agents
    found = [
        (name, other)
        for name, agent in agents.items()
        for other in (*(agent.members if isinstance(agent, HybridAgent) else ()), agent.fallback)
        if other in agents and not agents[other].enabled
    ]
    return [
        Finding(f"{name} counts on {other}, which is disabled", hint="enable it", path=("agents", name), grave=False)
        for name, other in found
    ]


def _given(data: dict[str, Any]) -> dict[str, Any]:
    """The settings that have a value; numbers are numbers where anything may stand."""
    found = given(data)
    if "parameters" in found:
        found["parameters"] = numbers_in(found["parameters"])
    if isinstance(agents := found.get("agents"), dict):
        found["agents"] = {name: _agent(given(one)) if isinstance(one, dict) else one for name, one in agents.items()}
    return found


def _agent(written: dict[str, Any]) -> dict[str, Any]:
    """An agent; one whose kind we do not have may be of a kind that another package gives."""
    kind = written.get("kind")
    if not isinstance(kind, str) or kind in KINDS or plugins.find(plugins.EXECUTORS, kind) is None:
        return written
    return PluginAgent.of_kind(kind, written)


def _misnamed(root: Path) -> list[Finding]:
    return [
        Finding(f"is not read; the settings are in {SETTINGS_FILE}", name, f"rename it to {SETTINGS_FILE}", grave=False)
        for name in _OTHER_NAMES
        if os.path.lexists(root / name)
    ]
