"""Long secrets beside the limits of what is kept and quoted: none is cut in two before it is masked."""

from pathlib import Path

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow

LONG = "".join(f"{number:03x}K" for number in range(50))
"""A secret that limits of what is quoted and kept cut in two."""


def test_no_limit_of_what_is_kept_cuts_a_secret_open(tmp_path: Path) -> None:
    project = Project(tmp_path, {"LONG": LONG})
    project.settings(
        "env: {SPELLED_PASSWORD: spelled-Cm9~Ry1_Gj8}\n"
        "agents:\n  fails: {kind: python, function: 'called:fails', secrets: [LONG]}\n"
    )
    project.write(
        "called.py",
        "import os\n"
        "def fails(before, behind):\n"
        "    raise ValueError('z' * before + os.environ['LONG'] + 'y' * behind)\n",
    )
    cuts = [(before, behind) for before in range(1_800, 2_000, 20) for behind in (before, before + 6_000)]
    for n, (before, behind) in enumerate(cuts):
        project.shell(f"F{n}", "x", agent="fails", inputs={"before": before, "behind": behind})
    project.shell("LINE", 'echo "what is to be passed on is $LONG" >> $ORCH_OUTPUT', secrets=["LONG"])
    project.shell("ASKED", "exit 3 # spelled-Cm9~Ry1_Gj8", approve="before", title="With spelled-Cm9~Ry1_Gj8")
    ran = project.orch("run-batch", "--events", "-j", "8")
    assert ran.code == 1, ran.err
    shown = "".join(project.orch(*command.split()).out for command in ("why F1", "report", "status --json"))
    assert "passed on is ***" in ran.out
    kept = {str(path): path.read_bytes() for path in (tmp_path / ".orchestration").rglob("*") if path.is_file()}
    found = {
        place: needle
        for place, data in {**kept, "run": (ran.out + ran.err).encode(), "shown": shown.encode()}.items()
        for needle in (*(LONG[n : n + 16].encode() for n in range(0, len(LONG) - 16, 4)), b"spelled-Cm9~Ry1_Gj8")
        if needle in data
    }
    assert not found
