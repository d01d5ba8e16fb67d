"""Secrets, as a user has them: what is not named reaches no child, and what is named reaches no file and no screen.

Every run here is a real `orch` on real processes. Afterwards each file under the state folder is searched byte by byte,
the database with its journal included, and everything that any command printed, for every spelling in which a secret
is likely to show itself: as it is, escaped for JSON once and twice, and in base64 at any alignment.
"""

import base64
import json
import os
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.project import Done, Project

pytestmark = pytest.mark.slow

NAMED = {
    "FROM_ENV": 'env-Zq7"w\\K2/plain+d9',
    "FROM_OTHER": "other-Yt5=Rm3&Lx8",
    "FROM_FILE": "file-Jd4$Vb6%Nc1",
    "FROM_COMMAND": "command-Hg2(Xs9)Pf7",
    "FROM_DOTENV": "dotenv-Uk3;Ew8:Qa5",
    "FROM_DIGITS": "4917263850",
    "SERVICE_TOKEN": "passed-Ib6,Oz2.Tl4",
    "WRITTEN_PASSWORD": "written-Cm9~Ry1_Gj8",
}
"""What the tasks may see, by each way in which it can come to them."""

UNNAMED = {
    "STRANGER_TOKEN": "stranger-Wd5Fb3Ks7",
    "AWS_SECRET_ACCESS_KEY": "cloud-Mv8Hx2Nq4",
    "PLAIN_THING": "plain-Bt6Lz9Rp1",
}
"""What stands in the environment of `orch`, and nobody has named."""

SETTINGS: Mapping[str, Any] = {
    "kill_grace": 0.5,
    "env": {"WRITTEN_PASSWORD": NAMED["WRITTEN_PASSWORD"]},
    "pass_env": ["SERVICE_TOKEN"],
    "secrets": {
        "FROM_ENV": {"env": "FROM_ENV"},
        "FROM_OTHER": {"env": "OTHER_NAME"},
        "FROM_FILE": {"file": "kept/secret.txt"},
        "FROM_DIGITS": {"file": "kept/digits.txt"},
        "FROM_COMMAND": {"command": "cat kept/printed.txt"},
        "FROM_DOTENV": {"dotenv": "kept/some.env", "key": "INSIDE"},
    },
}


def needles(secret: str) -> list[bytes]:
    """Bytes by which a secret would be found."""
    once = json.dumps(secret)[1:-1]
    found = [secret, once, json.dumps(once)[1:-1]]
    codes = []
    for before in range(3):
        code = base64.b64encode(b"x" * before + secret.encode()).rstrip(b"=")
        codes.append(code[4 if before else 0 : len(code) - len(code) % 4 - 4])
    return [*(text.encode() for text in found), *codes]


@dataclass
class Searched:
    """A project whose every word is kept, to be searched at the end."""

    root: Path
    said: list[tuple[str, bytes]] = field(default_factory=list)

    def prepare(self, tasks: Sequence[Mapping[str, Any]], agents: Mapping[str, Any]) -> None:
        """Write the project, with its secrets where they are kept."""
        project = Project(self.root)
        project.write("orchestration.yaml", yaml.safe_dump({**SETTINGS, "agents": dict(agents)}))
        project.write("tasks/all.yaml", yaml.safe_dump({"tasks": list(tasks)}, sort_keys=False))
        project.write("kept/secret.txt", NAMED["FROM_FILE"] + "\n")
        project.write("kept/digits.txt", NAMED["FROM_DIGITS"])
        project.write("kept/printed.txt", NAMED["FROM_COMMAND"] + "\n")
        project.write("kept/some.env", f"INSIDE='{NAMED['FROM_DOTENV']}'\n")

    def orch(self, *arguments: str) -> Done:
        """Run a command with all the secrets in its environment."""
        variables = {
            **{name: NAMED[name] for name in ("FROM_ENV", "SERVICE_TOKEN")},
            "OTHER_NAME": NAMED["FROM_OTHER"],
            **UNNAMED,
        }
        done = Project(self.root, variables).orch(*arguments)
        self.said += [(f"stdout of {arguments}", done.out.encode()), (f"stderr of {arguments}", done.err.encode())]
        return done

    def look_everywhere(self, tasks: Sequence[str]) -> None:
        """Have everything printed that can be."""
        for command in ("report", "report --format json", "status --all --json"):
            self.orch(*command.split())
        for task in tasks:
            for command in (f"why {task}", f"show {task} --prompt", f"logs {task}"):
                self.orch(*command.split())

    def leaks(self, secrets: Mapping[str, str]) -> list[str]:
        """Where any of the secrets stands."""
        state = self.root / ".orchestration"
        files = [(str(path), path.read_bytes()) for path in sorted(state.rglob("*")) if path.is_file()]
        assert any(name.endswith("state.db") for name, _ in files)
        assert sum(len(data) for _, data in self.said) > 1000
        return [
            f"{name} in {place}: …{data[max(0, data.find(needle) - 60) : data.find(needle)]!r}"
            for place, data in [*files, *self.said]
            for name, secret in secrets.items()
            for needle in needles(secret)
            if needle in data
        ]


