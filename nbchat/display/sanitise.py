"""Replies as outputs that cannot act, and that mean what was written.

JupyterLab takes the outputs of a cell that ran for the user's own, and does not clean them: in
Markdown it keeps HTML as it stands, event handlers included, and links of every kind. nbconvert
does the same. What a model writes may hold all of that, and pictures whose addresses tell a
server what was said. And what is no danger may still be misread: "$5 and then $6" as a formula,
while the formula ``\\(x\\)``, as OpenAI's models write it, loses its backslashes.

So a reply with anything of the kind is rendered here: HTML as text, pictures as links, links of
the web only, prices as prices and formulas as formulas. Front ends prefer this rendering; the
reply itself stays beside it, byte for byte. What is too long to be rendered in a moment, or
cannot be rendered at all, is shown as it is.
"""

from __future__ import annotations

import contextlib
import functools
import re
from html import escape, unescape
from typing import Any
from urllib.parse import quote

import msgspec

from nbchat.display.characters import visible
from nbchat.display.formulas import acts, pieces
from nbchat.display.fragments import as_it_is
from nbchat.display.highlighted import code_html

#: characters of Markdown that are rendered at most: some 2 s on a slow machine at the worst
MOST_RENDERED = 200_000
#: the same for a frame of a reply that still grows, and characters that are looked at for it:
#: together less than 0.1 s at the worst
MOST_IN_A_FRAME = 6_000
MOST_SCANNED_IN_A_FRAME = 30_000
_TOO_LONG = f"longer than {MOST_RENDERED:,} characters: shown as it is, not as Markdown"
_LATER = "a long passage: shown as it comes, and as Markdown when it is whole"
_NOT_RENDERED = "shown as it is: it could not be rendered as Markdown"

_TAG = re.compile(r"<[A-Za-z/!?]")
# of links, and of the definitions of links, which begin a line of a quotation or a list, too
_DESTINATION = re.compile(
    r"\]\(\s*|^[ \t>*+.)\d-]*\[(?:[^\[\]\\]|\\.)*\]:\s*", re.MULTILINE | re.DOTALL
)
_HARMLESS = re.compile(r"https?://|mailto:|#|\)|$", re.IGNORECASE)

# what MathJax could read as the beginning or the end of a formula
_MARKERS = re.compile(r"(?:\$|\\[()\[\]]?)+")
# characters that stand for formulas while Markdown is rendered: no reference like &#xFDD0; gives
# them, since they are no characters at all
_KEPT, _KEPT_END = "\ufdd0", "\ufdd1"
_PLACE = re.compile(f"{_KEPT}([0-9]{{1,9}}){_KEPT_END}")
_PLACE_IN_ADDRESS = re.compile("%EF%B7%90([0-9]{1,9})%EF%B7%91")


def is_harmless(markdown: str) -> bool:
    """Tell whether Markdown can be left to the front end, which will show it as it is meant."""
    if "![" in markdown or _TAG.search(markdown):
        return False
    if acts(markdown) or ("&" in markdown and acts(unescape(markdown))):
        return False
    if not all(_HARMLESS.match(markdown, match.end()) for match in _DESTINATION.finditer(markdown)):
        return False
    return not _would_be_misread(markdown)


def is_harmless_so_far(markdown: str) -> bool:
    """Tell it for a part that still grows; of a long one it is not known in time."""
    return len(markdown) <= MOST_SCANNED_IN_A_FRAME and is_harmless(markdown)


def _would_be_misread(markdown: str) -> bool:
    has_dollars, has_backslashed = markdown.count("$") > 1, "\\(" in markdown or "\\[" in markdown
    if not has_dollars and not has_backslashed:
        return False
    for text, kind in pieces(markdown):
        if kind == "formula" and text.startswith(("\\(", "\\[")):
            return True
        if has_dollars and kind == "text" and "$" in text.replace("\\$", ""):
            return True
    return False


