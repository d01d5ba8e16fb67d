"""Agents of kinds that other packages add: their own executor does the work.

Whatever it is or raises concerns the attempt that needed it, and nobody else.
"""

from orchestration import plugins
from orchestration.errors import OrchError
from orchestration.executors._ending import with_hint
from orchestration.executors._starting import refused
from orchestration.executors.returned import as_outcome
from orchestration.kinds import Failure
from orchestration.models import PluginAgent
from orchestration.protocols import Executor, Report, Work
from orchestration.results import Outcome


class PluginExecutor:
    """Has the executor of the agent's plug-in do an attempt; each is made once, when it is first needed."""

    def __init__(self) -> None:
        """Nothing is loaded."""
        self._made: dict[str, Executor] = {}

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Do one attempt; see `protocols.Executor`."""
        if not isinstance(work.agent, PluginAgent):
            raise TypeError(f"{work.agent.kind} agents are done by another executor")
        if (refusal := refused(work, f"the plug-in {work.agent.plugin} starts what it needs itself")) is not None:
            return refusal
        try:
            executor = self._executor(work.agent.plugin)
        except OrchError as error:
            return Outcome(failure=Failure.AGENT_MISSING, error=with_hint(error.message, error.hint))
        return as_outcome(await executor.execute(work, report), f"the executor of the plug-in {work.agent.plugin}")

    def _executor(self, name: str) -> Executor:
        if name not in self._made:
            plugin = plugins.find(plugins.EXECUTORS, name)
            if plugin is None:
                hint = f"install the package that gives {plugins.EXECUTORS} the name {name}"
                raise plugins.BrokenPlugin(f"there is no plug-in {name} in {plugins.EXECUTORS}", hint=hint)
            found = plugins.made(plugin)
            if not callable(getattr(found, "execute", None)):
                raise plugins.BrokenPlugin(f"{plugin.told} makes no executor: it has no `execute`")
            self._made[name] = found
        return self._made[name]
