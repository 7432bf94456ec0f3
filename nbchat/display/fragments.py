"""Small pieces of static HTML, of which what is shown beside a reply is made."""

from __future__ import annotations

import html

from nbchat.display.characters import encodable, visible

# a grey that is legible on white and on the black of dark themes alike
_GREY = "color: #7f7f7f; font-size: 85%"
_PRE = "margin: 0.2em 0 0.4em 1.5em; white-space: pre-wrap; overflow-wrap: anywhere"
_AS_IT_IS = "margin: 0; white-space: pre-wrap; overflow-wrap: anywhere"


def escaped(text: str) -> str:
    """Give text as HTML in one line, which can stand in Markdown."""
    # an empty line would end the HTML where it stands in Markdown
    return html.escape(visible(encodable(text))).replace("\r", "&#13;").replace("\n", "&#10;")


def folded(summary: str, content: str, *, is_open: bool = False) -> str:
    """Give HTML that unfolds; `summary` and `content` are HTML."""
    opened = " open" if is_open else ""
    return f"<details{opened}><summary>{summary}</summary>{content}</details>"


def pre(text: str) -> str:
    """Give text as it stands, indented."""
    return f'<pre style="{_PRE}">{escaped(text)}</pre>'


def grey_html(line: str, above: str = "") -> str:
    """Give a line in grey, with HTML above it. Nothing in it is a formula."""
    return f'<div class="mathjax_ignore" style="{_GREY}">{above}{html.escape(line)}</div>'


def grey_bundle(line: str) -> dict[str, str]:
    """Give a line of nbchat's own as a small grey output (MIME type to text)."""
    return {"text/html": grey_html(line), "text/plain": line}


def as_it_is(text: str, why: str) -> str:
    """Give text that is not rendered, below a line that says why."""
    shown = html.escape(visible(encodable(text)))
    return f'<div>{grey_html(why)}<pre style="{_AS_IT_IS}">{shown}</pre></div>'
