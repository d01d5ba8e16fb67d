"""`scripts/demo`, the first command of the README, on a small tree; its environment is the one that runs these tests.

What makes an environment has tests of its own: here a stand-in for `scripts/_env` says that there is one already.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.project import Done
from tests.docs import small_tree

ROOT = Path(__file__).resolve().parents[2]
READY_ENVIRONMENT = """\
ROOT="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
BIN="$READY_BIN"
say() { printf '%s\\n' "$*" >&2; }
ensure_environment() { :; }
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (Path(sys.executable).parent / "orch").exists(), reason="the program is not installed"),
    pytest.mark.skipif(shutil.which("git") is None, reason="the small tree is a git checkout"),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as the demo needs, below a path with spaces, and a tree beside it."""
    root = tmp_path / "my checkout"
    leftovers = shutil.ignore_patterns("out", ".orchestration", "__pycache__")
    shutil.copytree(ROOT / "examples" / "quickstart", root / "examples" / "quickstart", ignore=leftovers)
    (root / "scripts").mkdir()
    shutil.copy2(ROOT / "scripts" / "demo", root / "scripts" / "demo")
    (root / "scripts" / "_env").write_text(READY_ENVIRONMENT, encoding="utf-8")
    small_tree.plant(tmp_path / "tree")
    return root


def demo(checkout: Path, *arguments: str) -> Done:
    """Run it from elsewhere, naming the tree as a shell user would: relative to where one is."""
    surroundings = {"SOURCE_TREE": "tree", "READY_BIN": str(Path(sys.executable).parent), "CI": "true"}
    done = subprocess.run(
        [checkout / "scripts" / "demo", *arguments],
        cwd=checkout.parent,
        env=os.environ | surroundings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_the_demo_runs_all_but_the_review_and_says_how_to_give_it(checkout: Path) -> None:
    done = demo(checkout)

    assert done.code == 0, done.err
    report = checkout / "examples" / "quickstart" / "out" / "report.html"
    assert f"The report:  {report}" in done.out
    assert report.is_file()
    assert 'orch -C examples/quickstart complete REVIEW-001 --output "Reads well."' in done.out
    assert not (report.parent / "published").exists()


def test_the_demo_can_be_run_again_and_complete_the_review(checkout: Path) -> None:
    assert demo(checkout).code == 0

    again = demo(checkout, "--complete")

    assert again.code == 0, again.err
    published = checkout / "examples" / "quickstart" / "out" / "published"
    assert f"Published:   {published}" in again.out
    assert "nobody has read it" in (published / "PUBLISHED.md").read_text(encoding="utf-8")


def test_the_demo_fails_when_the_tree_breaks_a_limit(checkout: Path) -> None:
    (checkout.parent / "tree" / "README.md").write_text("# Tiny\n\n[gone](gone.md)\n", encoding="utf-8")

    done = demo(checkout)

    assert done.code == 1
    assert "links.broken is 1, but may be at most 0" in done.err
    assert "the run ended with exit code 1" in done.err


def test_the_demo_refuses_what_it_does_not_know(checkout: Path) -> None:
    done = demo(checkout, "--fast")
    assert (done.code, done.out) == (2, "")
    assert "usage: scripts/demo" in done.err
