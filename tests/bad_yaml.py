"""Bad inputs that are no YAML, or YAML that means something else than it looks like; part of the table `bad_inputs`."""

from typing import Final

from tests.bad_input_rows import CHAIN, LAUGHS, task_row

YAML_ROWS: Final = (
    task_row(
        "a list that is not closed", "id: a\nlabels: [x, y\ntitle: b\n", (2, "not valid YAML", "close the bracket")
    ),
    task_row(
        "a quote that is not closed", 'id: a\ntitle: "b\nagent: shell\n', (2, "not valid YAML", "close the quote")
    ),
    task_row("a tab as indentation", "id: a\nretry:\n\tmax: 3\n", (3, "not valid YAML", "spaces, not with tabs")),
    task_row("a colon in a title", "id: a\ntitle: Fix: the bug\n", (2, "not valid YAML", "': ' in quotes")),
    task_row("text that begins with an at sign", "id: a\ntitle: @home\n", (2, "not valid YAML", "begins with @")),
    task_row("a line that is no key", "id: a\ntitle\nagent: shell\n", (2, "not valid YAML", "`key: value`")),
    task_row("text that begins with a star", "id: a\ntitle: *important\n", (2, "nothing above is called", "quotes")),
    task_row("text that begins with braces", "id: a\nwhen: {{ x }}\n", (2, "a key has to be plain text", "quotes")),
    task_row("a key given twice", "id: a\ntitle: b\ntitle: c\n", (3, "'title' stands twice", "remove one")),
    task_row("a nested key given twice", "id: a\nenv:\n  A: 1\n  A: 2\n", (4, "'A' stands twice", "remove one")),
    task_row("a tag that makes objects", "id: a\nnotes: !!python/name:os.system x\n", (2, "!!python/name", "!tags")),
    task_row("a tag of the user's own", "id: a\nenv: !secret {A: b}\n", (2, "the tag !secret", "!tags")),
    task_row("two documents in one file", "id: a\n---\nid: b\n", (2, "a second document", "`tasks:`")),
    task_row("a billion laughs", LAUGHS, (6, "more than 1,000,000 values", "split the file")),
    task_row("aliases nested two thousand deep", f"id: a\n{CHAIN}", (65, "nested deeper than 64", "quotes")),
    task_row(
        "a hundred thousand brackets", "id: a\nmetadata: " + "[" * 100_000, (2, "nested deeper than 64", "quotes")
    ),
    task_row("a hundred thousand dashes", "- " * 100_000 + "x", (1, "nested deeper than 64", "quotes")),
    task_row("a value that contains itself", "id: a\nmetadata: &m\n  x: *m\n", (3, "inside of what it stands for", "")),
    task_row("a merge of what is no mapping", "id: a\nenv:\n  <<: b\n", (3, "merged by <<", "of a mapping")),
    task_row("a control character", "id: a\ntitle: x\x01y\n", (2, "control character '\\x01'", "remove it")),
    task_row("an escape of NUL", 'id: a\ntitle: "x\\0y"\n', (2, "no program takes", "escape")),
    task_row("a value in front of which there is no key", "id: a\n?\n: b\n", (2, "nothing before the colon", "key")),
)
