"""Prompts as Jinja templates on the notebook's variables.

Text without ``{{`` or ``{%`` is not touched. With them, the template runs in a sandbox that
changes nothing; names that do not exist are refused; a DataFrame becomes a Markdown table.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nbchat.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_ROWS = 50

# a brace and a hash are text in prompts, Markdown and code: comments begin with what nobody types
_NO_COMMENT = ("\x00nbchat{#", "#}nbchat\x00")


def fill(text: str, variables: Mapping[str, Any]) -> str:
    """Fill the template in; text that is none comes back as it is.

    Raise `TemplateError`, which names the variable and the nearest one, where a name does not
    exist, and where the template is wrong or fails.
    """
    if "{{" not in text and "{%" not in text:
        return text
    from jinja2 import TemplateSyntaxError, UndefinedError

    environment = _environment()
    try:
        template = environment.from_string(text)
        return template.render(variables)
    except TemplateSyntaxError as error:
        reason = (error.message or "").rstrip(".")
        raise TemplateError(
            f"Line {error.lineno} of the prompt is no template: {reason}. "
            "--raw sends {{ and {% as text."
        ) from None
    except UndefinedError as error:
        raise TemplateError(_undefined(environment, text, variables, error)) from None
    except Exception as error:
        raise TemplateError(
            f"The template failed: {type(error).__name__}: {error} "
            "(--raw sends {{ and {% as text)"
        ) from error


def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    start, end = _NO_COMMENT
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        comment_start_string=start,
        comment_end_string=end,
        finalize=as_text,
        cache_size=0,
    )


def _undefined(
    environment: ImmutableSandboxedEnvironment,
    text: str,
    variables: Mapping[str, Any],
    error: Exception,
) -> str:
    import difflib

    from jinja2 import meta

    names = meta.find_undeclared_variables(environment.parse(text))
    unknown = sorted(names - variables.keys() - environment.globals.keys())
    hint = "--raw sends {{ and {% as text."
    if not unknown:
        return f"The template failed: {error}. {hint}"
    own = [name for name in variables if not name.startswith("_")]
    sentences = []
    for name in unknown:
        near = difflib.get_close_matches(name, own, n=1)
        nearest = f" Did you mean {near[0]}?" if near else ""
        sentences.append(f"There is no variable {name}.{nearest}")
    return f"{' '.join(sentences)} {hint}"


def as_text(value: Any) -> Any:
    """Give a value as a prompt shows it: tables as Markdown, all else as it is."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return value
    if isinstance(value, pandas.DataFrame):
        return table(value)
    if isinstance(value, pandas.Series):
        return table(value.to_frame(value.name if value.name is not None else "value"))
    return value


def table(frame: pd.DataFrame) -> str:
    """Give a frame as a Markdown table of 50 rows at most, and say how many were left out.

    The index is shown unless it only counts the rows from 0.
    """
    shown = frame.iloc[:MOST_ROWS]
    index = frame.index
    counts_rows = index.nlevels == 1 and index.name is None and _is_range(index)
    headers = [] if counts_rows else ["" if name is None else name for name in index.names]
    headers += list(frame.columns)
    columns = [shown.iloc[:, place].tolist() for place in range(shown.shape[1])]
    labels = (
        [] if counts_rows else list(zip(*(_labels(label) for label in shown.index), strict=True))
    )
    rows = zip(*labels, *columns, strict=True) if labels or columns else iter(())
    lines = [_row(headers), _row(["---"] * len(headers)), *(_row(row) for row in rows)]
    left_out = len(frame) - len(shown)
    if left_out:
        lines += ["", f"({len(shown)} of {len(frame):,} rows shown, {left_out:,} left out)"]
    return "\n".join(lines)


def _is_range(index: Any) -> bool:
    # a RangeIndex from 0 by 1, whatever made it
    return getattr(index, "start", None) == 0 and getattr(index, "step", None) == 1


def _labels(label: Any) -> tuple[Any, ...]:
    return label if isinstance(label, tuple) else (label,)


def _row(cells: Any) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: Any) -> str:
    text = " / ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    text = "NaN" if text == "nan" else text
    return text.replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>")