@pytest.fixture
def searched(tmp_path: Path) -> Searched:
    return Searched(tmp_path)


def program(root: Path, name: str, text: str) -> str:
    """A Python program of the project, and the command that runs it without anything of the user's."""
    (root / name).write_text(textwrap.dedent(text))
    return f"{shlex.quote(sys.executable)} -I -S {name}"


SEEN = 'python3 -c \'import os;open("{file}","w").write(repr(dict(os.environ)))\''
"""A command that writes down what it can see, in a file of the project (which nobody searches)."""


def test_what_nobody_named_reaches_no_child_of_any_kind(searched: Searched) -> None:
    root = searched.root
    dump = "import os, json; print(json.dumps({'status': 'success'})); open('seen.script', 'w').write(repr(os.environ))"
    (root / "called.py").write_text("import os\ndef look():\n    open('seen.python', 'w').write(repr(os.environ))\n")
    agents = {
        "a-script": {"kind": "script", "command": [sys.executable, "-c", dump]},
        "a-function": {"kind": "python", "function": "called:look"},
        "a-scripted": {"kind": "scripted", "script": [{"run": SEEN.format(file="seen.tool")}, "final"]},
        "both": {
            "kind": "hybrid",
            "strategy": "chain",
            "agents": ["a-scripted"],
            "check": SEEN.format(file="seen.hop"),
        },
    }
    (root / ".env").write_text("".join(f"{name}={value}\n" for name, value in UNNAMED.items()) + "DOT=dotted-Qe4Wr7\n")
    tasks: list[dict[str, Any]] = [
        {
            "id": "SHELL",
            "agent": "shell",
            "description": SEEN.format(file="seen.shell"),
            "setup": [SEEN.format(file="seen.setup")],
            "verify": [SEEN.format(file="seen.verify")],
        },
        *({"id": name.upper(), "agent": name, "description": "x"} for name in agents),
    ]
    searched.prepare(tasks, agents)
    ran = searched.orch("run-batch", "--events")
    assert ran.code == 0, ran.err
    seen = {path.name: path.read_text() for path in root.glob("seen.*")}
    assert set(seen) == {f"seen.{kind}" for kind in ("script", "python", "tool", "hop", "shell", "setup", "verify")}
    for name, text in seen.items():
        assert NAMED["SERVICE_TOKEN"] in text, name  # that was named, for all of them
        for value in (*UNNAMED.values(), "dotted-Qe4Wr7", NAMED["FROM_ENV"], NAMED["FROM_FILE"]):
            assert value not in text, f"{name} saw {value}"
    searched.look_everywhere(["SHELL"])
    assert not searched.leaks({**UNNAMED, **NAMED, "DOT": "dotted-Qe4Wr7"})


