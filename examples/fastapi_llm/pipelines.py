"""What the five addresses run. A pipeline only describes, so one of each serves all clients at once."""

from functools import partial

from llm import LANGUAGES, summarize, translate, write

from orchestration import AsyncPipeline, AsyncPythonTask, Conditional, Map, Parallel

WRITE = AsyncPythonTask(function=write, name="write", returns=["text"])
TRANSLATE = AsyncPythonTask(function=translate, name="translate", returns=["translation"])


def into(language: str) -> AsyncPythonTask:
    """A step that translates into one language."""
    return AsyncPythonTask(function=partial(translate, language=language), name=language, returns=["translation"])


CHAT = WRITE.as_async_pipeline()

CHAT_AND_SUMMARIZE = AsyncPipeline(
    name="chat-and-summarize",
    steps=[WRITE, AsyncPythonTask(function=summarize, name="summarize", returns=["summary"])],
)

CHAT_AND_TRANSLATE = AsyncPipeline(
    name="chat-and-translate",
    steps=[WRITE, Parallel(name="translations", branches={one: into(one) for one in ("spanish", "french")})],
)

CHAT_IN_LANGUAGES = AsyncPipeline(
    name="chat-in-languages",
    steps=[WRITE, Map(name="each", branch=TRANSLATE, iterate_on="languages", iterate_as="language", max_concurrent=4)],
)

CHAT_IN_MY_LANGUAGE = AsyncPipeline(
    name="chat-in-my-language",
    steps=[
        WRITE,
        Conditional(name="chosen", parameter="mine", branches={one: into(one) for one in LANGUAGES}, default=WRITE),
    ],
)
