"""Projects that are wrong, each with everything that has to be said about it: a table for the loader and for commands.

A row is the files of a project and the problems that must be reported, all of them and no others. The files are laid
out by `lay_out`; what is neither text nor bytes is a `Link`, a `Pipe` or a `Folder`.
"""

from typing import Final

from tests.bad_input_rows import (
    BadInput,
    Entry,
    Expected,
    Folder,
    Link,
    Pipe,
    file_row,
    lay_out,
    task_row,
)
from tests.bad_settings import AGENT_ROWS, SETTINGS_ROWS
from tests.bad_yaml import YAML_ROWS

__all__ = ["BAD_INPUTS", "BadInput", "Entry", "Expected", "Folder", "Link", "Pipe", "lay_out"]

FIELD_ROWS: Final = (
    task_row(
        "an unknown priority",
        "id: a\npriority: higk\n",
        (2, "one of critical, high, medium, low; got 'higk'", "did you mean high?"),
    ),
    task_row("a priority that is a list", "id: a\npriority: [high]\n", (2, "priority must be one of", "")),
    task_row("a title that is a list", "id: a\ntitle: [a, b]\n", (2, "title must be text; got a list", "")),
    task_row("a title that is a truth", "id: a\ntitle: true\n", (2, "title must be text; got true", "quotes")),
    task_row("a variable without a value", "id: a\nenv:\n  X: 1\n  Y:\n", (4, "env.Y must be text; got nothing", '""')),
    task_row("a variable with an equals sign", 'id: a\nenv: {"A=B": c}\n', (2, "'A=B' cannot be a variable", "names")),
    task_row("dependencies as a mapping", "id: a\ndependencies: {b: c}\n", (2, "must be a list; got a mapping", "")),
    task_row(
        "both spellings of a field",
        "id: a\ndepends_on: []\ntags: [x]\nlabels: [y]\n",
        (3, "labels and tags mean the same", "give one"),
    ),
    task_row(
        "a duration in days", "id: a\ntimeout: 3 days\n", (2, "timeout: '3 days' is no duration", "500ms, 30s, 5m, 2h")
    ),
    task_row("a duration of many years", "id: a\ntimeout: 1e300\n", (2, "out of range", "ten years")),
    task_row("a negative duration", "id: a\nkill_grace: -1\n", (2, "out of range", "between 0 and ten years")),
    task_row("a limit of nothing", "id: a\nidle_timeout: 0s\n", (2, "a limit of zero", "leave it out")),
    task_row("a time of day as a duration", "id: a\ntimeout: 1:30\n", (2, "'1:30' is no duration", "")),
    task_row(
        "checks and preparations that run nothing",
        'id: a\nverify: ["true", "# make test"]\nsetup: ""\n',
        (2, "verify: '# make test' is no command", "leave it out"),
        (3, "setup: '' is no command", "leave it out"),
    ),
    task_row("too few tries", "id: a\nretry: 0\n", (2, "retry must be at least 1; got 0", "")),
    task_row(
        "an unknown kind of failure",
        "id: a\nretry:\n  max: 2\n  on: [timeout,\n    exit-code]\n",
        (5, "retry.on[1] must be one of", "did you mean exit_code?"),
    ),
    task_row(
        "a wrong factor of a backoff",
        "id: a\nretry: {backoff: {factor: 0.5, initial: x}}\n",
        (2, "retry.backoff.initial: 'x' is no duration", ""),
        (2, "retry.backoff.factor must be at least 1; got 0.5", ""),
    ),
    task_row(
        "hours that are no number",
        "id: a\nestimate_hours: two\n",
        (2, "estimate_hours must be a number; got 'two'", ""),
    ),
    task_row(
        "hours beyond all numbers", "id: a\nestimate_hours: 1e999\n", (2, "estimate_hours must be a finite number", "")
    ),
    task_row(
        "a truth that is none",
        "id: a\nexpects_changes: maybe\n",
        (2, "expects_changes must be true or false; got 'maybe'", ""),
    ),
    task_row(
        "an approval at no time",
        "id: a\napprove: maybe\n",
        (2, "approve must be one of before, after; got 'maybe'", ""),
    ),
    task_row(
        "a condition that is a list", "id: a\nwhen: [x]\n", (2, "when must be text or true or false; got a list", "")
    ),
    task_row("a condition that is no expression", "id: a\nwhen: parameters.x ==\n", (2, "when: ", "Jinja expression")),
    task_row("an input that is no template", "id: a\ninputs: {x: '{{ tasks. }}'}\n", (2, "inputs.x: ", "{% raw %}")),
    task_row(
        "several wrong fields at once",
        "id: a\npriority: x\ntimeout: y\nretry: z\n",
        (2, "priority", ""),
        (3, "timeout", ""),
        (4, "retry must be a whole number of tries or a mapping", ""),
    ),
    task_row(
        "a place to work that does not exist yet",
        "id: a\nworkspace: worktree\n",
        (2, "`workspace: worktree` is not available in this version", "shared"),
    ),
    task_row(
        "a container",
        "id: a\ncontainer: {image: x}\n",
        (2, "`container` is not available in this version", "this machine"),
    ),
    task_row(
        "a list item that is no task",
        "tasks:\n  - id: a\n  - b\n",
        (3, "a task in a list has to be a mapping", "- id:"),
    ),
    task_row(
        "everything at once",
        'tasks:\n- id: c\n  depends_on: [b]\n  priority: urgent\n  uses: [nix]\n  when: "{{ 1 +"\n  agent: nobody\n'
        "- {id: b, depends_on: [c]}\n",
        (3, "cycle: c → b → c", "remove one"),
        (4, "priority must be one of critical, high, medium, low; got 'urgent'", ""),
        (5, "there is no pool 'nix'", "add it"),
        (6, "when: {{ 1 +: unexpected", "Jinja"),
        (7, "there is no agent 'nobody'", "known agents"),
    ),
    task_row("a list item without an id", "- id: a\n- title: b\n", (2, "id is missing", "`id: …`")),
    task_row("tasks that are no list", "tasks:\n  a: {title: b}\n", (1, "tasks must be a list", "- id:")),
    task_row("a file that is only text", "just words\n", (1, "there is no task in this file", "key: value")),
)

