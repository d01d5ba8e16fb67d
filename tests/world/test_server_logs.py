"""Logs over HTTP, whole, in parts and while they grow; and whatever else strange may be asked for."""

import json
from pathlib import Path

import pytest

from tests.world.projects import make_project, person, shell, until
from tests.world.serving import error_of, serving_project


@pytest.mark.slow
async def test_a_log_can_be_had_in_parts(tmp_path: Path) -> None:
    make_project(
        tmp_path, [shell("A", "printf 'äbc'; exit 1", retry={"max": 2}), shell("B", "test -e x || echo no >&2")]
    )
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await server.wait_for_end(run)

        async def text(query: str = "", **headers: str) -> tuple[int, bytes]:
            answer = await server.client.get(f"/tasks/{query}", headers=headers)
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            return answer.status_code, answer.content

        assert await text("A/logs/stdout") == (200, "äbc".encode())
        assert await text(f"A/logs/stdout?run={run}&attempt=1") == (200, "äbc".encode())
        assert await text("A/logs/stdout?tail=2") == (200, b"bc")
        assert await text("A/logs/stdout?tail=3") == (200, b"bc")  # not half of a letter
        assert await text("A/logs/stdout", Range="bytes=2-") == (206, b"bc")
        assert await text("A/logs/stdout", Range="bytes=-1") == (206, b"c")
        assert await text("A/logs/stderr") == (200, b"")
        assert await text("B/logs/stderr") == (200, b"no\n")
        assert (await server.get("/tasks/A/logs?tail=1"))["stdout"] == "c"
        for query, refused in [
            ("A/logs?attempt=9", (409, "wrong_state")),
            ("Z/logs", (404, "unknown_task")),
            ("A/logs/other", (422, "usage")),
            ("A/../../logs", (404, "refused")),
            ("A%2Fleg-9/logs", (409, "wrong_state")),
        ]:
            assert error_of(await server.client.get(f"/tasks/{query}")) == refused, query


@pytest.mark.slow
async def test_a_link_in_the_place_of_a_log_is_refused_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    make_project(tmp_path, [shell("A", "echo out")])
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await server.wait_for_end(run)
        log = Path((await server.get("/tasks/A/logs"))["folder"]) / "stdout.log"
        log.unlink()
        log.symlink_to(tmp_path / "secret")
        for address in ("/tasks/A/logs/stdout", "/tasks/A/logs"):
            answer = await server.client.get(address)
            assert error_of(answer) == (500, "store")
            assert answer.json()["data"]["message"] == "the log is a link"
        assert "secret" not in str([message.data for message in await server.read(run)])


async def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        headers = {"Content-Type": "application/json"}
        for content in (b"{", b"\xff", b"[" * 10_000, b"{}" + b" " * (1 << 20)):
            answer = await server.client.post("/runs", content=content, headers=headers)
            assert error_of(answer)[0] in {400, 413, 422}, answer.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "status", "content", "told"),
    [
        ("bytes=0-2", 206, b"012", "bytes 0-2/10"),
        ("bytes=9-", 206, b"9", "bytes 9-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
    ],
)
async def test_a_range_of_a_log_is_answered_as_the_standard_says(
    tmp_path: Path, wanted: str, status: int, content: bytes, told: str | None
) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "printf 0123456789")])) as server:
        await server.wait_for_end(await server.start())
        answer = await server.client.get("/tasks/A/logs/stdout", headers={"Range": wanted})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, told)


@pytest.mark.slow
async def test_a_log_that_grows_while_it_is_sent_is_sent_as_it_was(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "touch begun; until test -e go; do seq 1 2000; done")])
    async with serving_project(tmp_path) as server:
        await server.start()
        await until((tmp_path / "begun").exists)
        for _ in range(30):
            answer = await server.client.get("/tasks/A/logs/stdout")
            assert len(answer.content) == int(answer.headers["content-length"])
        (tmp_path / "go").touch()


ODD_TEXTS = ["\x00", "a\nb\r\n", "\x1b[31m", "\u202e", "x" * 90_000, "{{ 7 * 7 }}", "'; DROP TABLE runs; --"]


@pytest.mark.slow
async def test_odd_texts_are_taken_and_given_back_as_they_are(tmp_path: Path) -> None:
    tasks = [person(f"P{i}") for i in range(len(ODD_TEXTS))]
    async with serving_project(make_project(tmp_path, tasks)) as server:
        run = await server.start()
        await server.read(run)
        for i, text in enumerate(ODD_TEXTS):
            body = json.dumps({"output": text, "outputs": {"text": text}, "by": text[:100]})
            headers = {"Content-Type": "application/json"}
            answer = await server.client.post(f"/tasks/P{i}/complete", content=body, headers=headers)
            assert answer.is_success, answer.text
            found = (await server.get(f"/tasks/P{i}"))["result"]
            given = found["output"] if not found["metadata"].get("output_file") else text
            assert (given[:1000], found["outputs"]["text"][:1000]) == (text[:1000], text[:1000])
        await server.read(run)
        half = '{"outputs": {"text": "\\ud800"}}'
        assert error_of(await server.client.post("/tasks/P0/complete", content=half, headers=headers))[0] in {409, 422}
        nan = await server.client.post("/tasks/P0/complete", content='{"outputs": {"x": NaN}}', headers=headers)
        assert error_of(nan) == (422, "usage")


@pytest.mark.slow
async def test_odd_addresses_are_errors_of_their_own(tmp_path: Path) -> None:
    odd = [
        "%00",
        "%0a",
        "..%2f..",
        "%2e%2e",
        "%ff",
        "A%00",
        "ü",
        "%ed%a0%80",
        "x" * 5000,
        "A%2f..%2fA",
        "%7b%7b1%7d%7d",
    ]
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        await server.wait_for_end(await server.start())
        for name in odd:
            for address in (
                f"/tasks/{name}",
                f"/tasks/{name}/logs",
                f"/tasks/{name}/why",
                f"/runs/{name}",
                f"/x{name}",
            ):
                status, _ = error_of(await server.client.get(address))
                assert 400 <= status < 500, address
            for query in (f"run={name}", f"attempt={name}"):
                status, _ = error_of(await server.client.get(f"/tasks/A/logs?{query}"))
                assert 400 <= status < 500, query
