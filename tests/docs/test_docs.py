"""The documents tell the truth: samples run, task files load, links lead somewhere, schemas are current."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestration.loading import load_project
from tests.docs.pages import ROOT, Fence, anchors_of, codes_in, fences_of, links_of, read
from tests.docs.samples import projects_of, run_story, stories_of, write

PAGES = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
OURS = {"README.md", "MIGRATION.md", *PAGES}
FENCES = {name: fences_of(name, read(name)) for name in sorted(OURS)}
STORIES = [story for name in PAGES for story in stories_of(FENCES[name])]
PROJECTS = [project for name in sorted(OURS) for project in projects_of(FENCES[name])]
FRAGMENTS = [fence for fences in FENCES.values() for fence in fences if fence.marks.keys() & {"task", "settings"}]

# What a sample of a few fields may name: other tasks, an agent, a pool.
BACKDROP = {
    "orchestration.yaml": "pools: {gpu: 1}\nagents: {tester: {kind: shell, command: make test}}\n",
    "tasks/others.yaml": "tasks: [{id: TASK-001}, {id: TASK-002}]\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story[0].place)
def test_a_sample_runs_and_prints_what_is_shown(story: Sequence[Fence], tmp_path: Path) -> None:
    run_story(story, tmp_path)


@pytest.mark.parametrize("files", PROJECTS, ids=lambda files: files[0].place)
def test_a_project_of_samples_loads_without_a_problem_or_warning(files: Sequence[Fence], tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()  # a project of settings alone would be warned about
    for fence in files:
        write(fence, tmp_path)
    project = load_project(tmp_path)
    assert [str(warning) for warning in project.warnings] == []
    assert project.tasks or project.settings.model_fields_set


@pytest.mark.parametrize("fence", FRAGMENTS, ids=lambda fence: fence.place)
def test_some_fields_of_a_task_or_of_the_settings_load(fence: Fence, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    for name, text in BACKDROP.items():
        (tmp_path / name).write_text(text)
    if "task" in fence.marks:
        (tmp_path / "tasks" / "SAMPLE.yaml").write_text(fence.text)
    else:
        (tmp_path / "orchestration.yaml").write_text(fence.text)
    assert load_project(tmp_path).warnings == ()


def test_every_task_file_and_all_settings_in_the_documents_are_loaded() -> None:
    loaded = {fence.place for files in PROJECTS for fence in files} | {fence.place for fence in FRAGMENTS}
    written = [fence for fences in FENCES.values() for fence in fences if fence.language in {"yaml", "markdown", "yml"}]
    assert [fence.place for fence in written if fence.place not in loaded] == []
    assert len(written) > 15


def test_every_piece_of_python_and_every_console_is_run() -> None:
    stories = [story for fences in FENCES.values() for story in stories_of(fences)]
    run = {fence.place for story in stories for fence in story}
    wanted = [fence for fences in FENCES.values() for fence in fences if fence.language in {"python", "console"}]
    assert [fence.place for fence in wanted if fence.place not in run] == []


def documents() -> list[str]:
    """The Markdown files that git has or would take."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return sorted(OURS)
    command = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})


@pytest.mark.parametrize("name", documents())
def test_relative_links_lead_to_files_and_headings_that_are_there(name: str) -> None:
    assert broken_links(name, read(name)) == []


def broken_links(name: str, text: str) -> list[str]:
    """What is wrong with the relative links of a document."""
    found = []
    for line, target in links_of(name, text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        inside = file.resolve().is_relative_to(ROOT)
        if not (inside and file.exists()):
            found.append(f"{name}:{line}: {target} is not there")
        elif anchor and anchor not in anchors_of(target, file.read_text(encoding="utf-8") if path else text):
            found.append(f"{name}:{line}: {target} is no heading")
    return found


@pytest.mark.parametrize("target", ["nowhere.md", "README.md#nowhere", "#nowhere", "../outside.md"])
def test_a_link_that_leads_nowhere_is_found(target: str) -> None:
    assert len(broken_links("README.md", f"# Here\n\nsee [it]({target}), [this](#here), [that](docs/tasks.md)")) == 1


def test_every_page_is_in_the_index() -> None:
    linked = {f"docs/{target}" for _, target in links_of("docs/index.md", read("docs/index.md"))}
    assert {*PAGES} - {"docs/index.md"} <= linked


@pytest.mark.parametrize("name", sorted(OURS))
def test_commands_that_the_text_names_exist_and_have_the_options_that_it_names(name: str) -> None:
    from cli.app import COMMANDS, build, global_options

    names_of_all = {option for one in global_options() for option in [*one.opts, *one.secondary_opts]}
    known = {
        command: {o for p in build(command, entry).params for o in [*p.opts, *p.secondary_opts]} | names_of_all
        for command, entry in COMMANDS.items()
    }
    for code in codes_in(read(name)):
        words = code.removeprefix("$ ").split()
        if words[:1] == ["orch"] and len(words) > 1 and re.fullmatch(r"[a-z-]+[a-z]", words[1]) and words[1][0] != "-":
            command = two if (two := " ".join(words[1:3])) in known else words[1]
            assert command in known, f"{name}: `{code}`"
            options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} - {"--help"}
            assert options <= known[command], f"{name}: `{code}`"


@pytest.mark.parametrize("topic", ["task", "agent", "settings"])
def test_the_published_schemas_are_what_the_program_prints(topic: str) -> None:
    command = [sys.executable, "-m", "cli", "schema", topic]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert read(f"docs/schema/{topic}.json") == printed, f"make it anew: orch schema {topic} >docs/schema/{topic}.json"


def test_a_page_is_as_wide_as_the_code() -> None:
    wide = [
        f"{name}:{number}"
        for name in sorted(OURS)
        for number, line in enumerate(read(name).split("\n"), 1)
        if len(line) > 120 and not line.startswith("|") and "http" not in line
    ]
    assert wide == []
