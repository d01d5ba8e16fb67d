"""`orch serve` as a process: where it listens, what it prints, how it ends, and what is left of it."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.project import PATIENCE, Project

TOKEN = "a-token-of-tests"
SLEEPS = "echo $$ >pid; touch begun; sleep 600"


class Serving:
    """A server that has printed its address."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        self.printed = process.stdout.readline().decode().strip()
        self.url = json.loads(self.printed)["data"]["url"] if self.printed.startswith("{") else self.printed
        self.client = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE)

    def post(self, address: str, body: object = None) -> Any:  # noqa: ANN401  # any data
        answer = self.client.post(address, json=body)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal; its exit code and what it said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said.decode()


@contextmanager
def serving(project: Project, *arguments: str) -> Iterator[Serving]:
    token = () if "--token-file" in arguments or "--no-token" in arguments else ("--token", TOKEN)
    rest = [argument for argument in arguments if argument != "--no-token"]
    with project.start("serve", "--port", "0", *token, *rest) as process:
        served = Serving(process)
        try:
            yield served
        finally:
            served.client.close()


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while not path.exists() or (path.name == "pid" and not path.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path.read_text().strip()


def is_gone(pid: str) -> bool:
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_prints_its_address_and_ends_with_a_signal(project: Project, number: int, code: int) -> None:
    with serving(project) as served:
        assert served.url.startswith("http://127.0.0.1:")
        assert served.client.get("/version").json()["kind"] == "version"
        ended, said = served.end(number)
    assert ended == code
    assert "Traceback" not in said
    assert TOKEN not in said
    assert not (project.root / ".orchestration").exists()  # nothing was done, so nothing was written


@pytest.mark.slow
def test_a_signal_ends_its_runs_which_are_recorded_and_leaves_no_process(project: Project) -> None:
    project.shell("A", SLEEPS)
    project.shell("B", "true", "A")
    with serving(project) as served:
        run = served.post("/runs", {})["run_id"]
        pid = wait_for(project.root / "pid")
        heard: list[str] = []
        follows = threading.Event()

        def follow() -> None:
            with httpx.stream("GET", f"{served.url}runs/{run}/events", timeout=PATIENCE) as stream:
                for line in stream.iter_lines():
                    heard.append(line)
                    follows.set()

        reader = threading.Thread(target=follow)
        reader.start()
        assert follows.wait(PATIENCE)
        code, said = served.end(signal.SIGINT)
        reader.join(PATIENCE)
    assert code == 130
    assert said.startswith("orch: ending") or "ending: running tasks" in said
    assert is_gone(pid)
    last = [line for line in heard if line.startswith("data: ")][-1]
    assert json.loads(last.removeprefix("data: "))["type"] == "run_completed"
    report = project.json("report")
    assert (report["status"], report["reason"]) == ("cancelled", "signal 2")
    assert project.json("status")["live_runs"] == []


@pytest.mark.slow
def test_a_request_that_never_comes_whole_is_told_of_the_end_and_is_no_fault(project: Project) -> None:
    head = f"POST /runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n{{"
    with serving(project) as served:
        url = httpx.URL(served.url)
        with socket.create_connection((url.host, url.port)) as half:
            half.sendall(head.encode())
            assert served.client.get("/version").is_success
            code, said = served.end()
            answer = half.makefile("rb").read().decode()
    assert code == 143
    assert "Traceback" not in said
    assert "ASGI" not in said
    assert answer.startswith("HTTP/1.1 503")
    assert "the server is ending" in answer


@pytest.mark.slow
def test_a_second_signal_kills_what_does_not_want_to_end(project: Project) -> None:
    project.shell("A", "trap '' TERM; echo $$ >pid; while :; do sleep 0.05; done", kill_grace="1h")
    with serving(project) as served:
        served.post("/runs", {})
        pid = wait_for(project.root / "pid")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.stderr is not None
        while b"ending" not in served.process.stderr.readline():
            pass
        assert served.end(signal.SIGINT)[0] == 143
    assert is_gone(pid)


@pytest.mark.slow
def test_a_server_that_is_killed_leaves_no_process_and_its_run_can_be_resumed(project: Project) -> None:
    project.shell("A", "echo $$ >>pids; echo $$ >pid; test -e go || { setsid sleep 600 & sleep 600; }")
    with serving(project) as served:
        run = served.post("/runs", {})["run_id"]
        pid = wait_for(project.root / "pid")
        served.process.kill()
        served.process.wait()
    assert is_gone(pid)
    project.write("go", "")
    done = project.orch("resume", "--json")
    assert (done.code, done.data["run_id"], done.data["status"]) == (0, run, "success")


@pytest.mark.slow
def test_who_follows_a_run_of_another_process_is_let_go_when_the_server_ends(project: Project) -> None:
    project.shell("A", SLEEPS)
    with project.start("run-batch", "-q") as other, serving(project) as served:
        wait_for(project.root / "begun")
        run = served.client.get("/runs").json()["data"][0]["run_id"]
        with served.client.stream("GET", f"/runs/{run}/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "id: 1"
            code, _ = served.end()
            assert code == 143
            list(lines)  # the stream ends, and ends well
        assert other.poll() is None
        other.send_signal(signal.SIGTERM)
        other.wait(PATIENCE)


@pytest.mark.slow
def test_a_token_is_made_and_told_where_none_is_given(project: Project) -> None:
    with serving(project, "--no-token") as served:
        assert served.client.post("/retry", json={"failed": True}).status_code == 401
        _, said = served.end()
    token = said.split("the token for changes is ")[1].split()[0]
    assert len(token) > 40
    assert f"{served.url}#token={token}" in said


@pytest.mark.slow
@pytest.mark.parametrize("way", ["file", "variable"])
def test_a_token_comes_from_a_file_or_a_variable(project: Project, way: str) -> None:
    project.shell("A", "true")
    if way == "file":
        project.write("token", f"{TOKEN}\n")
        arguments = ["--token-file", "token"]
    else:
        project.variables["ORCH_SERVER_TOKEN"] = TOKEN
        arguments = ["--no-token"]
    with serving(project, *arguments) as served:
        assert served.post("/runs", {})["status"] == "running"
        _, said = served.end()
    assert TOKEN not in said


@pytest.mark.slow
def test_tasks_do_not_see_the_token(project: Project) -> None:
    project.variables["ORCH_SERVER_TOKEN"] = TOKEN
    project.shell("A", "env")
    with serving(project, "--no-token") as served:
        run = served.post("/runs", {})["run_id"]
        with served.client.stream("GET", f"/runs/{run}/events") as stream:
            told = "".join(stream.iter_text())
        served.end()
    assert "ORCH_TASK_ID" in told
    assert TOKEN not in told


@pytest.mark.slow
def test_json_has_the_address_in_an_envelope(project: Project) -> None:
    with serving(project, "--json") as served:
        envelope = json.loads(served.printed)
        assert (envelope["schema"], envelope["kind"]) == ("orch/1", "server")
        assert envelope["data"]["port"] == int(served.url.rsplit(":")[-1].strip("/"))
        assert served.end()[0] == 143


@pytest.mark.slow
def test_a_port_that_is_taken_is_an_error_with_a_hint(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = project.orch("serve", "--port", str(taken.getsockname()[1]))
    assert done.code == 2
    assert "--port 0 takes a free one" in done.last
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "65536"], "--port"),
        (["--port", "-1"], "--port"),
        (["--port", "x"], "--port"),
        (["--token", "a", "--token-file", "b"], "exclude each other"),
        (["--token", ""], "one word"),
        (["--token", "two words"], "one word"),
        (["--token", "ünï"], "one word"),
        (["--token-file", "nowhere"], "nowhere: the token cannot be read: No such file or directory ("),
        (["--host", "203.0.113.1", "--port", "0"], "(name an address of this machine)"),
        (["--host", "no host of ours"], "--host"),
    ],
)
@pytest.mark.slow
def test_what_makes_no_sense_is_refused(project: Project, arguments: list[str], said: str) -> None:
    done = project.orch("serve", *arguments)
    assert done.code == 2, done.err
    assert said in done.last


@pytest.mark.slow
def test_a_project_that_is_not_fit_to_be_run_is_refused(project: Project) -> None:
    project.shell("A", "true", "nobody")
    done = project.orch("serve", "--port", "0")
    assert (done.code, done.out) == (2, "")


@pytest.mark.slow
def test_without_the_extra_it_says_how_to_install_it(project: Project) -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec; "
        "u.find_spec = lambda name, *rest: None if name in {'fastapi', 'uvicorn'} else find(name, *rest); "
        "sys.argv = ['orch', 'serve']; from cli.main import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=project.root, env=project.environment, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"pip install 'orch-tasks[serve]'" in done.stderr.splitlines()[-1]
    assert done.stdout == b""


@pytest.mark.slow
def test_on_an_address_for_others_it_says_what_they_can_do(project: Project) -> None:
    with serving(project, "--host", "0.0.0.0") as served:  # noqa: S104  # that is what is tried
        assert served.url.startswith("http://127.0.0.1:")
        assert served.client.get("/version", headers={"Host": "evil.example"}).status_code == 403
        assert served.client.get("/version", headers={"Host": "10.1.2.3"}).status_code == 200
        _, said = served.end()
    assert "other machines can reach this server" in said
