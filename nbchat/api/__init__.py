"""What the reference says: the request declared once, messages, and the answer's types."""

from typing import TYPE_CHECKING, Any

# check the function hides check the module: it must be bound after the module is loaded
from nbchat.api.check import check
from nbchat.api.fields import FIELDS, Field
from nbchat.api.messages import check_messages
from nbchat.api.params import ChatParams, request_body

if TYPE_CHECKING:
    from nbchat.api.logprobs import ChoiceLogprobs, TokenLogprob, TokenTable
    from nbchat.api.response import Choice, Chunk, Completion, ResponseMessage, Usage

__all__ = [
    "FIELDS",
    "ChatParams",
    "Choice",
    "ChoiceLogprobs",
    "Chunk",
    "Completion",
    "Field",
    "ResponseMessage",
    "TokenLogprob",
    "TokenTable",
    "Usage",
    "check",
    "check_messages",
    "request_body",
]
_LATER = {
    "ChoiceLogprobs": "logprobs",
    "TokenLogprob": "logprobs",
    "TokenTable": "logprobs",
    "Chunk": "response",
    "Choice": "response",
    "Completion": "response",
    "ResponseMessage": "response",
    "Usage": "response",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nbchat.api.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return __all__
