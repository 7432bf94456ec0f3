"""The request that a magic would send: as JSON, as curl and as Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.code import as_call, as_curl, as_json, draft_of
from nbchat.display.shown import fenced, visible

if TYPE_CHECKING:
    from nbchat.session import Prepared


def mimebundle(prepared: Prepared) -> dict[str, str]:
    """Show a request that is not sent, as Markdown and as plain text."""
    url, profile = f"`{prepared.url}`", prepared.profile
    draft = draft_of(prepared)
    parts = [
        (f"**Not sent.** POST {url}", "json", as_json(draft, profile)),
        ("**curl**", "bash", as_curl(draft, profile)),
        ("**Python**", "python", as_call(draft)),
    ]
    markdown = [f"{title}\n\n{fenced(text, language)}" for title, language, text in parts]
    plain = [f"{title.replace('*', '').replace('`', '')}\n\n{text}" for title, _, text in parts]
    return {"text/markdown": "\n\n".join(markdown), "text/plain": visible("\n\n".join(plain))}