TELLS = """
    import base64, json, os, sys, time
    names = os.environ["TELL"].split()
    def flush(stream, text, pause=0.03):
        half = len(text) // 2
        for part in (text[:half], text[half:]):
            stream.write(part); stream.flush(); time.sleep(pause)
    with open(os.environ["ORCH_OUTPUT"], "a") as given:
        for name in names:
            value = os.environ[name]
            code = base64.b64encode(value.encode()).decode()
            for stream in (sys.stdout, sys.stderr):
                flush(stream, f"whole {value} json {json.dumps(value)} twice {json.dumps(json.dumps(value))} {code}\\n")
                stream.write(f"{base64.b64encode(b'x' + value.encode()).decode()} at the end of a line {value}\\n")
            given.write(json.dumps({name: value, "in_" + name: {"deep": [value, code]}}) + "\\n")
    kind = sys.argv[1]
    if kind == "report":
        print(json.dumps({"status": "success", "output": value, "outputs": {n: os.environ[n] for n in names},
                          "model": value, "extra": value}))
    if kind == "failed report":
        print(json.dumps({"status": "failed", "error": "no entry with " + value, value: value}))
        raise SystemExit(1)
    if kind == "bad report":
        print('{"status": "succ' + value + '"}')
    if kind == "bad outputs":
        open(os.environ["ORCH_OUTPUT"], "a").write("neither " + value + "\\n")
    if kind == "fails":
        raise SystemExit("it was " + value)
"""


def test_what_was_named_reaches_no_file_and_no_screen(searched: Searched) -> None:
    root = searched.root
    tell, names = program(root, "tell.py", TELLS), list(NAMED)
    wanted = {"secrets": [name for name in names if name.startswith("FROM_")], "env": {"TELL": " ".join(names)}}
    written = NAMED["WRITTEN_PASSWORD"]
    kinds, words = ("report", "failed report", "bad report"), shlex.split(tell)
    agents: dict[str, Any] = {kind.replace(" ", "-"): {"kind": "script", "command": [*words, kind]} for kind in kinds}
    everywhere: list[object] = [
        {"leak": {"name": name, "to": to, "split": True}}
        for name in names
        for to in ("text", "noise", "output", "stderr")
    ]
    answers: list[object] = [{"leak": {"name": name, "to": "answer"}} for name in names]
    agents["asked"] = {
        "kind": "scripted",
        "script": [{"say": "{task}"}, *everywhere, {"run": f"{tell} fails"}, *answers, "final"],
    }
    below = {"agent": "shell", "description": "cat $ORCH_INPUTS"}
    tasks: list[dict[str, Any]] = [
        {"id": "SHELL", "agent": "shell", "description": f"{tell} shell", "verify": [f"{tell} shell"], **wanted},
        {"id": "FAILS", "agent": "shell", "description": f"{tell} fails", **wanted, "retry": {"max": 2, "backoff": 0}},
        {"id": "CHECKED", "agent": "shell", "description": "true", "verify": [f"{tell} fails"], **wanted},
        {"id": "SET-UP", "agent": "shell", "description": "true", "setup": [f"{tell} fails"], **wanted},
        {"id": "OUTPUTS", "agent": "shell", "description": f"{tell} 'bad outputs'", **wanted},
        {"id": "LINE", "agent": "shell", "description": f"exit 3 # {written}", **wanted},
        {"id": "NO-SUCH", "agent": "shell", "description": f"no-such-program {written}", **wanted},
        {"id": "NO-FILE", "agent": "shell", "description": "true", "deliverables": [f"out/{written}"], **wanted},
        *({"id": f"AN-{name}", "agent": name, "description": f"x {written}", **wanted} for name in agents),
        {"id": "BELOW", **below, "depends_on": ["SHELL", "AN-report", "AN-asked"]},
        {
            "id": "TEXT", "agent": "asked", "depends_on": ["SHELL"], **wanted,
            "description": "Take {{ tasks['SHELL'].output }} and {{ tasks['SHELL'].outputs }}, and " + written,
        },
    ]  # fmt: skip
    searched.prepare(tasks, agents)
    ran = searched.orch("run-batch", "--events", "-j", "4")
    assert ran.code == 1, ran.err
    assert '"***"' in searched.orch("logs", "BELOW").out
    searched.look_everywhere(["FAILS", "AN-asked", "TEXT", "NO-SUCH"])
    searched.orch("retry", "--failed")
    searched.orch("run-batch", "--json")
    assert not searched.leaks(NAMED)


