"""What a prompt holds beyond its task: how work of a type is done, the project's instructions, what failed before."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import InvalidProject, TemplateError
from orchestration.kinds import Failure
from orchestration.loading import READ_ALREADY, instructions_of, templates_of
from orchestration.loading.instructions import MAX_INSTRUCTIONS, MAX_TEMPLATE
from orchestration.models import Settings, Task
from orchestration.prompts import check_syntax, prompt_for, type_of
from orchestration.results import CheckResult, Outcome

TYPES = {"bug": "Find out why.", "docs": "Write for {{ task.title }}.", "off": " \n"}
MEGABYTE = 1024 * 1024


def lay_out(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


# -- types of tasks -------------------------------------------------------------------------------------------------


def test_the_first_label_that_has_a_template_is_the_type() -> None:
    assert type_of(Task(id="T", labels=("web", "Docs", "bug")), TYPES) == "docs"
    assert type_of(Task(id="T", labels=("web",)), TYPES) is None
    assert type_of(Task(id="T"), TYPES) is None
    assert type_of(Task(id="T", labels=("bug",)), {}) is None


def test_how_to_go_about_a_type_stands_after_the_description_with_its_values_filled_in() -> None:
    task = Task(id="T", description="Do it.", labels=("docs",), acceptance=("done",))
    prompt = prompt_for(task, {"task": {"title": "Ada"}}, templates=TYPES)
    assert prompt == "# T\n\nDo it.\n\n## How to go about it\n\nWrite for Ada.\n\n## Done when\n\n- done\n"


@pytest.mark.parametrize("labels", [(), ("web",), ("off",)])
def test_a_task_without_a_type_has_the_plain_form(labels: tuple[str, ...]) -> None:
    task = Task(id="T", description="Do it.", labels=labels)
    assert prompt_for(task, {}, templates=TYPES) == prompt_for(task, {}) == "# T\n\nDo it.\n"


def test_a_template_that_cannot_be_rendered_is_an_error_that_names_what_is_wrong() -> None:
    with pytest.raises(TemplateError, match="unknown name 'nothing'"):
        prompt_for(Task(id="T", labels=("bug",)), {}, templates={"bug": "{{ nothing }}"})


def test_the_types_that_ship_are_short_and_correct_and_load_no_template_engine(tmp_path: Path) -> None:
    shipped = templates_of(tmp_path, Settings())
    assert set(shipped) == {"bug", "feature", "refactor", "docs", "test", "review"}
    for kind, text in shipped.items():
        assert 300 < len(text) < 2000, kind
        assert check_syntax(text) is None
        assert "{" not in text


def test_a_project_overrides_adds_and_switches_off_types(tmp_path: Path) -> None:
    lay_out(tmp_path, {"prompts/bug.md": "Ours.", "prompts/Spike.MD": "Be quick.", "prompts/docs.md": ""})
    lay_out(tmp_path, {"prompts/.hidden.md": "x", "prompts/notes.txt": "x"})
    templates = templates_of(tmp_path, Settings())
    assert (templates["bug"], templates["spike"], templates["docs"]) == ("Ours.", "Be quick.", "")
    assert set(templates) == {"bug", "feature", "refactor", "docs", "test", "review", "spike"}
    assert prompt_for(Task(id="T", labels=("docs",)), {}, templates=templates) == "# T\n"


def test_the_folder_of_types_can_be_another_one_which_then_has_to_exist(tmp_path: Path) -> None:
    lay_out(tmp_path, {"how/bug.md": "Ours."})
    assert templates_of(tmp_path, Settings(prompts="how"))["bug"] == "Ours."
    with pytest.raises(InvalidProject, match="nowhere: cannot be read"):
        templates_of(tmp_path, Settings(prompts="nowhere"))


def test_a_type_that_is_too_long_is_not_used_and_is_refused_where_its_folder_was_named(tmp_path: Path) -> None:
    lay_out(tmp_path, {"prompts/bug.md": "x" * (MAX_TEMPLATE + 1)})
    assert templates_of(tmp_path, Settings())["bug"].startswith("Something does not work")
    with pytest.raises(InvalidProject, match=r"prompts/bug\.md: is over 65536 characters"):
        templates_of(tmp_path, Settings(prompts="prompts"))


def test_types_and_instructions_from_outside_of_the_project_are_refused(tmp_path: Path) -> None:
    lay_out(tmp_path, {"secret.md": "not yours", "project/prompts/x.md": ""})
    root = tmp_path / "project"
    (root / "prompts" / "bug.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(InvalidProject, match=r"prompts/bug\.md: leads out of the project"):
        templates_of(root, Settings())
    (root / "AGENTS.md").symlink_to("../secret.md")
    for settings in (Settings(), Settings(instructions=("../secret.md",)), Settings(instructions=("/etc/hostname",))):
        with pytest.raises(InvalidProject, match="leads out of the project"):
            instructions_of(root, settings)
    with pytest.raises(InvalidProject, match="leads out of the project"):
        templates_of(root, Settings(prompts=".."))


# -- the project's instructions -------------------------------------------------------------------------------------


def test_instructions_stand_in_the_prompt_as_they_are_written() -> None:
    text = "# Rules\n\nUse `make`. {{ not a template }}\n```sh\nmake\n```\n"
    prompt = prompt_for(Task(id="T", description="Do it."), {}, instructions=text)
    assert prompt.startswith("# T\n\nDo it.\n\n## Project instructions\n\n")
    assert f"````markdown\n{text.strip()}\n````" in prompt
    assert (
        prompt_for(Task(id="T"), {}, instructions=" \n") == prompt_for(Task(id="T"), {}, instructions=None) == "# T\n"
    )


def test_the_default_file_is_read_where_there_is_one(tmp_path: Path) -> None:
    assert instructions_of(tmp_path, Settings()) == ""
    lay_out(tmp_path, {"AGENTS.md": "\ufeffUse make.\r\n"})
    assert instructions_of(tmp_path, Settings()) == "Use make."


def test_several_files_stand_each_under_its_name_and_none_twice(tmp_path: Path) -> None:
    lay_out(tmp_path, {"AGENTS.md": "One.", "docs/style.md": "Two.", "empty.md": "\n"})
    (tmp_path / "again.md").symlink_to("AGENTS.md")
    settings = Settings(instructions=("AGENTS.md", "docs/style.md", "again.md", "empty.md"))
    assert instructions_of(tmp_path, settings) == "From `AGENTS.md`:\n\nOne.\n\nFrom `docs/style.md`:\n\nTwo."


def test_a_file_that_was_named_has_to_be_there_and_to_be_text(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "binary.md").write_bytes(b"\xff\xff")
    for name, said in {"no.md": "not exist", "folder.md": "folder", "pipe.md": "neither", "binary.md": "UTF-8"}.items():
        with pytest.raises(InvalidProject, match=said) as caught:
            instructions_of(tmp_path, Settings(instructions=(name,)))
        assert str(caught.value).startswith(name)


def test_an_agent_does_not_get_twice_what_it_reads_by_itself(tmp_path: Path) -> None:
    lay_out(tmp_path, {"AGENTS.md": "Use make."})
    for preset in ("codex", "opencode"):
        assert instructions_of(tmp_path, Settings(), read_already=READ_ALREADY[preset]) == ""
    assert instructions_of(tmp_path, Settings(), read_already=READ_ALREADY["claude-code"]) == "Use make."
    (tmp_path / "CLAUDE.md").symlink_to("AGENTS.md")
    assert instructions_of(tmp_path, Settings(), read_already=READ_ALREADY["claude-code"]) == ""


@pytest.mark.parametrize(
    ("text", "imported"),
    [("@AGENTS.md", True), ("See:\n- @./AGENTS.md\n", True), ("see AGENTS.md", False), ("@docs/AGENTS.md", False)],
)
def test_what_a_file_of_the_agent_imports_is_read_already(text: str, imported: bool, tmp_path: Path) -> None:
    lay_out(tmp_path, {"AGENTS.md": "Use make.", "CLAUDE.md": text})
    assert instructions_of(tmp_path, Settings(), read_already=("CLAUDE.md",)) == ("" if imported else "Use make.")


def test_instructions_are_bounded_and_say_so(tmp_path: Path) -> None:
    lay_out(tmp_path, {"AGENTS.md": "x" * (MAX_INSTRUCTIONS + 5)})
    text = instructions_of(tmp_path, Settings())
    assert text.endswith("x\n\n[5 characters left out]")
    assert len(text) < MAX_INSTRUCTIONS + 100


# -- what failed before ---------------------------------------------------------------------------------------------


def evidence(previous: Outcome) -> str:
    return prompt_for(Task(id="T"), {}, previous).partition("## The previous attempt failed\n\n")[2]


def test_the_last_lines_of_the_output_are_told_without_control_sequences() -> None:
    output = "\n".join(f"\x1b[31mline {n}\x1b[0m\r" for n in range(1000)) + "\x07"
    told = evidence(Outcome(failure=Failure.EXIT_CODE, output=output))
    assert told.startswith("It ended with: exit_code.\n\nThe last lines that it printed:\n\n```\nline 960\n")
    assert told.endswith("line 999\n```\n")


def test_what_was_told_already_is_not_told_again() -> None:
    check = CheckResult("verify", "make", passed=False, exit_code=2, log="2 failed")
    told = evidence(Outcome(failure=Failure.CHECK_FAILED, error="verify failed: make\n2 failed", checks=(check,)))
    assert told.count("2 failed") == 1
    assert "Failed verify: `make` (exit code 2)\n" in told


def test_a_log_that_the_bounded_error_does_not_show_is_told() -> None:
    check = CheckResult("verify", "first", passed=False, log="the reason")
    told = evidence(Outcome(failure=Failure.CHECK_FAILED, error="the reason\n" + "x" * 10_000, checks=(check,)))
    assert "```\nthe reason\n```" in told


def test_a_rejection_brings_the_note_of_who_reviewed() -> None:
    told = evidence(Outcome(metadata={"rejection": "Not like this.\n```\nSee above."}))
    assert told.startswith("It ended with: rejected.")
    assert "rejected it and said:\n\n````\nNot like this.\n```\nSee above.\n````" in told


def test_refused_permissions_and_the_finer_kind_of_error_are_told() -> None:
    facts = {"permission_denials": [f"Write file-{n}" for n in range(50)], "error_class": "max_turns"}
    told = evidence(Outcome(failure=Failure.EXIT_CODE, metadata=facts))
    assert "It ended with: exit_code (max_turns)." in told
    assert "not permitted to do this:\n\n- Write file-0\n" in told
    assert "file-9\n" in told
    assert "file-10" not in told


@given(
    st.text(),
    st.text(),
    st.dictionaries(
        st.sampled_from(["rejection", "permission_denials", "error_class"]), st.none() | st.lists(st.text())
    ),
)
def test_evidence_of_anything_is_bounded_and_no_error(error: str, log: str, facts: dict[str, object]) -> None:
    checks = tuple(CheckResult("verify", log * 50, passed=False, log=log * 3000) for _ in range(20))
    told = evidence(
        Outcome(failure=Failure.CRASHED, error=error * 3000, output=log * 999, checks=checks, metadata=facts)
    )
    assert len(told) < 60_000


# -- size -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["word ", 1000 * "x" + "{{ run_id }} ", "{ brace }", "``` "])
def test_prompts_of_a_megabyte_are_made_fast(piece: str) -> None:
    description = piece * (MEGABYTE // len(piece))
    context = {"run_id": "r"}
    task = Task(id="T", description=description, labels=("bug",))
    begin = time.process_time()
    prompt = prompt_for(task, context, templates=TYPES, instructions="x" * MAX_INSTRUCTIONS)
    assert time.process_time() - begin < 10
    assert len(prompt) > 0.9 * MEGABYTE
