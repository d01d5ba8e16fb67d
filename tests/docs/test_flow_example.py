"""The example of flows does what its page says: it takes about as long as its longest way, and less than its steps."""

import re
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, read

SCRIPT = ROOT / "examples" / "flow_concurrent" / "run.py"
STEPS = ["customer", "items", "prices", "rate", "amount", "discount", "full_price", "stock", "invoice"]


def run(*arguments: str) -> str:
    command = [sys.executable, "-W", "error", str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    assert done.stderr == ""
    return done.stdout


def figures(text: str) -> dict[str, float]:
    return {
        name.strip(): float(seconds) for name, seconds in re.findall(r"^([a-z ]+?)  +([\d.]+) s$", text, re.MULTILINE)
    }


@pytest.mark.slow
def test_side_by_side_it_takes_about_as_long_as_its_longest_way() -> None:
    text = run()
    found = figures(text)
    assert found["the run took"] < 0.8 * found["all steps"]
    assert found["the run took"] <= 1.5 * found["longest way"]  # the machine may have other things to do
    assert "invoice        Customer of order 8: 309.96" in text


@pytest.mark.slow
def test_one_at_a_time_it_takes_as_long_as_all_steps_and_comes_to_the_same() -> None:
    text = run("1")
    found = figures(text)
    assert found["the run took"] >= 0.95 * found["all steps"]
    assert "invoice        Customer of order 8: 309.96" in text


def test_the_page_shows_what_is_printed() -> None:
    page = read("examples/flow_concurrent/README.md")
    shown = [line.split()[:2] for line in page.splitlines() if line.endswith("|")]
    assert [name for name, _ in shown] == STEPS
    assert [name for name, status in shown if status == "skipped"] == ["full_price"]
    assert set(figures(page)) == {"all steps", "longest way", "the run took"}
