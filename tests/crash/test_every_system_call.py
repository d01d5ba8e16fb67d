"""A death before every write, sync, unlink, rename … of a run: the next run continues, and nothing told is lost."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crash import tracing
from tests.crash.dying import AT_MOST, FIRST, all_points, death, some_points
from tests.crash.tracing import Point
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

SHARES = 6  # tests that share the points, so that none of them takes long
AT_ONCE = 2  # they only wait for processes


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Point]:
    tracing.strace()
    found = all_points(tmp_path_factory.mktemp("recorded"))
    assert len(found) > FIRST, "so few calls: what was recorded is no run"
    return some_points(found)


@pytest.mark.parametrize("share", range(SHARES))
def test_any_system_call_is_a_good_moment_to_die(points: Sequence[Point], tmp_path: Path, share: int) -> None:
    assert len(points) <= AT_MOST
    with ThreadPoolExecutor(AT_ONCE) as threads:
        deaths = list(threads.map(lambda point: death(tmp_path / str(point), point), points[share::SHARES]))
    wrong = [f"{done.point}: {word}" for done in deaths for word in done.wrong]
    assert not wrong, "\n".join(wrong)
    missed = [str(done.point) for done in deaths if not done.died]
    assert len(missed) < len(deaths) / 2, f"it survived {missed}: the points are not those of the run"
