"""What can only be seen when all tasks are known: ids, dependencies, cycles, agents, pools.

One mistake is reported once: a task whose file is broken still counts as known to those who depend on it, and a cycle
is looked for only among dependencies that exist.
"""

from collections.abc import Iterable, Iterator, Sequence

from orchestration import plugins
from orchestration.errors import GraphError
from orchestration.graph import MAX_HINTS, Graph, cycle_problem, cycles, nearest
from orchestration.loading.findings import FieldPath, Finding
from orchestration.loading.settings import SettingsCatch
from orchestration.loading.taskcheck import wrong_templates
from orchestration.models import BUILT_IN_AGENTS, ShellAgent, Task
from orchestration.records import dataclass


@dataclass(frozen=True, slots=True)
class Placed:
    """A task, and where it was written; one that is not whole is looked at, and is not in the backlog."""

    task: Task
    file: str
    line: int
    path: FieldPath
    is_whole: bool = True

    @property
    def place(self) -> str:
        """File and line, for messages about another task."""
        return f"{self.file}:{self.line}"

    def finding(self, message: str, hint: str | None, *path: str | int, grave: bool = True) -> Finding:
        """Something wrong with a field of this task."""
        return Finding(message, self.file, hint, None, (*self.path, *path), grave)


def unique(placed: Sequence[Placed]) -> tuple[list[Placed], list[Finding]]:
    """The first task of each id, and what is wrong with the others."""
    first: dict[str, Placed] = {}
    folded: dict[str, Placed] = {}
    findings = []
    for one in placed:
        task_id = one.task.id
        other = first.setdefault(task_id, one)
        if other is not one:
            what = f"the id {task_id} is given twice; it is also at {other.place}"
            findings.append(one.finding(what, "ids are unique; change one of them", "id"))
        elif (twin := folded.setdefault(task_id.lower(), one)) is not one:
            what = f"the id {task_id} differs from {twin.task.id} ({twin.place}) only in upper and lower case"
            hint = "on some file systems their folders would be one; change one of them"
            findings.append(one.finding(what, hint, "id", grave=False))
    return list(first.values()), findings


def wrong_dependencies(placed: Sequence[Placed], lost: Iterable[str]) -> Iterator[Finding]:
    """Dependencies on tasks that do not exist; `lost` are ids in files that could not be read."""
    ids = {one.task.id for one in placed}
    known = ids.union(lost)
    hinted = 0
    for one in placed:
        for i, need in enumerate(one.task.depends_on):
            if need not in known:
                hint = None
                if "," in need or " " in need.strip():
                    hint = "write several dependencies as a list: [A, B]"
                elif hinted < MAX_HINTS:
                    hint = nearest(need, ids)
                    hinted += 1
                what = f"{one.task.id} depends on {need:.100}, which does not exist"
                yield one.finding(what, hint or "remove it, or add that task", "depends_on", i)


def graph_of(placed: Sequence[Placed]) -> tuple[Graph, list[Finding]]:
    """The graph of the tasks, without dependencies that cannot be, and the cycles that were found."""
    index = {one.task.id: i for i, one in enumerate(placed)}
    needs = [[need for need in one.task.depends_on if need in index] for one in placed]
    ids = list(index)
    try:
        return Graph.build(list(zip(ids, needs, strict=True))), []
    except GraphError:
        findings = []
        for cycle in cycles([[index[need] for need in wanted] for wanted in needs]):
            problem = cycle_problem([ids[i] for i in cycle])
            findings.append(placed[cycle[0]].finding(problem.message, problem.hint, "depends_on"))
        earlier = [
            [need for need in wanted if index[need] < i] for i, wanted in enumerate(needs)
        ]  # so no cycle is left
        return Graph.build(list(zip(ids, earlier, strict=True))), findings


def wrong_names(placed: Iterable[Placed], catch: SettingsCatch) -> Iterator[Finding]:
    """Agents and pools that tasks name though the settings do not have them."""
    agents = {**BUILT_IN_AGENTS, **catch.settings.agents}
    pools = catch.settings.pools
    for one in placed:
        name = one.task.agent
        if name is not None and catch.knows_agents and name not in catch.lost_agents:
            agent = agents.get(name)
            if agent is None and plugins.find(plugins.AGENTS, name) is not None:
                continue
            if agent is None:
                known = [*agents, *plugins.names(plugins.AGENTS)]
                hint = nearest(name, known) or f"known agents: {', '.join(known)}"
                yield one.finding(f"there is no agent {name[:80]!r}", hint, "agent")
            elif not agent.enabled:
                what = f"the agent {name!r} is disabled"
                yield one.finding(what, "enable it in orchestration.yaml, or name another agent", "agent")
        for i, pool in enumerate(one.task.uses):
            if pool not in pools and catch.knows_agents:
                hint = nearest(pool, pools) or f"add it to orchestration.yaml: `pools: {{{pool:.80}: 1}}`"
                yield one.finding(f"there is no pool {pool[:80]!r}", hint, "uses", i)


def wrong_texts(placed: Iterable[Placed], catch: SettingsCatch) -> Iterator[Finding]:
    """Conditions and templates of tasks that cannot be read, and commands that are not there."""
    agents = {**BUILT_IN_AGENTS, **catch.settings.agents}
    for one in placed:
        for finding in wrong_templates(one.task, agents):
            yield finding.within(one.file, one.path)
        agent = agents.get(one.task.agent or "")
        runs_description = isinstance(agent, ShellAgent) and agent.enabled and agent.command is None
        if runs_description and one.is_whole and not one.task.description.strip():
            what = f"there is nothing to run: the agent {one.task.agent} has no command, and there is no description"
            hint = "write the command as the task's description"
            yield one.finding(what, hint, "agent", grave=False)  # somebody else may be named when it is run
