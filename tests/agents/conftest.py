"""Which real agents are driven, how long that may take, and what is said at the end about those that were not.

By default those of `programs.QUICK`, as far as they are installed, for at most four minutes in all. With
`ORCH_TEST_AGENTS=all` every agent, for as long as it takes, and one that is missing is a failure: so runs CI.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents import programs
from tests.agents.driving import Workbench
from tests.agents.programs import Program
from tests.agents.stub_model import StubModel

LONGEST = 240.0  # seconds that all tests of real agents together may take, unless all are asked for
ASKED = "ORCH_TEST_AGENTS"


class Tally:
    """What was run and what was not."""

    def __init__(self) -> None:
        self.everything = os.environ.get(ASKED) == "all"
        self.found: dict[str, Program | None] = {name: programs.find(name) for name in programs.NAMES}
        self.seconds = 0.0
        self.ran: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def why_not(self, name: str) -> str | None:
        """Why this agent is not driven now; None where it is."""
        if sys.platform != "linux":
            return "what an agent left behind can be seen on Linux only"
        if self.found[name] is None:
            return programs.why_missing(name)
        if self.everything:
            return None
        if name not in programs.QUICK:
            return f"{name} is driven by scripts/test --agents only"
        if self.seconds > LONGEST:
            return f"the {LONGEST:.0f} s for real agents are over; scripts/test --agents takes the time"
        return None


TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    """Look for the agents once, before any test takes variables away."""
    config.stash[TALLY] = Tally()


@pytest.fixture
def agent() -> str:
    """The name of the agent; a test says which by parametrizing it."""
    pytest.fail("a test of an agent says which one, by parametrizing `agent`")


@pytest.fixture
def program(agent: str, request: pytest.FixtureRequest) -> Program:
    """The agent of this test; where it is not to be had, the test is skipped with the reason."""
    tally = request.config.stash[TALLY]
    reason = tally.why_not(agent)
    found = tally.found[agent]
    if reason is None and found is not None:
        return found
    if tally.everything:
        pytest.fail(f"not to be skipped here: {reason}")
    tally.skipped[str(reason)] += 1
    pytest.skip(str(reason))


@pytest.fixture
def model() -> Iterator[StubModel]:
    """A stub model of this test's own."""
    with StubModel() as stub:
        yield stub


@pytest.fixture
def bench(program: Program, model: StubModel, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Workbench]:
    """A project for the agent; that nothing outlives the test is part of every test."""
    tally = request.config.stash[TALLY]
    tally.ran[program.name] += 1
    began = time.monotonic()
    bench = Workbench(program, model, tmp_path / "project", tmp_path / "home")
    bench.root.mkdir()
    yield bench
    tally.seconds += time.monotonic() - began
    left = bench.left_behind()
    bench.sweep()
    assert left == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which agents were driven, and how many tests of which were not, and why."""
    tally = config.stash.get(TALLY, None)
    if tally is None or not (tally.ran or tally.skipped):
        return
    ran = ", ".join(f"{name} {count}" for name, count in tally.ran.items()) or "none"
    terminalreporter.write_line(f"real agents: {ran} tests in {tally.seconds:.0f} s")
    for reason, count in tally.skipped.items():
        terminalreporter.write_line(f"real agents: {count} tests skipped: {reason}")
