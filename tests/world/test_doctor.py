"""What `doctor` says of the machine, and what it takes for an orphan."""

from pathlib import Path

import pytest

from orchestration.doctor import Level
from orchestration.doctor.machine import look_at_machine
from orchestration.doctor.orphans import run_of
from orchestration.store.files import StateFiles


@pytest.fixture
def files(tmp_path: Path) -> StateFiles:
    made = StateFiles(tmp_path / ".orchestration")
    made.make_folder()
    return made


def levels(files: StateFiles, **options: object) -> dict[str, Level]:
    return {one.check: one.level for one in look_at_machine(files, **options)}  # type: ignore[arg-type]


def test_on_a_machine_with_room_and_rights_all_is_well(files: StateFiles) -> None:
    found = levels(files, least_free=0)
    assert {found[check] for check in ("disk space", "rights", "SQLite")} == {Level.OK}


def test_too_little_room_is_a_problem(files: StateFiles) -> None:
    assert levels(files, least_free=1 << 70)["disk space"] is Level.PROBLEM


def test_a_folder_that_everybody_may_write_is_a_problem(files: StateFiles) -> None:
    files.folder.chmod(0o777)
    assert levels(files)["rights"] is Level.PROBLEM


def test_a_network_disk_is_a_note(files: StateFiles, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {str(tmp_path).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n")
    assert levels(files, mounts=mounts)["kind of disk"] is Level.NOTE


@pytest.mark.parametrize(
    ("environment", "run"),
    [
        (b"A=1\0ORCH_ATTEMPT_ID=r-1/T/2\0B=2\0", "r-1"),
        (b"ORCH_ATTEMPT_ID=r-1/T/leg-1/2", "r-1"),
        (b"XORCH_ATTEMPT_ID=r-1/T/2\0", ""),
        (b"ORCH_ATTEMPT_ID=r-1/T/2\0ORCH_OUTPUT=/elsewhere/.orchestration/runs/r-1/.outputs/T.2\0", ""),
        (b"ORCH_ATTEMPT_ID=r-1/T/2\0ORCH_OUTPUT={folder}/runs/r-1/.outputs/T.2\0", "r-1"),
        (b"", ""),
    ],
)
def test_the_run_of_a_process_is_that_of_its_marker_unless_its_files_are_elsewhere(
    files: StateFiles, environment: bytes, run: str
) -> None:
    assert run_of(environment.replace(b"{folder}", bytes(files.folder)), files.folder) == run
