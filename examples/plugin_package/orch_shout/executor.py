"""The kind of agents `shout`: says the text of its task in capitals, with as many marks as its options say."""

from orchestration.kinds import Failure
from orchestration.models import PluginAgent
from orchestration.protocols import Report, Work
from orchestration.results import Outcome


class ShoutExecutor:
    """Does one attempt at a time; made once, without arguments, when the first agent of this kind is needed."""

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Say it, word by word, as live output; a text without words is a failed attempt, not an exception."""
        words = work.task.description.upper().split()
        if not words:
            return Outcome(failure=Failure.NO_OUTPUT, error="there is nothing to be said")
        for word in words:
            waits = report(word, None)
            if waits is not None:
                await waits
        options = work.agent.options if isinstance(work.agent, PluginAgent) else {}
        said = " ".join(words) + "!" * int(options.get("marks", 1))
        return Outcome(output=said, outputs={"said": said})
