"""Scripts of scripted agents: read from files, checked with everything else, told with file and line."""

from pathlib import Path

import pytest

from orchestration.errors import InvalidProject
from orchestration.loading import Project, load_project
from orchestration.models import ScriptedAgent


def load(root: Path, settings: str, **files: str) -> Project:
    (root / "tasks").mkdir(exist_ok=True)
    (root / "orchestration.yaml").write_text(settings)
    for name, text in files.items():
        (root / name.replace("_", ".")).write_text(text)
    return load_project(root)


def problems(root: Path, settings: str, **files: str) -> list[str]:
    with pytest.raises(InvalidProject) as error:
        load(root, settings, **files)
    return [f"{one.file}:{one.line}: {one.message}" for one in error.value.problems]


def agent(project: Project) -> ScriptedAgent:
    found = project.settings.agents["a"]
    assert isinstance(found, ScriptedAgent)
    return found


def test_numbers_in_a_script_are_numbers_however_they_are_spelt(tmp_path: Path) -> None:
    project = load(
        tmp_path, "agents: {a: {kind: scripted, script: [{wait: 0.50}, {flood: {megabytes: 1.0}}, final]}}\n"
    )
    assert agent(project).script == ({"wait": 0.5}, {"flood": {"megabytes": 1.0}}, "final")


@pytest.mark.parametrize("text", ["- wait: 0.50\n- final\n", '[{"wait": 0.5}, "final"]'])
def test_a_script_in_a_file_becomes_the_steps_of_its_agent(tmp_path: Path, text: str) -> None:
    project = load(tmp_path, "agents: {a: {kind: scripted, file: s.yaml, seed: 3}}\n", s_yaml=text)
    assert (agent(project).script, agent(project).file, agent(project).seed) == (({"wait": 0.5}, "final"), None, 3)


def test_a_file_may_hold_one_step_that_chooses(tmp_path: Path) -> None:
    project = load(tmp_path, "agents: {a: {kind: scripted, file: s.yaml}}\n", s_yaml="attempts:\n- [final]\n")
    assert agent(project).script == ({"attempts": [["final"]]},)


def test_every_mistake_in_a_script_is_told_with_its_line(tmp_path: Path) -> None:
    settings = "agents:\n  a:\n    kind: scripted\n    script:\n      - say: hi\n      - wiat: 2\n      - exit: 900\n"
    assert problems(tmp_path, settings) == [
        "orchestration.yaml:6: there is no step 'wiat'",
        "orchestration.yaml:7: 900 is out of bounds: at least 0 and at most 255",
    ]


def test_a_mistake_in_a_file_is_told_with_the_line_of_that_file(tmp_path: Path) -> None:
    settings = "agents: {a: {kind: scripted, file: s.yaml}}\n"
    assert problems(tmp_path, settings, s_yaml="attempts:\n  - - final\n  - - final\n    - hagn\n") == [
        "s.yaml:4: script[0].attempts[1][1]: there is no step 'hagn'"
    ]
    assert problems(tmp_path, settings, s_yaml="- [unclosed\n")[0].startswith("s.yaml:")
    assert "is no list of steps" in problems(tmp_path, settings, s_yaml="7\n")[0]


def test_a_file_that_is_not_there_or_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "outside.yaml").write_text("- final\n")
    (root / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    for file in ("../outside.yaml", "link.yaml"):
        (found,) = problems(root, f"agents:\n  a:\n    kind: scripted\n    file: {file}\n")
        assert found == f"orchestration.yaml:4: {file} lies outside of the project"
    (found,) = problems(root, "agents:\n  a:\n    kind: scripted\n    file: no.yaml\n")
    assert found == "orchestration.yaml:4: the script no.yaml does not exist"