ID_ROWS: Final = (
    task_row(
        "an id that is a path",
        "id: ../../etc/passwd\n",
        (1, "id: '../../etc/passwd' is not a safe id", "letters, digits"),
    ),
    task_row("an id with spaces", "id: my task\n", (1, "is not a safe id", "letters, digits")),
    task_row("an id that is a file of each run", "id: Owner.lock\n", (1, "cannot be a task's id", "it is a file")),
    task_row("an id of a hundred and one characters", f"id: {'x' * 101}\n", (1, "is not a safe id", "at most 100")),
    task_row("an id that is a list", "id: [a]\n", (1, "id must be text; got a list", "")),
    file_row(
        "a file name that cannot be an id",
        {"tasks/my task.md": "# x\n"},
        ("tasks/my task.md", 1, "its name 'my task' cannot be", "an `id`"),
    ),
    file_row(
        "the same id in two files",
        {"tasks/a.md": "---\nid: x\n---\n", "tasks/b.yaml": "\nid: x\n"},
        ("tasks/b.yaml", 2, "the id x is given twice; it is also at tasks/a.md:2", "unique"),
    ),
    task_row(
        "the same id twice in a list",
        "tasks:\n- id: x\n- title: y\n  id: x\n",
        (4, "the id x is given twice; it is also at tasks/a.yaml:2", "unique"),
    ),
    task_row(
        "an unknown dependency",
        "- id: TASK-001\n- id: b\n  depends_on:\n  - TASK-002\n",
        (4, "b depends on TASK-002, which does not exist", "did you mean TASK-001?"),
    ),
    task_row(
        "dependencies in one text",
        "- id: a\n- id: b\n- id: c\n  dependencies: a, b\n",
        (4, "c depends on a, b, which does not exist", "[A, B]"),
    ),
    task_row(
        "a task that depends on itself",
        "id: a\ndepends_on: [a]\n",
        (2, "a depends on itself", "remove that dependency"),
    ),
    task_row(
        "two cycles",
        "- {id: a, depends_on: b}\n- {id: b, depends_on: a}\n- {id: c, depends_on: d}\n- {id: d, depends_on: c}\n",
        (1, "cycle: a → b → a", "remove one"),
        (3, "cycle: c → d → c", "remove one"),
    ),
    file_row(
        "a cycle over three files",
        {
            "tasks/a.md": "---\ndepends_on: [c]\n---\n",
            "tasks/b.md": "---\ndepends_on: [a]\n---\n",
            "tasks/c.md": "---\ndepends_on: [b]\n---\n",
        },
        ("tasks/a.md", 2, "cycle: a → c → b → a", "depends on"),
    ),
    file_row(
        "a broken file on which others depend",
        {"tasks/a.md": "---\ntitle: [\n---\n", "tasks/b.md": "---\ndepends_on: [a]\n---\n"},
        ("tasks/a.md", 2, "not valid YAML", ""),
    ),
    file_row(
        "a broken list on which others depend",
        {"tasks/a.yaml": "tasks:\n- id: x\n- id: 'y'\n  title: [\n", "tasks/b.md": "---\ndepends_on: [x, y, z]\n---\n"},
        ("tasks/a.yaml", 4, "not valid YAML", ""),
        ("tasks/b.md", 2, "b depends on z", ""),
    ),
    file_row(
        "a wrong task on which others depend",
        {"tasks/a.md": "---\npriority: x\n---\n", "tasks/b.md": "---\ndepends_on: [a]\n---\n"},
        ("tasks/a.md", 2, "priority", ""),
    ),
    file_row(
        "wrong things in many files",
        {
            "tasks/a.md": "---\npriority: x\n---\n",
            "tasks/b.yaml": "id: b\nagent: c\ndepends_on: q\n",
            "orchestration.yaml": "max_concurrent: no\n",
        },
        ("orchestration.yaml", 1, "max_concurrent must be a whole number; got 'no'", ""),
        ("tasks/a.md", 2, "priority", ""),
        ("tasks/b.yaml", 2, "there is no agent 'c'", ""),
        ("tasks/b.yaml", 3, "b depends on q", ""),
    ),
)