def test_what_a_function_says_yields_and_raises_is_masked(searched: Searched) -> None:
    root = searched.root
    (root / "called.py").write_text(
        textwrap.dedent("""
        import os, sys, warnings
        def secret(): return os.environ["FROM_ENV"]
        def returns(): return {"output": "got " + secret(), "outputs": {"key": secret(), secret(): [secret()]}}
        def raises(): raise ValueError("bad key " + secret())
        def raises_from():
            try: raise KeyError(secret())
            except KeyError as error: raise RuntimeError("no " + secret()) from error
        def yields():
            yield "a " + secret() + " b"
            for letter in secret(): yield letter
            yield {"type": "text", "text": secret()}
            yield {"type": "done", "value": secret()}
        def yields_text():
            half = len(secret()) // 2
            yield "first " + secret()[:half]
            yield secret()[half:] + " last"
        def exits(): sys.exit("exit " + secret())
        def prints():
            half = len(secret()) // 2
            print(secret()); print(secret()[:half], end="", flush=True)
            print(secret()[half:], flush=True); print(secret(), file=sys.stderr)
            return secret()
        def numbers():
            half = os.environ["FROM_DIGITS"][:4], os.environ["FROM_DIGITS"][4:]
            print(half[0], end="", flush=True)
            yield {"number": int(os.environ["FROM_DIGITS"])}
            print(half[1], flush=True)
            yield {"type": "done", "number": int(os.environ["FROM_DIGITS"])}
        def long(): raise ValueError("z" * 65500 + secret() + "z" * 70000 + secret())
        def long_text(): return "y" * 65500 + secret() + "y" * 65500 + secret()
        """)
    )
    functions = ["returns", "raises", "raises_from", "yields", "yields_text", "exits", "prints", "numbers"]
    functions += ["long", "long_text"]
    wanted = {"secrets": ["FROM_ENV", "FROM_DIGITS"]}
    agents = {name: {"kind": "python", "function": f"called:{name}", **wanted} for name in functions}
    tasks: list[dict[str, Any]] = [{"id": name, "agent": name, "description": "x"} for name in functions]
    tasks.append(
        {"id": "BELOW", "agent": "shell", "description": "cat $ORCH_INPUTS", "depends_on": ["returns", "yields"]}
    )
    searched.prepare(tasks, agents)
    ran = searched.orch("run-batch", "--events", "-j", "4")
    assert ran.code == 1, ran.err
    numbers = next(
        json.loads(line) for line in ran.out.splitlines() if '"task_completed"' in line and "numbers" in line
    )
    assert numbers["outputs"] == {"number": "***"}
    assert numbers["output"] == "***"
    searched.look_everywhere(["raises_from", "yields_text", "prints"])
    assert not searched.leaks(NAMED)


def test_what_is_written_into_files_is_masked_in_the_kept_changes(searched: Searched) -> None:
    root = searched.root
    subprocess.run(["git", "init", "--quiet", str(root)], check=True, timeout=20)
    write = program(
        root, "write.py", "import os; open('made.txt', 'w').write('key = ' + os.environ['FROM_FILE'] + '.')"
    )
    task = {"id": "CHANGES", "agent": "shell", "description": write, "expects_changes": True, "secrets": ["FROM_FILE"]}
    searched.prepare([task], {})
    ran = searched.orch("run-batch", "--events")
    assert ran.code == 0, ran.err
    (found,) = (root / ".orchestration").rglob("changes.patch")
    assert "key = ***" in found.read_text()
    searched.look_everywhere(["CHANGES"])
    assert not searched.leaks(NAMED)


def test_a_password_in_the_address_of_a_proxy_is_masked(searched: Searched) -> None:
    searched.prepare([{"id": "A", "agent": "shell", "description": "echo by $HTTPS_PROXY"}], {})
    password = "proxy-Hn4Sd8Vz"
    ran = Project(searched.root, {"HTTPS_PROXY": f"http://me:{password}@127.0.0.1:9/"}).orch("run-batch", "--events")
    searched.said.append(("run", ran.out.encode() + ran.err.encode()))
    searched.look_everywhere(["A"])
    assert "by ***" in searched.orch("logs", "A").out
    assert not searched.leaks({"HTTPS_PROXY": password})


