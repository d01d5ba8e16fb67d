"""What an agent asks of the stub model, freed from the dialect that it asks in.

Four dialects are understood: OpenAI chat completions and responses, Anthropic messages, Gemini. Only what an answer
depends on is read: the tools on offer, whether a stream is wanted, and the text, in which agents that use no tools say
how they want a file to be written. Fields that are not known are passed over.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

CHAT, RESPONSES, MESSAGES, GEMINI = "chat", "responses", "messages", "gemini"

_WRITERS = re.compile(r"^(write|write_?file|create_?file)$", re.IGNORECASE)
_SHELLS = re.compile(r"^(bash|shell|exec_command|run_shell_command|shell_command)$", re.IGNORECASE)
_PATHS = ("file_path", "filePath", "path", "absolute_path", "filename")
_COMMANDS = ("command", "cmd", "script")
# Requests that agents make beside their work, none of which offers tools: a title, a commit message, a summary.
_BESIDE = re.compile(r"title generator|generate a .{0,40}title|commit message|summariz|summaris", re.IGNORECASE)
_EDITS = "SEARCH/REPLACE"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool on offer."""

    name: str
    schema: Json

    @property
    def fields(self) -> Json:
        """The arguments that it takes, by name."""
        fields: Json = self.schema.get("properties") or {}
        return fields

    def call(self, given: Mapping[str, object]) -> Json:
        """These arguments, and something harmless for each other one that it insists on."""
        args = dict(given)
        for name in self.schema.get("required") or []:
            args.setdefault(name, _harmless(self.fields.get(name) or {}))
        return args


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for an answer."""

    api: str
    model: str
    stream: bool
    tools: tuple[Tool, ...]
    texts: tuple[str, ...]  # everything said so far, the instructions first
    results: int  # of tools, anywhere in the conversation

    @property
    def beside(self) -> bool:
        """Whether this is not about the task itself."""
        return not self.tools and not self.edits and any(_BESIDE.search(text) for text in self.texts)

    @property
    def edits(self) -> bool:
        """Whether files are written by blocks in the answer's text."""
        return any(_EDITS in text for text in self.texts)

    def writer(self, path: str, content: str) -> tuple[Tool, Json] | None:
        """The tool that writes a file, and the arguments that make it do so."""
        for tool in self.tools:
            place = next((name for name in _PATHS if name in tool.fields), None)
            if _WRITERS.match(tool.name) and place and "content" in tool.fields:
                return tool, tool.call({place: path, "content": content})
        return None

    def shell(self, command: str) -> tuple[Tool, Json] | None:
        """The tool that runs a command, and the arguments that make it do so."""
        for tool in self.tools:
            place = next((name for name in _COMMANDS if name in tool.fields), None)
            if _SHELLS.match(tool.name) and place:
                words = tool.fields[place].get("type") == "array"
                return tool, tool.call({place: ["bash", "-c", command] if words else command})
        return None


def understand(api: str, body: Json) -> Asked:
    """Read a request in its dialect."""
    read = {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages, GEMINI: _gemini}[api]
    tools, texts, results = read(body)
    model = str(body.get("model") or "stub-model")
    return Asked(api, model, bool(body.get("stream")), tuple(tools), tuple(texts), results)


def _harmless(schema: Json) -> object:
    kind = schema.get("type")
    if schema.get("enum"):
        return schema["enum"][0]
    return {"array": [], "object": {}, "boolean": False, "integer": 1, "number": 1}.get(str(kind), "stub")


def _flat(content: object) -> str:
    """The text of whatever a dialect calls content."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return _flat(content.get("text") or content.get("content") or "")
    if isinstance(content, Iterable):
        return "\n".join(_flat(part) for part in content)
    return ""


def _chat(body: Json) -> tuple[list[Tool], list[str], int]:
    functions = [tool["function"] for tool in body.get("tools") or [] if tool.get("type") == "function"]
    said = body.get("messages") or []
    results = sum(message.get("role") == "tool" for message in said)
    return _tools(functions, "parameters"), [_flat(message.get("content")) for message in said], results


def _responses(body: Json) -> tuple[list[Tool], list[str], int]:
    functions = [tool for tool in body.get("tools") or [] if tool.get("type") == "function"]
    said = body.get("input") or []
    items: list[Json] = [{"type": "message", "content": said}] if isinstance(said, str) else said
    results = sum(str(item.get("type")).endswith("_output") for item in items)
    texts = [_flat(body.get("instructions")), *(_flat(item.get("content")) for item in items)]
    return _tools(functions, "parameters"), texts, results


def _messages(body: Json) -> tuple[list[Tool], list[str], int]:
    functions = [tool for tool in body.get("tools") or [] if "input_schema" in tool]
    texts, results = [_flat(body.get("system"))], 0
    for message in body.get("messages") or []:
        content = message.get("content")
        texts.append(_flat(content))
        if isinstance(content, list):
            results += sum(block.get("type") == "tool_result" for block in content)
    return _tools(functions, "input_schema"), texts, results


def _gemini(body: Json) -> tuple[list[Tool], list[str], int]:
    functions = [one for tool in body.get("tools") or [] for one in tool.get("functionDeclarations") or []]
    texts, results = [_flat((body.get("systemInstruction") or {}).get("parts"))], 0
    for turn in body.get("contents") or []:
        texts.append(_flat(turn.get("parts")))
        results += sum("functionResponse" in part for part in turn.get("parts") or [])
    return _tools(functions, "parametersJsonSchema", "parameters"), texts, results


def _tools(functions: list[Json], *places: str) -> list[Tool]:
    """Tools from their declarations; the arguments' schema stands in the first of the places that is filled."""
    return [Tool(one["name"], next((one[place] for place in places if one.get(place)), {})) for one in functions]
