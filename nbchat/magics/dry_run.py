"""The request that a magic would send: as JSON, as curl and as Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from nbchat.api.encoded import MOST_SHOWN
from nbchat.client.presets import LOCAL
from nbchat.code import as_call, as_curl, as_json, draft_of
from nbchat.code.inline_data import base64_in, with_short
from nbchat.display.characters import visible
from nbchat.display.reply import fenced

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbchat.api.encoded import Encoded
    from nbchat.client import Profile
    from nbchat.code import Draft
    from nbchat.request.prepare import Prepared


def mimebundle(prepared: Prepared) -> dict[str, str]:
    """Show a request that is not sent, as Markdown and as plain text."""
    url, profile = f"`{prepared.url}`", prepared.profile
    draft = draft_of(prepared)
    # of a picture the display has the beginning; curl can read files, and Python variables too
    short = _shortened(draft, lambda _: False)
    for_curl = _shortened(draft, lambda data: data.path)
    for_call = _shortened(draft, lambda data: data.path or data.variable)
    parts = [
        (f"**Not sent.** POST {url}{_notes(prepared)}", "json", as_json(short, profile)),
        (f"**curl**{_lack(draft, for_curl)}{_before(profile)}", "bash", as_curl(for_curl, profile)),
        (f"**Python**{_lack(draft, for_call)}", "python", as_call(for_call)),
    ]
    markdown = [f"{title}\n\n{fenced(text, language)}" for title, language, text in parts]
    plain = [f"{title.replace('*', '').replace('`', '')}\n\n{text}" for title, _, text in parts]
    return {"text/markdown": "\n\n".join(markdown), "text/plain": visible("\n\n".join(plain))}


def _shortened(draft: Draft, is_kept: Callable[[Encoded], object]) -> Draft:
    return msgspec.structs.replace(draft, messages=with_short(draft.messages, is_kept))


def _notes(prepared: Prepared) -> str:
    """Give what is to be known of the request, which a run would have as its notes."""
    return "".join(f" · {note}" for note in prepared.notes)


def _before(profile: Profile) -> str:
    """Say what curl needs to be let in by the embedded model, whose key and port are random."""
    if profile.name != LOCAL:
        return ""
    return ' (before it: `os.environ["NBCHAT_API_KEY"] = nbchat.local.ensure().key`)'


def _lack(whole: Draft, shown: Draft) -> str:
    """Say which base64 is not all there, so that the code cannot be used as it stands."""
    there = {id(data) for data in base64_in(shown.messages)}
    gone = [data for data in base64_in(whole.messages) if id(data) not in there]
    names = dict.fromkeys(data.variable or data.name for data in gone if len(data) > MOST_SHOWN)
    return f" (not to be used as it stands: {', '.join(names)} is shortened)" if names else ""
