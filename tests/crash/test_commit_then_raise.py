"""Executed but reported failed: a store that commits and then raises costs a run, and never a second outcome."""

from pathlib import Path

import pytest

from tests.crash.lying import lived
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

SEEDS = 6  # more in scripts/soak


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_store_that_says_it_failed_makes_no_second_outcome(tmp_path: Path, seed: int) -> None:
    done = await lived(tmp_path / "project", seed)
    assert not done.wrong, f"seed {seed}, {done.lives} lives, {done.lies} lies:\n" + "\n".join(done.wrong)
    assert done.lies, "nobody lied, so nothing was tried"
