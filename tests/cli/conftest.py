"""A project to run commands in; the checkout is on the path of the processes, wherever they run."""

from pathlib import Path

import pytest

from tests.cli.project import Project

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project in a folder whose name needs care."""
    root = tmp_path / "a projéct"
    root.mkdir()
    made = Project(root, {"PYTHONPATH": str(ROOT)})
    made.settings()
    return made
