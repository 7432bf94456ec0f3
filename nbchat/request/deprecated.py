"""Deprecated fields of a request: a warning at the line of the user's own code."""

from __future__ import annotations

import inspect
import warnings

from nbchat.api.params import ChatParams


def warn_of_deprecated(params: ChatParams) -> None:
    """Warn of `functions` and `function_call`, at the line of the user's own code."""
    fields = params.given()
    for name, successor in (("functions", "tools"), ("function_call", "tool_choice")):
        if name in fields:
            _warn(f"{name} is deprecated: use {successor}, which does the same and more.")


def _warn(sentence: str) -> None:
    frame = inspect.currentframe()
    while frame is not None and _is_between(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    if frame is None:
        return
    warnings.warn_explicit(
        sentence,
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__", "__main__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _is_between(module: str) -> bool:
    return module.partition(".")[0] in ("nbchat", "IPython")
