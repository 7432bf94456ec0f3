"""What a request has to know of the embedded model: what it cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.errors import CheckError

if TYPE_CHECKING:
    from nbchat.api.params import ChatParams


def refuse_media(model: str | None, messages: list[dict[str, Any]]) -> None:
    """Raise CheckError where the embedded model is shown pictures and the like.

    A GGUF file of the user's own may be one that sees.
    """
    from nbchat import local

    contents = [m["content"] for m in messages if isinstance(m.get("content"), list)]
    kinds = {part["type"] for content in contents for part in content} - {"text", "refusal"}
    if kinds and model == local.MODEL:
        raise CheckError(
            f"The embedded model {model} reads text alone, and there is {', '.join(sorted(kinds))} "
            "in the request: name a profile whose model takes it (--dry-run shows the request).",
            field="messages",
        )


def notes_of(model: str | None, params: ChatParams) -> list[str]:
    """Say what the embedded model cannot do; a GGUF file of the user's own perhaps can."""
    from nbchat import local

    fields = params.given()
    facts = {
        "this small model never sees the tools": {"tools", "functions"} & fields.keys(),
        "this small model has no voice": "audio" in (fields.get("modalities") or ()),
    }
    return [fact for fact, is_needed in facts.items() if is_needed and model == local.MODEL]
