"""The backend `nice`: has the commands of attempts run at a low priority, so that others can work meanwhile.

`--backend nice` gives way by 10, `--backend nice:19` as far as possible.
"""

from dataclasses import replace

from orchestration.backends import Wrapping
from orchestration.errors import UsageError
from orchestration.protocols import Start, Work


class NiceBackend(Wrapping):
    """Puts `nice` in front of each command; made once, with what stands behind the colon, if something does."""

    def __init__(self, address: str = "10") -> None:
        """An address that makes no sense is told to whoever has written it."""
        if not address.isdecimal() or not 1 <= int(address) <= 19:  # noqa: PLR2004  # as far as nice goes
            raise UsageError(f"nice:{address} is no priority", hint="from nice:1 to nice:19")
        self._by = address

    def command(self, work: Work, start: Start) -> Start:  # noqa: ARG002  # the same for all work
        """The same command, which gives way to others."""
        return replace(start, argv=("nice", "-n", self._by, *start.argv))
