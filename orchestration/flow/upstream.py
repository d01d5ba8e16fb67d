"""Who stands above whom in a flow, for questions about steps that are not waited for directly.

One number for each step has a bit for each of all steps: those above it. It is made of the numbers of the steps that it
waits for, by one operation each, so that ten thousand steps in a chain take milliseconds and some megabytes; and it is
made when somebody asks for the first time, as in most flows nobody does.
"""

from collections.abc import Iterator

from orchestration.graph import Graph


class Upstream:
    """The steps above each step of one flow, as bits by the order in which they are declared."""

    __slots__ = ("_bits", "_graph")

    def __init__(self, graph: Graph) -> None:
        """Nothing is known yet."""
        self._graph = graph
        self._bits: list[int] = []

    def bits(self, step_id: str) -> int:
        """The steps above a step."""
        if not self._bits:
            self._bits = self._made()
        return self._bits[self._graph.index[step_id]]

    def _made(self) -> list[int]:
        bits, needs = [0] * len(self._graph.ids), self._graph.needs
        for i in self._graph.order:
            above = 0
            for j in needs[i]:
                above |= bits[j] | 1 << j
            bits[i] = above
        return bits

    def has(self, step_id: str, other: str) -> bool:
        """Whether another step stands above a step."""
        i = self._graph.index.get(other)
        return i is not None and bool(self.bits(step_id) >> i & 1)

    def ids(self, bits: int) -> Iterator[str]:
        """The steps of these bits, the last-declared one first."""
        while bits:
            i = bits.bit_length() - 1
            bits ^= 1 << i
            yield self._graph.ids[i]
