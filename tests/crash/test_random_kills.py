"""`kill -9` at random moments: whatever the moment was, the next run continues, and each task has one outcome."""

from pathlib import Path

import pytest

from tests.crash.cycles import cycle
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

CYCLES = 25  # a thousand in scripts/soak


@pytest.mark.parametrize("seed", range(CYCLES))
def test_a_run_that_was_killed_is_continued_to_one_outcome_of_each_task(tmp_path: Path, seed: int) -> None:
    done = cycle(tmp_path / "project", seed)
    assert not done.wrong, f"seed {seed}, killed {done.kills} times:\n" + "\n".join(done.wrong)
