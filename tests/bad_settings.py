"""Settings that are wrong, and agents in them: rows of the table in `bad_inputs`."""

from typing import Final

from tests.bad_input_rows import Folder, Link, Pipe, file_row, settings_row, task_row

AGENT_ROWS: Final = (
    task_row("an unknown agent", "id: a\nagent: shel\n", (2, "there is no agent 'shel'", "did you mean shell?")),
    file_row(
        "a disabled agent",
        {"orchestration.yaml": "agents:\n  x: {kind: shell, enabled: false}\n", "tasks/a.yaml": "id: a\nagent: x\n"},
        ("tasks/a.yaml", 2, "the agent 'x' is disabled", "enable it"),
    ),
    file_row(
        "an unknown pool",
        {"orchestration.yaml": "pools: {gpu: 1}\n", "tasks/a.yaml": "id: a\nuses:\n- gpu\n- gpus\n"},
        ("tasks/a.yaml", 4, "there is no pool 'gpus'", "did you mean gpu?"),
    ),
    task_row("a pool where there are none", "id: a\nuses: gpu\n", (2, "there is no pool 'gpu'", "pools: {gpu: 1}")),
    settings_row(
        "an agent program that is not named",
        "agents:\n  c:\n    kind: cli\n",
        (2, "agents.c: give `preset` (an agent that ships) or `adapter` (a file), one of them", ""),
    ),
    settings_row(
        "an unknown kind", "agents:\n  c: {kind: shel}\n", (2, "there is no kind 'shel'", "did you mean shell?")
    ),
    settings_row("an agent without a kind", "agents:\n  c: {command: x}\n", (2, "agents.c has no kind", "kind: shell")),
    settings_row(
        "a script without a command",
        "agents:\n  c:\n    kind: script\n",
        (2, "agents.c.command is missing", "`command: …`"),
    ),
    settings_row(
        "a script with an empty command",
        "agents:\n  c:\n    kind: script\n    command: []\n",
        (4, "agents.c.command is empty", "at least one"),
    ),
    settings_row(
        "a function that is no import string",
        "agents:\n  c:\n    kind: python\n    function: f\n",
        (4, "agents.c.function must be package.module:function; got 'f'", ""),
    ),
    settings_row(
        "an agent whose name is a path", "agents:\n  ../c: {kind: shell}\n", (2, "is not a safe id", "letters")
    ),
    settings_row("agents as a list", "agents:\n- claude\n", (1, "agents must be a mapping", "")),
    settings_row(
        "an agent without anything",
        "agents:\n  c:\n",
        (2, "agents.c must be a mapping of keys to values; got nothing", ""),
    ),
    file_row(
        "a wrong agent that a task names",
        {
            "orchestration.yaml": "agents:\n  c:\n    kind: shell\n    timeout: x\n",
            "tasks/a.md": "---\nagent: c\n---\n",
        },
        ("orchestration.yaml", 4, "agents.c.timeout: 'x' is no duration", ""),
    ),
    settings_row(
        "a default agent that does not exist",
        "name: x\ndefault_agent: shel\n",
        (2, "default_agent 'shel' is not among the agents", "did you mean shell?"),
    ),
    settings_row(
        "a race with somebody who does not exist",
        "agents:\n  y: {kind: shell}\n  x:\n    kind: hybrid\n    strategy: race\n    agents: [y, nope]\n",
        (3, "the agent x counts on nope, which is not among the agents", "name single agents"),
    ),
    settings_row(
        "a judge who does not exist",
        "agents:\n  x: {kind: hybrid, strategy: vote, agents: [shell, codex], judge: nope}\n",
        (2, "the agent x counts on nope, which is not among the agents", "name single agents"),
    ),
    settings_row(
        "a chain with a step for nobody",
        "agents:\n  x: {kind: hybrid, strategy: chain, steps: [{agent: nope}]}\n",
        (2, "the agent x counts on nope, which is not among the agents", "name single agents"),
    ),
    settings_row(
        "hybrids that count on hybrids and on themselves",
        "agents:\n  a: {kind: hybrid, strategy: race, agents: [a, shell]}\n"
        "  b: {kind: hybrid, strategy: race, agents: [shell, codex]}\n"
        "  c: {kind: hybrid, strategy: race, agents: [shell, b]}\n",
        (2, "the agent a counts on a, which is itself", "name single agents"),
        (4, "the agent c counts on b, which is a hybrid one", "name single agents"),
    ),
    settings_row(
        "fallbacks in a row to one that does not exist, and a wrong default",
        "default_agent: nobody\nagents:\n  a: {kind: shell, fallback: b}\n"
        "  b: {kind: cli, adapter: codex, fallback: nope}\n",
        (1, "default_agent 'nobody' is not among the agents", "known agents"),
        (3, "the agent a counts on b, which is not among the agents", "name single agents"),
        (4, "the agent b counts on nope, which is not among the agents", "name single agents"),
    ),
)

SETTINGS_ROWS: Final = (
    settings_row("settings that are a list", "- a\n", (1, "`key: value` lines", "max_concurrent: 3")),
    settings_row("settings that are no YAML", "name: [\n", (1, "not valid YAML", "")),
    settings_row("no slots", "max_concurrent: 0\n", (1, "max_concurrent must be at least 1; got 0", "")),
    settings_row("very many slots", "max_concurrent: 1000000000\n", (1, "max_concurrent must be at most 10000", "")),
    settings_row("half a slot", "max_concurrent: 2.5\n", (1, "max_concurrent must be a whole number; got 2.5", "")),
    settings_row("a pool without room", "pools:\n  gpu: 0\n", (2, "pools.gpu must be at least 1", "")),
    settings_row(
        "a task folder that does not exist",
        "tasks: backlog\n",
        (1, "the task folder backlog does not exist", "orch add"),
    ),
    settings_row("a task folder outside", "tasks:\n- ../backlog\n", (2, "outside of the project", "inside")),
    file_row(
        "a task folder that is some file",
        {"orchestration.yaml": "tasks: [notes.txt]\n", "notes.txt": ""},
        ("orchestration.yaml", 1, "notes.txt is not a folder of task files", ".md"),
    ),
    file_row(
        "settings that are a folder",
        {"orchestration.yaml": Folder(), "tasks/a.md": "x"},
        ("orchestration.yaml", None, "is a folder", "rename"),
    ),
    file_row(
        "settings that are a pipe",
        {"orchestration.yaml": Pipe(), "tasks/a.md": "x"},
        ("orchestration.yaml", None, "neither a file nor a folder", "rename"),
    ),
    file_row(
        "settings that lead to nothing",
        {"orchestration.yaml": Link("gone.yaml")},
        ("orchestration.yaml", None, "leads to nothing", "link"),
    ),
    settings_row("tasks in the settings", "tasks:\n- id: a\n", (2, "tasks[0] must be text; got a mapping", "")),
)
