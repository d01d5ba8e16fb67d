"""Loading where PyYAML came without its C parser."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_project_loads_where_the_parser_in_c_was_not_built(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/a.md").write_text("---\nretry: {max: 2, on: [timeout]}\n---\n# A\n", encoding="utf-8")
    (tmp_path / "tasks/b.yaml").write_text("id: b\npriority:\n  - x\n", encoding="utf-8")
    program = (
        "import sys; sys.modules['yaml._yaml'] = None\n"
        "import yaml; from pathlib import Path; from orchestration.loading import load_project\n"
        "project = load_project(Path(sys.argv[1]), check=False)\n"
        "print(yaml.__with_libyaml__, [task.title for task in project.tasks], [p.place for p in project.problems])"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert found == "False ['A'] ['tasks/b.yaml:2']\n"