def test_each_task_has_what_it_is_passed_masked_also_where_nothing_else_is_written(searched: Searched) -> None:
    shell: dict[str, Any] = {"agent": "shell", "description": "echo got $FIRST_TOKEN $SECOND_TOKEN $THIRD_TOKEN"}
    passed = {"A": ["FIRST_TOKEN"], "B": ["FIRST_TOKEN", "SECOND_TOKEN"], "C": ["FIRST_TOKEN"], "D": []}
    secrets = {name: os.urandom(12).hex() for name in ("FIRST_TOKEN", "SECOND_TOKEN", "THIRD_TOKEN")}
    searched.prepare([{"id": task, "pass_env": names, **shell} for task, names in passed.items()], {})
    Project(searched.root).write("orchestration.yaml", "env: {}\n")
    third = {"id": "E", "env": {"THIRD_TOKEN": secrets["THIRD_TOKEN"]}, "pass_env": ["FIRST_TOKEN"]}
    Project(searched.root).write("tasks/e.yaml", yaml.safe_dump({**third, **shell}))
    ran = Project(searched.root, {name: secrets[name] for name in ("FIRST_TOKEN", "SECOND_TOKEN")}).orch("run-batch")
    searched.said.append(("run", ran.out.encode() + ran.err.encode()))
    searched.look_everywhere([*passed, "E"])
    stars = {task: searched.orch("logs", task).out.count("***") for task in (*passed, "E")}
    assert stars == {"A": 1, "B": 2, "C": 1, "D": 0, "E": 2}
    assert not searched.leaks(secrets)


def test_a_key_that_an_agent_is_passed_is_masked(searched: Searched) -> None:
    key = os.urandom(12).hex()
    script = [{"run": "echo $OPENAI_API_KEY"}, "final"]
    agents = {"mute": {"kind": "scripted", "script": script, "pass_env": ["OPENAI_API_KEY"]}}
    searched.prepare([{"id": "A", "agent": "mute", "description": "x", "verify": ["echo [$OPENAI_API_KEY]"]}], agents)
    ran = Project(searched.root, {"OPENAI_API_KEY": key}).orch("run-batch", "--events")
    searched.said.append(("run", ran.out.encode() + ran.err.encode()))
    assert ran.code == 0, ran.err
    assert "***" in ran.out
    searched.look_everywhere(["A"])
    assert not searched.leaks({"key": key})


def test_a_secret_that_is_missing_is_told_and_one_too_short_to_mask_is_warned_about(searched: Searched) -> None:
    tasks: list[dict[str, Any]] = [
        {"id": "MISSING", "agent": "shell", "description": "true", "secrets": ["NOT_THERE"]},
        {"id": "SHORT", "agent": "shell", "description": "true", "secrets": ["TINY"], "env": {"TINY_TOKEN": "ab"}},
    ]
    searched.prepare(tasks, {})
    ran = Project(searched.root, {"TINY": "xyz", "FROM_ENV": "1234567"}).orch("run-batch", "--events")
    assert ran.code == 1
    ended = {event["task_id"]: event for event in map(json.loads, ran.out.splitlines()) if "failure" in event}
    assert ended["MISSING"]["failure"] == "auth"
    assert "NOT_THERE" in ended["MISSING"]["error"]
    (done,) = (event for event in map(json.loads, ran.out.splitlines()) if event["type"] == "task_completed")
    (warning,) = done["metadata"]["warnings"]
    assert "TINY" in warning
    assert "xyz" not in warning


def test_what_a_killed_orch_left_to_be_passed_on_is_removed_by_the_next_attempt(searched: Searched) -> None:
    told = "echo key=$FROM_FILE >> $ORCH_OUTPUT; touch told; until test -e go; do sleep 0.05; done"
    searched.prepare([{"id": "A", "agent": "shell", "description": told, "secrets": ["FROM_FILE"]}], {})
    with Project(searched.root).start("run-batch", output=subprocess.DEVNULL) as orch:
        deadline = time.monotonic() + 20
        while not (searched.root / "told").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        orch.kill()
    (searched.root / "go").touch()
    again = searched.orch("run-batch", "--events")
    assert again.code == 0, again.err
    searched.look_everywhere(["A"])
    assert not searched.leaks(NAMED)
