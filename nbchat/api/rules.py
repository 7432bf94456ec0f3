"""Rules between fields: what one field needs of, or forbids to, another.

They are the reference's (section 2.2), as far as every server has them. A rule that
depends on the model is data in `nbchat.api.support`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from nbchat.api.explain import Offence
from nbchat.api.json_values import shown

Fields = Mapping[str, Any]

_LARGEST = 2**63 - 1


def broken_rules(mapping: Fields, elsewhere: Collection[str]) -> Iterator[Offence]:
    """Give the rules that a request breaks.

    `mapping` has the set fields, plain. `elsewhere` names fields sent through `extra`: they
    count as present, and what they hold is not looked into.
    """
    fields = {name: value for name, value in mapping.items() if value is not None}
    yield from _logprobs(fields, elsewhere)
    yield from _sizes(fields)
    yield from _lengths(fields)
    yield from _streams(fields)
    yield from _tools(fields, elsewhere)
    yield from _audio(fields, elsewhere)
    yield from _prediction(fields)


def _breaks(fields: Fields, name: str, rule: str) -> Offence:
    sentence = f"{name} is {shown(fields[name])}, but it {rule}."
    return Offence(path=name, value=fields[name], rule=rule, sentence=sentence)


def _logprobs(fields: Fields, elsewhere: Collection[str]) -> Iterator[Offence]:
    has_logprobs = fields.get("logprobs") is True or "logprobs" in elsewhere
    if "top_logprobs" in fields and not has_logprobs:
        yield _breaks(fields, "top_logprobs", "needs logprobs: true")


def _sizes(fields: Fields) -> Iterator[Offence]:
    # JSON has no largest number, but servers and the columns of frames have
    for name in ("max_tokens", "max_completion_tokens"):
        if fields.get(name, 0) > _LARGEST:
            yield _breaks(fields, name, f"cannot be above {_LARGEST}")


def _lengths(fields: Fields) -> Iterator[Offence]:
    if "max_tokens" in fields and "max_completion_tokens" in fields:
        rule = "cannot stand beside max_completion_tokens: set one of them"
        yield _breaks(fields, "max_tokens", rule)


def _streams(fields: Fields) -> Iterator[Offence]:
    # the client streams by itself, so only a stream that was refused is a contradiction
    if "stream_options" in fields and fields.get("stream") is False:
        yield _breaks(fields, "stream_options", "needs a stream, and stream is false")
    format_ = unstreamable(fields)
    if format_ is not None and "stream_options" in fields:
        yield _breaks(fields, "stream_options", f"needs a stream, which {format_} cannot be")
    if format_ is not None and fields.get("stream") is True:
        rule = (
            "cannot stand beside audio that is not pcm16: leave it out, and the answer comes whole "
            "(for a server that streams it all the same, audio goes into extra={...})"
        )
        yield _breaks(fields, "stream", rule)


def unstreamable(fields: Fields) -> str | None:
    """Name the audio format that a request asks for and no stream carries; None without one."""
    audio = fields.get("audio")
    if not isinstance(audio, dict) or "audio" not in (fields.get("modalities") or ()):
        return None
    format_ = audio.get("format")
    return None if format_ == "pcm16" or not isinstance(format_, str) else format_


def _tools(fields: Fields, elsewhere: Collection[str]) -> Iterator[Offence]:
    if "tools" not in fields and "tools" not in elsewhere:
        for name in ("tool_choice", "parallel_tool_calls"):
            if name in fields:
                yield _breaks(fields, name, "needs tools")
    if "tools" in fields:
        declared = {_tool_name(tool) for tool in fields["tools"]}
        yield from _undeclared(fields, "tool_choice", declared, "tools")
    if "functions" in fields:
        functions = {("function", function["name"]) for function in fields["functions"]}
        yield from _undeclared(fields, "function_call", functions, "functions")


def _tool_name(tool: Fields) -> tuple[str, str]:
    return tool["type"], tool[tool["type"]]["name"]


def _undeclared(
    fields: Fields, name: str, declared: set[tuple[str, str]], where: str
) -> Iterator[Offence]:
    for kind, wanted in _wanted(fields.get(name)):
        if (kind, wanted) not in declared:
            known = ", ".join(sorted(f"{kind} {known}" for kind, known in declared))
            rule = f"names the {kind} {wanted}, which {where} does not declare (it has: {known})"
            yield _breaks(fields, name, rule)
            return


def _wanted(choice: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(choice, dict):
        return
    if choice.get("type") == "allowed_tools":
        yield from map(_tool_name, choice["allowed_tools"]["tools"])
    elif "type" in choice:
        yield _tool_name(choice)
    else:
        yield "function", choice["name"]


def _audio(fields: Fields, elsewhere: Collection[str]) -> Iterator[Offence]:
    is_given = "audio" in fields or "audio" in elsewhere
    if "audio" in fields.get("modalities", ()) and not is_given:
        yield _breaks(fields, "modalities", "asks for audio and so needs audio: {voice, format}")


def _prediction(fields: Fields) -> Iterator[Offence]:
    if "prediction" not in fields:
        return
    clashes = {
        "tools": "tools" in fields,
        "functions": "functions" in fields,
        "audio": "audio" in fields or "audio" in fields.get("modalities", ()),
        "n above 1": fields.get("n", 1) > 1,
        "logprobs": fields.get("logprobs") is True,
        "presence_penalty above 0": fields.get("presence_penalty", 0) > 0,
        "frequency_penalty above 0": fields.get("frequency_penalty", 0) > 0,
        "max_completion_tokens": "max_completion_tokens" in fields,
    }
    beside = [name for name, is_so in clashes.items() if is_so]
    if beside:
        yield _breaks(fields, "prediction", f"cannot stand beside {', '.join(beside)}")