FILE_ROWS: Final = (
    file_row(
        "text that is not UTF-8",
        {"tasks/a.md": b"# a\n\nna\xefve\n"},
        ("tasks/a.md", 3, "is not UTF-8: byte 0xef at offset 7", "save the file as UTF-8"),
    ),
    file_row(
        "text that is UTF-16",
        {"tasks/a.md": "# äöü\n".encode("utf-16")},
        ("tasks/a.md", 1, "is UTF-16", "save the file as UTF-8"),
    ),
    file_row("a NUL in a body", {"tasks/a.md": "---\nid: a\n---\nx\0y\n"}, ("tasks/a.md", 4, "NUL", "text file")),
    file_row(
        "a file of 17 MiB",
        {"tasks/a.md": b"x" * (17 * 1024 * 1024)},
        ("tasks/a.md", None, "larger than 16 MiB", "split it"),
    ),
    file_row(
        "a folder named like a file",
        {"tasks/a.yaml": Folder()},
        ("tasks/a.yaml", None, "is a folder", "rename the folder"),
    ),
    file_row(
        "a pipe named like a file",
        {"tasks/a.yaml": Pipe()},
        ("tasks/a.yaml", None, "neither a file nor a folder", "rename or remove"),
    ),
    file_row(
        "a link to nothing",
        {"tasks/a.yaml": Link("gone.yaml")},
        ("tasks/a.yaml", None, "leads to nothing", "mend or remove"),
    ),
    file_row(
        "a link to itself",
        {"tasks/a.yaml": Link("a.yaml")},
        ("tasks/a.yaml", None, "cannot be read", "file that you may read"),
    ),
    file_row(
        "a link to a file outside",
        {"tasks/a.yaml": Link("/etc/passwd")},
        ("tasks/a.yaml", None, "leads out of the project", "inside"),
    ),
    file_row(
        "a link to a folder outside",
        {"tasks/more": Link("/etc")},
        ("tasks/more", None, "leads out of the project", "inside"),
    ),
    file_row(
        "a task folder that is a link to outside",
        {"tasks": Link("/etc")},
        ("tasks", None, "outside of the project", "inside"),
    ),
    file_row(
        "a task folder that is a file",
        {"tasks": "x"},
        ("tasks", None, "tasks is not a folder of task files", "name a folder"),
    ),
    file_row(
        "front matter that does not end",
        {"tasks/a.md": "\n---\nid: a\n\n# x\n"},
        ("tasks/a.md", 2, "does not end", "a line `---`"),
    ),
    file_row(
        "front matter that is a list",
        {"tasks/a.md": "---\n- x\n---\n"},
        ("tasks/a.md", 2, "`key: value` lines", "title"),
    ),
    file_row(
        "front matter that is no YAML",
        {"tasks/a.md": "---\nid: a\ntitle: 'x\n---\n"},
        ("tasks/a.md", 3, "not valid YAML", "close the quote"),
    ),
    file_row(
        "a wrong field below a byte order mark",
        {"tasks/a.md": "\ufeff---\r\nid: a\r\npriority: x\r\n---\r\n"},
        ("tasks/a.md", 3, "priority must be one of", ""),
    ),
)

BAD_INPUTS: Final = (*YAML_ROWS, *FIELD_ROWS, *ID_ROWS, *AGENT_ROWS, *SETTINGS_ROWS, *FILE_ROWS)
