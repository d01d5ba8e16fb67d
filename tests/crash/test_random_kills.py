"""`kill -9` at random moments: whatever the moment was, the next run continues, and each task has one outcome."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crash.cycles import cycle
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

CYCLES = 25  # a thousand in scripts/soak
SHARES = 5  # tests that share the seeds, so that none of them takes long
AT_ONCE = 2  # they only wait for processes


@pytest.mark.parametrize("share", range(SHARES))
def test_a_run_that_was_killed_is_continued_to_one_outcome_of_each_task(tmp_path: Path, share: int) -> None:
    seeds = range(CYCLES)[share::SHARES]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        cycles = list(threads.map(lambda seed: cycle(tmp_path / f"project-{seed}", seed), seeds))
    wrong = [f"seed {done.seed}, killed {done.kills} times: {word}" for done in cycles for word in done.wrong]
    assert not wrong, "\n".join(wrong)
