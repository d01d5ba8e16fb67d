"""A project to run commands in, whose processes are gone after the test whatever happened in it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.project import Project
from tests.crash.sudden import marked

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project(tmp_path, {"PYTHONPATH": str(ROOT)})
    made.settings()
    yield made
    for pid in marked(tmp_path):
        os.kill(pid, signal.SIGKILL)
