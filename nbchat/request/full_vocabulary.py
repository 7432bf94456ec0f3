"""``top_logprobs="all"``: the log probabilities of the whole vocabulary at each position.

It is nbchat's own word, for llama.cpp's server alone: there `top_logprobs` may be the size of
the vocabulary, which others refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbchat.errors import CheckError
from nbchat.request.servers import Say, Servers

FIELD = "top_logprobs"
ALL = "all"
#: alternatives of one run at most. Each takes 12 bytes for as long as the run is kept, and ten
#: times as much while a frame is made of it
MOST_ALTERNATIVES = 20_000_000
_BYTES = 12


def is_needed(fields: Mapping[str, Any]) -> bool:
    """Tell whether a request asks for whole rows."""
    wanted = fields.get(FIELD)
    return isinstance(wanted, str) and wanted.strip().lower() == ALL


def resolved(
    fields: dict[str, Any], extra: dict[str, Any], named: Any, servers: Servers, say: Say
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give fields and extra with the size of the vocabulary for the word "all".

    It goes through extra, since the declared range ends at 20. Without `say` nothing is
    started: then the embedded model must run already. Raise CheckError where the server is not
    llama.cpp's, where logprobs are not asked for, and where the rows would eat the memory.
    """
    if fields.get("logprobs") not in (True, "true"):
        raise _refusal("needs logprobs: true")
    profile = servers.profile(named)
    if say is None and not servers.is_running(profile):
        raise _refusal("needs the embedded model to run; ask it something first")
    profile = servers.profile(named, say) if say is not None else profile
    size = servers.vocabulary_size(profile)
    if size is None:
        rule = "is for the embedded model and other servers of llama.cpp: elsewhere 20 is the most"
        raise _refusal(rule)
    _check_memory(fields, size, servers.most_tokens(profile))
    kept = {name: value for name, value in fields.items() if name != FIELD}
    return kept, {**extra, FIELD: size}


def _check_memory(fields: Mapping[str, Any], size: int, most_tokens: int | None) -> None:
    limit = _whole(fields.get("max_completion_tokens")) or _whole(fields.get("max_tokens"))
    limit = most_tokens if limit is None else limit
    n = _whole(fields.get("n")) or 1
    most = max(MOST_ALTERNATIVES // (size * n), 1)
    if limit is not None and limit <= most:
        return
    tokens = "as many tokens as the server likes" if limit is None else f"{limit * n:,} tokens"
    much = "" if limit is None else f", {limit * n * size * _BYTES / 1e9:.1f} GB"
    raise _refusal(
        f"means {size:,} alternatives for each of {tokens}{much}: set max_completion_tokens to "
        f"{most} or less"
    )


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None  # the check has the words for it


def _refusal(rule: str) -> CheckError:
    return CheckError(
        f'top_logprobs is "{ALL}", which {rule}.', field="top_logprobs", value=ALL, rule=rule
    )
