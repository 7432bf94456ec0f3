"""Code as static HTML with pygments' classes, in the colours of the notebook's theme."""

from __future__ import annotations

import functools
import itertools
from html import escape
from typing import Any

#: characters of a block that are looked at, and no more: some lexers take long over nonsense
MOST_HIGHLIGHTED = 20_000
# JupyterLab's variables, and where there is no JupyterLab a tone that is legible on white and black
_COLOURS = {
    "k": "color: var(--jp-mirror-editor-keyword-color, #8f6fd0); font-weight: bold",
    "kc": "color: var(--jp-mirror-editor-atom-color, #8f6fd0)",
    "ow": "color: var(--jp-mirror-editor-operator-color, #8f6fd0); font-weight: bold",
    "m": "color: var(--jp-mirror-editor-number-color, #3f8f6f)",
    "s": "color: var(--jp-mirror-editor-string-color, #c0603f)",
    "c": "color: var(--jp-mirror-editor-comment-color, #7f8f7f); font-style: italic",
    "o": "color: var(--jp-mirror-editor-operator-color, #a06fb0)",
    "nb": "color: var(--jp-mirror-editor-builtin-color, #3f8f6f)",
    "nf": "color: var(--jp-mirror-editor-def-color, #4f7fd0)",
    "nc": "color: var(--jp-mirror-editor-def-color, #4f7fd0)",
    "nd": "color: var(--jp-mirror-editor-meta-color, #8f8f3f)",
    "nt": "color: var(--jp-mirror-editor-tag-color, #4f9f5f)",
    "na": "color: var(--jp-mirror-editor-attribute-color, #4f7fd0)",
    "gd": "color: var(--jp-mirror-editor-error-color, #d05050)",
    "gi": "color: var(--jp-mirror-editor-string-color, #4f9f5f)",
}


def code_html(code: str, language: str, _attributes: str = "") -> str:
    """Give a block of code as HTML that can stand alone; of a language nobody knows as it is."""
    name = f' class="language-{escape(language)}"' if language else ""
    lexer = _lexer(language) if len(code) <= MOST_HIGHLIGHTED else None
    if lexer is None:
        return f"<pre><code{name}>{escape(code, quote=False)}</code></pre>\n"
    return f'<pre class="highlight"><code{name}>{_highlighted(code, lexer)}</code></pre>\n'


def _highlighted(code: str, lexer: Any) -> str:
    from pygments.token import STANDARD_TYPES

    named = ((STANDARD_TYPES.get(kind, ""), text) for kind, text in lexer.get_tokens(code))
    parts = []
    for name, group in itertools.groupby(named, key=lambda token: token[0]):
        shown = escape("".join(text for _, text in group), quote=False)
        style = _COLOURS.get(name) or _COLOURS.get(name[:1])
        parts.append(f'<span class="{name}" style="{style}">{shown}</span>' if style else shown)
    return "".join(parts)


@functools.lru_cache(64)
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None
