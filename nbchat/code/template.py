"""Prompts as Jinja templates on the notebook's variables.

Text without ``{{`` or ``{%`` is not touched. With them, the template runs in a sandbox that
changes nothing (`nbchat.code.sandbox`); names that do not exist are refused; a DataFrame becomes
a Markdown table, and what did not fit in is reported.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nbchat.code.markdown_table import MOST_ROWS, table
from nbchat.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbchat.code.sandbox import Sandbox

#: what a cell can do about it
HINT = "--raw sends {{ and {% as text."


def names_in(text: str) -> list[str]:
    """Give the names that a template takes from the notebook; none where it is no template."""
    if "{{" not in text and "{%" not in text:
        return []
    from jinja2 import TemplateSyntaxError, meta, nodes

    from nbchat.code.sandbox import Sandbox

    environment = Sandbox(lambda value, _: value)
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError:
        return []
    free = meta.find_undeclared_variables(tree)
    named = [node.name for node in tree.find_all(nodes.Name)]
    return [name for name in dict.fromkeys(named) if name in free]


def fill(text: str, variables: Mapping[str, Any], notes: list[str] | None = None) -> str:
    """Fill the template in; text that is none comes back as it is.

    A sentence about what was left out ("50 of 1,000 rows of frame sent …") is added to `notes`,
    each once. Raise `TemplateError`, which names the variable and the nearest one, where a name
    does not exist, and where the template is wrong, fails, or would call or change something.
    """
    if "{{" not in text and "{%" not in text:
        return text
    from jinja2 import TemplateSyntaxError, UndefinedError
    from jinja2.exceptions import SecurityError

    from nbchat.code.sandbox import Sandbox

    remarks: list[str] = []
    environment = Sandbox(lambda value, name: as_text(value, name, remarks))
    environment.filters["all_rows"] = all_rows
    try:
        filled = environment.written(text, variables)
    except TemplateSyntaxError as error:
        reason = (error.message or "").rstrip(".")
        raise TemplateError(
            f"Line {error.lineno} of the prompt is no template: {reason}. {HINT}"
        ) from None
    except UndefinedError as error:
        raise TemplateError(_undefined(environment, text, variables, error)) from None
    except SecurityError as error:
        reason = str(error).rstrip(".")
        raise TemplateError(f"The template is refused: {reason}. {HINT}") from None
    except Exception as error:
        raise TemplateError(
            f"The template failed: {type(error).__name__}: {error} ({HINT.rstrip('.')})"
        ) from error
    if notes is not None:
        notes.extend(note for note in dict.fromkeys(remarks) if note not in notes)
    return filled


def _undefined(
    environment: Sandbox, text: str, variables: Mapping[str, Any], error: Exception
) -> str:
    import difflib

    from jinja2 import meta

    names = meta.find_undeclared_variables(environment.parse(text))
    unknown = sorted(names - variables.keys() - environment.globals.keys())
    if not unknown:
        return f"The template failed: {str(error).rstrip('.')}. {HINT}"
    public = [name for name in variables if not name.startswith("_")]
    sentences = []
    for name in unknown:
        near = difflib.get_close_matches(name, public, n=1)
        nearest = f" Did you mean {near[0]}?" if near else ""
        sentences.append(f"There is no variable {name}.{nearest}")
    return f"{' '.join(sentences)} {HINT}"


def as_text(value: Any, name: str = "a value", notes: list[str] | None = None) -> Any:
    """Give a value as a prompt shows it: tables as Markdown, all else as it is.

    `notes` is told what was left out of it; `name` is how the template names it.
    """
    remarks = [] if notes is None else notes
    frame = _frame_of(value)
    if frame is not None:
        if len(frame) > MOST_ROWS:
            remarks.append(
                f"{MOST_ROWS} of {len(frame):,} rows of {name} sent "
                f"({{{{ {name} | all_rows }}}} sends all)"
            )
        return table(frame)
    if _is_printed_short(value):
        kind = type(_largest(value)).__name__
        remarks.append(f"{name} sent as its {kind} prints itself, which leaves some of it out")
    return value


def all_rows(value: Any) -> str:
    """Give a frame or a series as a Markdown table of all its rows: ``{{ frame | all_rows }}``."""
    frame = _frame_of(value)
    if frame is None:
        raise TypeError(f"all_rows takes a DataFrame or a Series, not a {type(value).__name__}")
    return table(frame, None)


def _frame_of(value: Any) -> Any:
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return None
    if isinstance(value, pandas.DataFrame):
        return value
    if isinstance(value, pandas.Series):
        return value.to_frame(value.name if value.name is not None else "value")
    return None


def _is_printed_short(value: Any) -> bool:
    """Tell whether an array or a table of some library, or a list of them, prints a part alone."""
    largest = _largest(value)
    if largest is None:
        return False
    printed = str(largest)
    return "..." in printed or "…" in printed


def _largest(value: Any) -> Any:
    """Give what has a shape in a value; of several in a list or mapping, the largest."""
    if value is None or isinstance(value, str | bytes | int | float):
        return None
    entries = value.values() if isinstance(value, dict) else value
    several = list(entries)[:1_000] if isinstance(value, list | tuple | dict) else [value]
    shaped = [each for each in several if isinstance(getattr(each, "shape", None), tuple)]
    return max(shaped, key=lambda each: len(str(each)), default=None)
