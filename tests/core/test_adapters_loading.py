"""Adapter files of a project: found, read once, refused with file and line; and the presets that ship."""

from pathlib import Path

import pytest

from orchestration.errors import InvalidProject
from orchestration.loading.adapters import PRESETS, AdapterShelf, load_adapter
from orchestration.models import CliAgent

FILE = """\
description: a helper
program: helper
arguments: [run]
prompt: {channel: stdin}
end: process
events:
  - {is: text, match: {type: text}}
answer: {event: text, path: text}
"""


def refused(root: Path | None, **agent: str) -> InvalidProject:
    with pytest.raises(InvalidProject) as caught:
        AdapterShelf(root).adapter_for(CliAgent.model_validate(agent))
    return caught.value


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_loads_and_describes_itself(name: str) -> None:
    adapter = AdapterShelf(None).adapter_for(CliAgent(preset=name))
    assert adapter.name == name
    assert adapter.description
    assert adapter.form.version.tested
    assert adapter.form.usage
    assert {"rate_limited", "auth"} <= {one.failure.value for one in adapter.form.errors}


def test_a_presets_name_is_understood_as_an_adapter_too(tmp_path: Path) -> None:
    shelf = AdapterShelf(tmp_path)
    assert shelf.adapter_for(CliAgent(adapter="codex")) is shelf.adapter_for(CliAgent(preset="codex"))


def test_a_file_of_the_project_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "helper.yaml").write_text(FILE)
    shelf = AdapterShelf(tmp_path)
    agent = CliAgent(adapter="agents/helper.yaml")
    adapter = shelf.adapter_for(agent)
    assert (adapter.name, adapter.description) == ("helper", "a helper")
    (tmp_path / "agents" / "helper.yaml").unlink()
    assert shelf.adapter_for(agent) is adapter


def test_mistakes_are_told_with_file_and_line(tmp_path: Path) -> None:
    text = FILE.replace("path: text}", "path: a..b}").replace("end: process", "end: proces\nlingr: 5")
    (tmp_path / "helper.yaml").write_text(text)
    error = refused(tmp_path, adapter="helper.yaml")
    assert error.exit_code == 2
    assert [problem.place for problem in error.problems] == ["helper.yaml:5", "helper.yaml:9", "helper.yaml:6"]
    assert [problem.hint for problem in error.problems][0::2] == ["did you mean process?", "did you mean linger?"]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: [", "helper.yaml:1", "not valid YAML"),
        ("- a\n", "helper.yaml:1", "`key: value` lines"),
        ("", "helper.yaml", "`key: value` lines"),
        ("a: &x [*x]\n", "helper.yaml:1", "*x stands inside"),
        ("a: !!python/object:os.system x\n", "helper.yaml:1", "tag"),
    ],
)
def test_what_is_no_adapter_file_is_refused(tmp_path: Path, text: str, place: str, words: str) -> None:
    (tmp_path / "helper.yaml").write_text(text)
    (problem,) = refused(tmp_path, adapter="helper.yaml").problems
    assert problem.place.startswith(place)
    assert words in problem.message


@pytest.mark.parametrize("name", ["../helper.yaml", "/helper.yaml", "link.yaml", "folder/../../helper.yaml"])
def test_a_file_outside_of_the_project_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "helper.yaml").write_text(FILE)
    root = tmp_path / "project"
    root.mkdir()
    (root / "link.yaml").symlink_to(tmp_path / "helper.yaml")
    (problem,) = refused(
        root, adapter=name.replace("/helper", f"{tmp_path}/helper") if name[0] == "/" else name
    ).problems
    assert "outside of the project" in problem.message


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, adapter="helper.yaml").problems
    assert (problem.file, problem.message) == ("helper.yaml", "does not exist")
    assert "did you mean codex?" in str(refused(tmp_path, preset="codx").problems[0])
    assert "did you mean codex?" in str(refused(tmp_path, adapter="codx").problems[0])


def test_a_file_anywhere_can_be_loaded_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "helper.yaml").write_text(FILE)
    assert load_adapter(tmp_path / "helper.yaml").name == "helper"
    assert load_adapter(Path("aider")).name == "aider"
