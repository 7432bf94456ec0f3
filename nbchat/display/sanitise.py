"""Replies as outputs that cannot act, and that mean what was written.

JupyterLab takes the outputs of a cell that ran for the user's own, and does not clean them: in
Markdown it keeps HTML as it stands, event handlers included, and links of every kind. nbconvert
does the same. What a model writes may hold all of that, and pictures whose addresses tell a
server what was said. And what is no danger may still be misread: "$5 and then $6" as a formula,
while the formula ``\\(x\\)``, as OpenAI's models write it, loses its backslashes.

So a reply with anything of the kind is rendered here: HTML as text, pictures as links, links of
the web only, prices as prices and formulas as formulas. Front ends prefer this rendering; the
reply itself stays beside it, byte for byte.
"""

from __future__ import annotations

import functools
import re
from html import escape
from typing import Any

_TAG = re.compile(r"<[A-Za-z/!?]")
_DESTINATION = re.compile(r"\](?:\(|:)\s*")
_HARMLESS = re.compile(r"https?://|mailto:|#|[\w./~-]*(?:[\s)]|$)", re.IGNORECASE)

_CODE = re.compile(
    r"^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)|(?<!`)(`+)(?!`).*?(?<!`)\2(?!`)",
    re.DOTALL | re.MULTILINE,
)
_IN_PARAGRAPH = r"(?:[^$\n]|\n(?!\s*\n)){1,2000}?"
# the rule of Pandoc tells formulas from prices: no blank inside the dollars, no digit after them
_DOLLARS = re.compile(
    rf"(?<!\\)\$\${_IN_PARAGRAPH}\$\$|(?<![\\$])\$(?=[^\s$]){_IN_PARAGRAPH}(?<![\s\\])\$(?![\d$])"
)
_BACKSLASHED = re.compile(r"\\\((?:.|\n(?!\s*\n)){1,2000}?\\\)|\\\[(?:.|\n(?!\s*\n)){1,4000}?\\\]")

# private characters that stand for what Markdown is not to touch while it is rendered
_PRICE, _FORMULA, _FORMULA_END = "\ue000", "\ue001", "\ue002"


def is_harmless(markdown: str) -> bool:
    """Tell whether Markdown can be left to the front end, which will show it as it is meant."""
    if "![" in markdown or _TAG.search(markdown):
        return False
    if not all(_HARMLESS.match(markdown, found.end()) for found in _DESTINATION.finditer(markdown)):
        return False
    return not _would_be_misread(markdown)


def _would_be_misread(markdown: str) -> bool:
    has_dollars, has_backslashed = markdown.count("$") > 1, "\\(" in markdown or "\\[" in markdown
    if not has_dollars and not has_backslashed:
        return False
    text = _CODE.sub(" ", markdown)
    if has_backslashed and _BACKSLASHED.search(text):
        return True
    return "$" in _DOLLARS.sub("", text).replace("\\$", "")


def as_html(markdown: str) -> str:
    """Render Markdown of unknown origin as HTML that cannot act."""
    formulas: list[str] = []

    def keep(found: re.Match[str]) -> str:
        formulas.append(found[0])
        return f"{_FORMULA}{len(formulas) - 1}{_FORMULA_END}"

    text = re.sub(f"[{_PRICE}{_FORMULA}{_FORMULA_END}]", "\ufffd", markdown)
    text = _outside_code(text, lambda part: _DOLLARS.sub(keep, _BACKSLASHED.sub(keep, part)))
    text = _outside_code(text, lambda part: part.replace("\\$", "$").replace("$", _PRICE))
    html: str = _renderer().render(text)
    html = html.replace(_PRICE, "$").replace("%EE%80%80", "$")
    html = re.sub(
        f"{_FORMULA}(\\d+){_FORMULA_END}", lambda found: escape(formulas[int(found[1])]), html
    )
    return f"<div>{html}</div>"


def _outside_code(text: str, change: Any) -> str:
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, change(text[end:])])


def frame_bundle(markdown: str) -> dict[str, str]:
    """Give a reply that still grows as an output (MIME type to text)."""
    if is_harmless(markdown):
        return {"text/markdown": markdown}
    return {"text/html": as_html(markdown)}


def whole_bundle(markdown: str) -> dict[str, str]:
    """Give a whole reply as an output; its Markdown is there in any case, byte for byte."""
    return {"text/markdown": markdown, **frame_bundle(markdown)}


@functools.cache
def _renderer() -> Any:
    from markdown_it import MarkdownIt

    class OfTheWebOnly(MarkdownIt):
        def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
            return re.match(r"https?://|mailto:|#", url.strip(), re.IGNORECASE) is not None

    renderer = OfTheWebOnly("commonmark", {"html": False}).enable(["table", "strikethrough"])
    renderer.add_render_rule("image", _picture_as_link)
    renderer.add_render_rule("link_open", _link_open)
    renderer.add_render_rule("text", _text)
    return renderer


def _text(_self: Any, tokens: Any, index: int, _options: Any, _env: Any) -> str:
    text = escape(tokens[index].content, quote=False)
    return text.replace(_PRICE, '<span class="mathjax_ignore">$</span>')


def _link_open(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer")
    tokens[index].attrSet("target", "_blank")
    rendered: str = self.renderToken(tokens, index, options, env)
    return rendered


def _picture_as_link(_self: Any, tokens: Any, index: int, _options: Any, _env: Any) -> str:
    source = str(tokens[index].attrGet("src") or "")
    text = tokens[index].content or source
    return (
        f'<a href="{escape(source)}" rel="noopener noreferrer" target="_blank">{escape(text)}</a>'
    )
