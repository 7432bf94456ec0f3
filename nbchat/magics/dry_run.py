"""The request that a magic would send: as JSON, as curl and as Python."""

from __future__ import annotations

import json
import pprint
import shlex
from typing import TYPE_CHECKING, Any

from nbchat.client.profiles import names
from nbchat.display.shown import fenced, visible

if TYPE_CHECKING:
    from nbchat.session import Prepared


def mimebundle(prepared: Prepared) -> dict[str, str]:
    """Show a request that is not sent, as Markdown and as plain text."""
    url = f"`{prepared.url}`"
    parts = [
        (f"**Not sent.** POST {url}", "json", as_json(prepared.body)),
        ("**curl**", "bash", as_curl(prepared)),
        ("**Python**", "python", as_python(prepared)),
    ]
    markdown = [f"{title}\n\n{fenced(text, language)}" for title, language, text in parts]
    plain = [f"{title.replace('*', '').replace('`', '')}\n\n{text}" for title, _, text in parts]
    return {"text/markdown": "\n\n".join(markdown), "text/plain": visible("\n\n".join(plain))}


def as_json(body: dict[str, Any]) -> str:
    """Give the body of a request, indented."""
    return json.dumps(body, ensure_ascii=False, indent=2)


def as_curl(prepared: Prepared) -> str:
    """Give a shell command that sends the request. The key stands in its variable."""
    profile = prepared.profile
    variable = profile.key_variable or "OPENAI_API_KEY"
    bearer = "Bearer " if profile.key_header == "Authorization" else ""
    lines = [f"curl -N {shlex.quote(prepared.url)}", "-H 'Content-Type: application/json'"]
    if profile.key is not None or profile.key_variable is not None:
        lines.append(f'-H "{profile.key_header}: {bearer}${variable}"')
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in profile.headers.items()]
    lines.append(f"-d {shlex.quote(json.dumps(prepared.body, ensure_ascii=False))}")
    return " \\\n  ".join(lines)


def as_python(prepared: Prepared) -> str:
    """Give Python that sends the same request."""
    arguments = {"messages": prepared.messages, **prepared.params.given()}
    if prepared.params.extra:
        arguments["extra"] = prepared.params.extra
    profile = prepared.profile
    arguments["profile"] = profile.name if profile.name in names() else profile.base_url
    lines = [f"    {name}={_literal(value, len(name))}," for name, value in arguments.items()]
    return "\n".join(["import nbchat", "", "run = nbchat.chat(", *lines, ")"])


def _literal(value: Any, indent: int) -> str:
    # a line end inside a text is written as an escape, so those left are between the parts
    lines = pprint.pformat(value, width=88 - indent, sort_dicts=False).split("\n")
    return ("\n" + " " * (indent + 5)).join(lines)
