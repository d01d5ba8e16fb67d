"""Five addresses that stream what pipelines yield. Each request gives its parameters as arguments, and has its own run.

    uvicorn main:app

A client that leaves ends its run: `sse` closes the stream, and nothing of it is left.
"""

from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import StreamingResponse
from pipelines import CHAT, CHAT_AND_SUMMARIZE, CHAT_AND_TRANSLATE, CHAT_IN_LANGUAGES, CHAT_IN_MY_LANGUAGE

from orchestration.server import sse

app = FastAPI(title="Pipelines behind addresses")


@app.get("/chat")
async def chat(prompt: str) -> StreamingResponse:
    """The answer, token by token."""
    return sse(CHAT.execute_streaming(parameters={"prompt": prompt}), items=True)


@app.get("/chat-and-summarize")
async def chat_and_summarize(prompt: str) -> StreamingResponse:
    """The answer, then what it is about."""
    return sse(CHAT_AND_SUMMARIZE.execute_streaming(parameters={"prompt": prompt}), items=True)


@app.get("/chat-and-translate")
async def chat_and_translate(prompt: str) -> StreamingResponse:
    """The answer, then two translations of it at once, with every event of the run."""
    return sse(CHAT_AND_TRANSLATE.execute_streaming(parameters={"prompt": prompt}))


@app.get("/chat-in-languages")
async def chat_in_languages(prompt: str, languages: Annotated[list[str], Query()]) -> StreamingResponse:
    """The answer, then a translation into each language that is asked for."""
    given = {"prompt": prompt, "languages": languages}
    return sse(CHAT_IN_LANGUAGES.execute_streaming(parameters=given), items=True)


@app.get("/chat-in-my-language")
async def chat_in_my_language(prompt: str, mine: str) -> StreamingResponse:
    """The answer in one language, which a value chooses."""
    given = {"prompt": prompt, "mine": mine}
    return sse(CHAT_IN_MY_LANGUAGE.execute_streaming(parameters=given), items=True)
