"""`kind: scripted` as an agent program: the one that ships, given its script by a file in the attempt's folder."""

from pathlib import Path

from orchestration.errors import UsageError
from orchestration.models import CliAgent, ScriptedAgent
from orchestration.protocols import Work
from orchestration.scripted import SCRIPT_FILE, BadScript, document, program

PRESET = "scripted"


def as_program(work: Work) -> CliAgent:
    """The agent as a program.

    Raises:
        UsageError: its script makes no sense, or is a file that cannot be found.
    """
    agent = work.agent
    if isinstance(agent, CliAgent):
        return agent
    if not isinstance(agent, ScriptedAgent):
        raise TypeError(f"{agent.kind} agents are done by another executor")
    common = {name: getattr(agent, name) for name in ("timeout", "idle_timeout", "kill_grace", "account")}
    options: dict[str, str | int | float | bool] = {"script": str(_script(agent, work)), "seed": agent.seed}
    return CliAgent(preset=PRESET, program=program(), permission="all", options=options, **common)


def _script(agent: ScriptedAgent, work: Work) -> Path:
    if agent.file is not None:
        path = work.directory / agent.file
        if not path.is_file():
            raise UsageError(f"the script of agent {work.agent_name} does not exist: {agent.file}")
        return path
    work.folder.mkdir(parents=True, exist_ok=True)
    path = work.folder / SCRIPT_FILE
    try:
        path.write_text(document(list(agent.script), agent.seed), encoding="utf-8")
    except BadScript as error:
        raise UsageError(f"the script of agent {work.agent_name} makes no sense: {error}") from error
    return path
