"""What the notebook has that a panel can use."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

from nbchat.widgets.explorer.variables import frames_of

_MOST = 200


def notebook_variables() -> dict[str, Any]:
    """Give the notebook's variables, for what the text of a cell names."""
    return vars(sys.modules["__main__"])


def names_of(notebook: Mapping[str, Any]) -> dict[str, list[str]]:
    """Give the names of functions, types (which a reply can be read as) and DataFrames.

    Those that a cell of the notebook defines; what was imported is left out, tables aside.
    """
    defined = {
        name: value
        for name, value in notebook.items()
        if not name.startswith("_") and getattr(value, "__module__", None) == "__main__"
    }
    functions = sorted(name for name, value in defined.items() if inspect.isfunction(value))
    types = sorted(name for name, value in defined.items() if inspect.isclass(value))
    return {
        "functions": functions[:_MOST],
        "types": types[:_MOST],
        "frames": frames_of(notebook)[:_MOST],
    }
