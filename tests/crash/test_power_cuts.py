"""Power cuts: what was not synced is lost or torn, and yet the state is whole and has all that was acknowledged."""

from pathlib import Path

import pytest

from tests.crash import tracing
from tests.crash.cutting import AT_MOST, PowerCut, Recording, recorded, some_cuts, wrong_after
from tests.crash.disk import Synced, Told
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    tracing.strace()
    found = recorded(tmp_path_factory.mktemp("recorded"))
    assert any(isinstance(step, Synced) for step in found.steps)
    assert any(isinstance(step, Told) for step in found.steps)
    return found


def test_what_was_acknowledged_survives_a_power_cut(recording: Recording, tmp_path: Path) -> None:
    cuts = some_cuts(recording)
    assert len(cuts) < AT_MOST
    wrong = [f"{cut}: {word}" for cut in cuts for word in wrong_after(recording, cut, tmp_path / "image")]
    assert not wrong, "\n".join(wrong)


def test_a_new_file_may_be_left_with_its_journal_and_the_beginning_of_its_log(
    recording: Recording, tmp_path: Path
) -> None:
    is_first = [isinstance(step, Synced) and step.path.endswith("/state.db-wal") for step in recording.steps]
    cut = PowerCut(is_first.index(True) + 1, "lost", 0)  # the removal of the journal is lost, the log is there
    assert not wrong_after(recording, cut, tmp_path / "image")
    assert not (tmp_path / "image/.orchestration/state.db-journal").exists()  # it was there, and was undone
