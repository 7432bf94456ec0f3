"""Requests as code, and code as requests.

A `Draft` is a request that is being put together; `as_cell`, `as_call`, `as_curl` and
`as_json` write it down, and `draft_of` reads what was written, and runs and params too.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbchat.code.body import as_curl, as_json
    from nbchat.code.call import as_call
    from nbchat.code.cell import as_cell, read_cell
    from nbchat.code.changes import changed_fields
    from nbchat.code.complaints import Problem, problems, refusals
    from nbchat.code.consequences import implied
    from nbchat.code.draft import Draft, draft_of

__all__ = [
    "Draft",
    "Problem",
    "as_call",
    "as_cell",
    "as_curl",
    "as_json",
    "changed_fields",
    "draft_of",
    "implied",
    "problems",
    "read_cell",
    "refusals",
]
# on first use, because %load_ext nbchat needs the flags alone
_HOMES = {
    "Draft": "draft",
    "Problem": "complaints",
    "as_call": "call",
    "as_cell": "cell",
    "as_curl": "body",
    "as_json": "body",
    "changed_fields": "changes",
    "draft_of": "draft",
    "implied": "consequences",
    "problems": "complaints",
    "read_cell": "cell",
    "refusals": "complaints",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nbchat.code.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
