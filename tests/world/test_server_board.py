"""The board: a page that needs nobody else, runs no script but its own, and shows what happens in a real browser."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestration.server import board
from tests.world.browser import PROGRAM, browsing
from tests.world.projects import make_project, shell, until
from tests.world.serving import TOKEN, Server, serving_project

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read_page() -> Page:
    page = Page()
    page.feed(board.page())
    page.close()
    return page


def test_the_page_is_well_formed_and_each_id_is_there_once() -> None:
    page = read_page()
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r"\bat\(\"(\w+)\"\)", board.page()))
    assert wanted <= set(ids)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = read_page()
    for tag, attributes in page.tags:
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
    assert "//" not in re.sub(r"^\s*// .*|// ----.*", "", board.page(), flags=re.MULTILINE)


def test_no_text_becomes_html() -> None:
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser"):
        assert word not in board.page()


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else() -> None:
    policy = dict(part.split(" ", 1) for part in board.headers()["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", board.page(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'"


async def test_the_page_is_served_with_its_policy(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        answer = await server.client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == board.headers()["Content-Security-Policy"]
    assert answer.text == board.page()


needs_browser = pytest.mark.skipif(PROGRAM is None, reason="there is no browser on this machine")
ROW = "[...document.querySelectorAll('#tasks tr')].find((row) => row.textContent.startsWith('{}'))"
LIVE, BAD, DONE = map(ROW.format, ("LIVE", "BAD", "DONE"))


def button(row: str, word: str) -> str:
    """A button of a row."""
    return f"[...{row}.querySelectorAll('button')].find((one) => one.textContent === '{word}')"


@asynccontextmanager
async def live_run(root: Path) -> AsyncIterator[Server]:
    """A server with a run of which a task has begun, that says something once there is a file `go`."""
    root.mkdir()
    tasks = [
        shell("DONE", "true"),
        shell("LIVE", "touch begun; until test -e go; do sleep 0.05; done; cat said; sleep 600", "DONE", title=EVIL),
        shell("BAD", "cat said >&2; exit 3"),
    ]
    (root / "said").write_text(f"before\n{EVIL}\n")
    async with serving_project(make_project(root, tasks)) as server:
        await server.start()
        await until((root / "begun").exists)
        yield server


@pytest.mark.slow
@needs_browser
async def test_a_browser_shows_a_run_while_it_goes_on_and_obeys_no_agent(tmp_path: Path) -> None:
    root = tmp_path / "project"
    async with live_run(root) as server, browsing(str(server.client.base_url), tmp_path / "browser") as tab:
        await tab.wait_for(f"{LIVE}?.textContent.includes('in progress')")
        await tab.wait_for(f"{BAD}?.textContent.includes('failed')")
        await tab.wait_for(f"{DONE}?.textContent.includes('success')")
        await tab.wait_for(f"{LIVE}?.textContent.startsWith('LIVE<img src=x onerror')")  # its title
        await until(lambda: server.served.readers == 1)
        (root / "go").touch()  # from here on by the stream
        await tab.wait_for(f"{LIVE}.textContent.includes('onerror')")
        await tab.value(f"{LIVE}.querySelector('td.id button').click()")
        await tab.wait_for("document.getElementById('log').textContent.startsWith('before\\n<img src=x onerror')")
        assert await tab.value("document.title") == "orch"  # no agent's script has run
        assert await tab.value("document.images.length") == 0
        await tab.picture(tmp_path / "board.png")


@pytest.mark.slow
@needs_browser
async def test_the_page_reads_without_a_token_and_asks_for_it_before_a_change(tmp_path: Path) -> None:
    async with (
        live_run(tmp_path / "project") as server,
        browsing(str(server.client.base_url), tmp_path / "browser") as tab,
    ):
        await tab.wait_for(f"{LIVE} && {button(LIVE, 'Cancel')}")
        for token, said in (("wrong", "needs the server's token"), (TOKEN, "")):
            await tab.value(f"{button(LIVE, 'Cancel')}.click()")
            await tab.wait_for("document.getElementById('ask').open")
            await tab.value(f"document.getElementById('token').value = '{token}'")
            await tab.value("document.querySelector('#ask button[value=use]').click()")
            await tab.wait_for(f"document.getElementById('problem').textContent.includes({said!r})")
            if said:
                assert (await server.get("/tasks/LIVE"))["status"] == "in_progress"
        await tab.wait_for(f"{LIVE}.textContent.includes('cancelled')")


@pytest.mark.slow
@needs_browser
async def test_a_token_in_the_address_is_used_and_taken_out_of_it(tmp_path: Path) -> None:
    async with live_run(tmp_path / "project") as server:
        url = f"{server.client.base_url}#token={TOKEN}"
        async with browsing(url, tmp_path / "browser") as tab:
            await tab.wait_for(f"{BAD} && {button(BAD, 'Retry')}")
            assert await tab.value("location.hash") == ""
            await tab.value(f"{button(BAD, 'Retry')}.click()")
            async with asyncio.timeout(20):
                while len((await server.get("/tasks/BAD"))["result"]["attempts"]) < 2:  # noqa: ASYNC110  # the run does it
                    await asyncio.sleep(0.05)
