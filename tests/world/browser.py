"""A real browser without a window, driven over its debugging protocol; for what only a browser can say about a page."""

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60.0
LARGEST = 1 << 26

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--window-size=1200,800",
)


class NotYet(Exception):
    """The browser cannot do that (now): the page is being loaded."""


class Tab:
    """One page of the browser."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line
        self._numbers = itertools.count(1)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401  # any parameters
        number = next(self._numbers)
        await self._line.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = json.loads(await self._line.recv())
            if said.get("id") == number:
                if "error" in said:
                    raise NotYet(said)
                result: dict[str, Any] = said["result"]
                return result

    async def value(self, expression: str) -> Any:  # noqa: ANN401  # any value
        """What an expression comes to in the page."""
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def wait_for(self, condition: str) -> None:
        """Wait until something holds in the page."""
        async with asyncio.timeout(PATIENCE):
            while not await self._holds(condition):  # noqa: ASYNC110  # it happens in the browser
                await asyncio.sleep(0.05)

    async def _holds(self, condition: str) -> bool:
        try:
            return bool(await self.value(f"Boolean({condition})"))
        except NotYet:
            return False

    async def picture(self, file: Path) -> None:
        """Take a picture of what is shown."""
        result = await self.call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(result["data"]))


@asynccontextmanager
async def browsing(url: str, folder: Path) -> AsyncIterator[Tab]:
    """Open a page, with a profile in a folder of its own."""
    assert PROGRAM is not None
    command = [PROGRAM, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    nobody = subprocess.DEVNULL
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=nobody, stderr=nobody, start_new_session=True)
    try:
        async with connect(await _line_of(folder), max_size=LARGEST) as line:
            browser = Tab(line)
            target = await browser.call("Target.createTarget", url=url)
            base = (await _line_of(folder)).partition("/devtools/")[0]
        async with connect(f"{base}/devtools/page/{target['targetId']}", max_size=LARGEST) as line:
            yield Tab(line)
        async with connect(await _line_of(folder)) as line:
            await Tab(line).call("Browser.close")
        await asyncio.to_thread(process.wait, PATIENCE)
    finally:
        process.kill()
        process.wait()


async def _line_of(folder: Path) -> str:
    file = folder / "DevToolsActivePort"
    async with asyncio.timeout(PATIENCE):
        while not (file.exists() and file.read_text().count("\n")):  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.02)
    port, path = file.read_text().split("\n")[:2]
    return f"ws://127.0.0.1:{port}{path}"
