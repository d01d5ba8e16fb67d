"""How an answer looks on the wire, whole and as a stream, in each of the four dialects.

Pure: an answer goes in, JSON comes out. The token counts are made up but fixed by the answer's number, and no two kinds
of tokens count alike, so that a test can tell which number an agent passed on:

    answer n (from 0): input 1000 + 100 n, of which 400 read from a cache and 50 written to it;
                       output 20 + n, of which 5 reasoning
"""

import json
from dataclasses import dataclass

from tests.agents.stub_asked import CHAT, GEMINI, MESSAGES, RESPONSES, Asked, Json, Tool

CREATED = 1_700_000_000
CACHED, WRITTEN, REASONING = 400, 50, 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: text, and perhaps a tool to call. `parts` are the pieces in which the text is streamed."""

    number: int
    parts: tuple[str, ...]
    call: tuple[Tool, Json] | None = None

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def input(self) -> int:
        return 1000 + 100 * self.number

    @property
    def output(self) -> int:
        return 20 + self.number


@dataclass(frozen=True, slots=True)
class Piece:
    """One event of a stream; `said` when it carries text of the answer."""

    name: str | None
    data: Json | str
    said: bool = False


def whole(asked: Asked, answer: Answer) -> Json:
    """The answer as one body."""
    return {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages, GEMINI: _gemini}[asked.api](asked, answer)


def pieces(asked: Asked, answer: Answer) -> list[Piece]:
    """The answer as a stream."""
    streams = {CHAT: _chat_stream, RESPONSES: _responses_stream, MESSAGES: _messages_stream, GEMINI: _gemini_stream}
    return streams[asked.api](asked, answer)


def _arguments(answer: Answer) -> str:
    return json.dumps(answer.call[1]) if answer.call else ""


# ---- OpenAI chat completions


def _chat_usage(answer: Answer) -> Json:
    return {
        "prompt_tokens": answer.input,
        "completion_tokens": answer.output,
        "total_tokens": answer.input + answer.output,
        "prompt_tokens_details": {"cached_tokens": CACHED},
        "completion_tokens_details": {"reasoning_tokens": REASONING},
    }


def _chat_base(asked: Asked, answer: Answer, kind: str) -> Json:
    return {"id": f"chatcmpl-{answer.number}", "object": kind, "created": CREATED, "model": asked.model}


def _chat_call(answer: Answer) -> Json:
    tool = answer.call[0].name if answer.call else ""
    function = {"name": tool, "arguments": _arguments(answer)}
    return {"id": f"call_{answer.number}", "type": "function", "function": function}


def _chat(asked: Asked, answer: Answer) -> Json:
    message: Json = {"role": "assistant", "content": answer.text}
    if answer.call:
        message["tool_calls"] = [_chat_call(answer)]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if answer.call else "stop"}
    return {
        **_chat_base(asked, answer, "chat.completion"),
        "choices": [choice],
        "usage": _chat_usage(answer),
    }


def _chat_stream(asked: Asked, answer: Answer) -> list[Piece]:
    base = _chat_base(asked, answer, "chat.completion.chunk")

    def delta(what: Json, finish: str | None = None, *, said: bool = False) -> Piece:
        return Piece(None, {**base, "choices": [{"index": 0, "delta": what, "finish_reason": finish}]}, said)

    stream = [delta({"role": "assistant", "content": ""})]
    stream += [delta({"content": part}, said=True) for part in answer.parts]
    if answer.call:
        stream.append(delta({"tool_calls": [{"index": 0, **_chat_call(answer)}]}))
    stream.append(delta({}, "tool_calls" if answer.call else "stop"))
    stream.append(Piece(None, {**base, "choices": [], "usage": _chat_usage(answer)}))
    return [*stream, Piece(None, "[DONE]")]


# ---- OpenAI responses


def _responses_output(answer: Answer) -> list[Json]:
    output: list[Json] = []
    if answer.text:
        part = {"type": "output_text", "text": answer.text, "annotations": []}
        message = {"id": f"msg_{answer.number}", "type": "message", "role": "assistant", "content": [part]}
        output.append({**message, "status": "completed"})
    if answer.call:
        call = {"id": f"fc_{answer.number}", "type": "function_call", "call_id": f"call_{answer.number}"}
        made = {"name": answer.call[0].name, "arguments": _arguments(answer)}
        output.append({**call, **made, "status": "completed"})
    return output


def _responses_base(asked: Asked, answer: Answer) -> Json:
    base = {"id": f"resp_{answer.number}", "object": "response", "created_at": CREATED, "model": asked.model}
    return {**base, "status": "in_progress", "error": None, "parallel_tool_calls": False, "output": []}


def _responses(asked: Asked, answer: Answer) -> Json:
    usage = {
        "input_tokens": answer.input,
        "input_tokens_details": {"cached_tokens": CACHED},
        "output_tokens": answer.output,
        "output_tokens_details": {"reasoning_tokens": REASONING},
        "total_tokens": answer.input + answer.output,
    }
    output = _responses_output(answer)
    return {**_responses_base(asked, answer), "status": "completed", "output": output, "usage": usage}


def _responses_stream(asked: Asked, answer: Answer) -> list[Piece]:
    stream: list[Piece] = []

    def event(kind: str, *, said: bool = False, **fields: object) -> None:
        stream.append(Piece(kind, {"type": kind, "sequence_number": len(stream), **fields}, said))

    event("response.created", response=_responses_base(asked, answer))
    for index, item in enumerate(_responses_output(answer)):
        place = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            event(
                "response.output_item.added", output_index=index, item={**item, "content": [], "status": "in_progress"}
            )
            empty = {"type": "output_text", "text": "", "annotations": []}
            event("response.content_part.added", **place, content_index=0, part=empty)
            for part in answer.parts:
                event("response.output_text.delta", said=True, **place, content_index=0, delta=part)
            event("response.output_text.done", **place, content_index=0, text=answer.text)
            event("response.content_part.done", **place, content_index=0, part=item["content"][0])
        else:
            event("response.output_item.added", output_index=index, item={**item, "arguments": ""})
            event("response.function_call_arguments.delta", **place, delta=item["arguments"])
            event("response.function_call_arguments.done", **place, arguments=item["arguments"])
        event("response.output_item.done", output_index=index, item=item)
    event("response.completed", response=_responses(asked, answer))
    return stream


# ---- Anthropic messages


def _messages_usage(answer: Answer) -> Json:
    fresh = answer.input - CACHED - WRITTEN  # this dialect counts cached tokens apart from its input
    kept = {"cache_creation_input_tokens": WRITTEN, "cache_read_input_tokens": CACHED}
    return {"input_tokens": fresh, **kept, "output_tokens": answer.output}


def _messages_base(asked: Asked, answer: Answer) -> Json:
    base = {"id": f"msg_{answer.number}", "type": "message", "role": "assistant", "model": asked.model}
    return {**base, "content": [], "stop_reason": None, "stop_sequence": None}


def _messages_content(answer: Answer) -> list[Json]:
    content: list[Json] = [{"type": "text", "text": answer.text}] if answer.text else []
    if answer.call:
        use = {"type": "tool_use", "id": f"toolu_{answer.number}", "name": answer.call[0].name}
        content.append({**use, "input": answer.call[1]})
    return content


def _messages(asked: Asked, answer: Answer) -> Json:
    stop = "tool_use" if answer.call else "end_turn"
    body = {**_messages_base(asked, answer), "content": _messages_content(answer), "stop_reason": stop}
    return {**body, "usage": _messages_usage(answer)}


def _messages_stream(asked: Asked, answer: Answer) -> list[Piece]:
    stream: list[Piece] = []

    def event(kind: str, *, said: bool = False, **fields: object) -> None:
        stream.append(Piece(kind, {"type": kind, **fields}, said))

    begun = {**_messages_usage(answer), "output_tokens": 1}
    event("message_start", message={**_messages_base(asked, answer), "usage": begun})
    for index, block in enumerate(_messages_content(answer)):
        if block["type"] == "text":
            event("content_block_start", index=index, content_block={"type": "text", "text": ""})
            for part in answer.parts:
                event("content_block_delta", said=True, index=index, delta={"type": "text_delta", "text": part})
        else:
            event("content_block_start", index=index, content_block={**block, "input": {}})
            said = {"type": "input_json_delta", "partial_json": _arguments(answer)}
            event("content_block_delta", index=index, delta=said)
        event("content_block_stop", index=index)
    ended = {"stop_reason": "tool_use" if answer.call else "end_turn", "stop_sequence": None}
    event("message_delta", delta=ended, usage=_messages_usage(answer))
    event("message_stop")
    return stream


# ---- Gemini


def _gemini_part(asked: Asked, answer: Answer, parts: list[Json], finish: str | None) -> Json:
    candidate: Json = {"index": 0, "content": {"role": "model", "parts": parts}}
    if finish:
        candidate["finishReason"] = finish
    usage = {
        "promptTokenCount": answer.input,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": answer.output - REASONING,
        "thoughtsTokenCount": REASONING,
        "totalTokenCount": answer.input + answer.output,
    }
    return {"candidates": [candidate], "modelVersion": asked.model, "usageMetadata": usage}


def _gemini_call(answer: Answer) -> list[Json]:
    return [{"functionCall": {"name": answer.call[0].name, "args": answer.call[1]}}] if answer.call else []


def _gemini(asked: Asked, answer: Answer) -> Json:
    parts = [{"text": answer.text}, *_gemini_call(answer)]
    return _gemini_part(asked, answer, parts, "STOP")


def _gemini_stream(asked: Asked, answer: Answer) -> list[Piece]:
    stream = [Piece(None, _gemini_part(asked, answer, [{"text": part}], None), said=True) for part in answer.parts]
    return [*stream, Piece(None, _gemini_part(asked, answer, _gemini_call(answer) or [{"text": ""}], "STOP"))]
