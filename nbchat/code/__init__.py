"""Requests as code, and code as requests.

A `Draft` is a request that is being put together; `as_cell`, `as_call`, `as_openai`, `as_curl`
and `as_json` write it down, and `draft_of` reads what was written, and runs and params too.
"""

from typing import TYPE_CHECKING, Any

from nbchat.request.draft import Draft

if TYPE_CHECKING:
    from nbchat.code.as_draft import draft_of
    from nbchat.code.cell import as_cell, read_cell
    from nbchat.code.draft_problems import Problem, problems, refusals
    from nbchat.code.field_changes import changed_fields
    from nbchat.code.http_body import as_curl, as_json
    from nbchat.code.implied_fields import implied
    from nbchat.code.openai_call import as_openai
    from nbchat.code.python_call import as_call

__all__ = [
    "Draft",
    "Problem",
    "as_call",
    "as_cell",
    "as_curl",
    "as_json",
    "as_openai",
    "changed_fields",
    "draft_of",
    "implied",
    "problems",
    "read_cell",
    "refusals",
]
# on first use, because %load_ext nbchat needs the flags alone
_HOMES = {
    "Problem": "draft_problems",
    "as_call": "python_call",
    "as_cell": "cell",
    "as_curl": "http_body",
    "as_json": "http_body",
    "as_openai": "openai_call",
    "changed_fields": "field_changes",
    "draft_of": "as_draft",
    "implied": "implied_fields",
    "problems": "draft_problems",
    "read_cell": "cell",
    "refusals": "draft_problems",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nbchat.code.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