def as_html(markdown: str, *, is_whole: bool = True) -> str:
    """Render Markdown of unknown origin as HTML that cannot act. Whole code has colours."""
    if len(markdown) > MOST_RENDERED:
        return as_it_is(markdown, _TOO_LONG)
    try:
        return _rendered(markdown, is_whole=is_whole)
    except Exception:  # noqa: BLE001 - whatever a model wrote, it is shown
        return as_it_is(markdown, _NOT_RENDERED)


def open_html(markdown: str, *, is_finished: bool = False) -> str:
    """Render Markdown that still grows, again and again, as HTML that cannot act."""
    if len(markdown) > MOST_IN_A_FRAME:
        return as_it_is(markdown, _LATER)
    return as_html(markdown, is_whole=is_finished)


def frame_bundle(markdown: str, *, is_finished: bool = False) -> dict[str, str]:
    """Give a reply that still grows as an output (MIME type to text), or a block that is whole."""
    plain = {"text/plain": visible(markdown)}
    if is_harmless_so_far(markdown):
        return {"text/markdown": markdown, **plain}
    return {"text/html": open_html(markdown, is_finished=is_finished), **plain}


def whole_bundle(markdown: str) -> dict[str, str]:
    """Give a whole reply as an output; its Markdown is there in any case, byte for byte."""
    if is_harmless(markdown):
        return {"text/markdown": markdown}
    return {"text/markdown": markdown, "text/html": as_html(markdown)}


def json_bundle(markdown: str, json: str) -> dict[str, str]:
    """Give a whole reply that is JSON as an output: in colours, and byte for byte beside it."""
    return {"text/markdown": markdown, "text/html": json_html(json)}


def _rendered(markdown: str, *, is_whole: bool) -> str:
    formulas: list[str] = []
    parts = []
    for text, kind in pieces(re.sub(f"[{_KEPT}{_KEPT_END}]", "\ufffd", markdown)):
        if kind == "formula":
            parts.append(f"{_KEPT}{len(formulas)}{_KEPT_END}")
            formulas.append(text)
        else:
            parts.append(text)
    html: str = _renderer(is_whole=is_whole).render("".join(parts), {"formulas": formulas})
    # what is left stands in attributes
    html = _PLACE.sub(lambda match: escape(_kept(formulas, match)), html)
    html = _PLACE_IN_ADDRESS.sub(lambda match: escape(quote(_kept(formulas, match))), html)
    return f"<div>{html}</div>"


def json_html(text: str) -> str:
    """Give JSON as HTML, laid out and coloured; what is too long, or none, as it is."""
    if len(text) > MOST_RENDERED:
        return as_it_is(text, _TOO_LONG)
    with contextlib.suppress(msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        text = msgspec.json.format(text.encode(), indent=2).decode()
    return f"<div>{code_html(text, 'json')}</div>"


def _kept(formulas: list[str], match: re.Match[str]) -> str:
    place = int(match[1])
    return formulas[place] if place < len(formulas) else match[1]


@functools.cache
def _renderer(*, is_whole: bool) -> Any:
    from markdown_it import MarkdownIt

    class OfTheWebOnly(MarkdownIt):
        def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
            return re.match(r"https?://|mailto:|#", url.strip(), re.IGNORECASE) is not None

    options = {"html": False, "highlight": code_html if is_whole else None}
    renderer = OfTheWebOnly("commonmark", options).enable(["table", "strikethrough"])
    renderer.add_render_rule("image", _picture_as_link)
    renderer.add_render_rule("link_open", _link_open)
    renderer.add_render_rule("text", _text)
    return renderer


def _text(_self: Any, tokens: Any, index: int, _options: Any, env: Any) -> str:
    text = _MARKERS.sub(_not_typeset, escape(tokens[index].content, quote=False))
    return _PLACE.sub(lambda match: _formula(_kept(env["formulas"], match)), text)


def _formula(text: str) -> str:
    # an element of its own: MathJax looks for the end of a formula no further
    return f"<span>{escape(text)}</span>" if not acts(text) else _not_typeset(escape(text))


def _not_typeset(match: re.Match[str] | str) -> str:
    return f'<span class="mathjax_ignore">{match if isinstance(match, str) else match[0]}</span>'


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
