"""What a page would do with HTML: said by Python's parser and by bleach, which is html5lib's."""

from __future__ import annotations

import functools
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import Cleaner

TAGS = {
    "a", "blockquote", "br", "code", "details", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "li", "ol", "p", "pre", "s", "span", "strong", "summary", "table", "tbody", "td", "th",
    "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"class", "href", "open", "rel", "start", "style", "target", "title"}
STYLES = {
    "color", "font-size", "font-weight", "font-style", "margin", "overflow-wrap", "text-align",
    "white-space",
}  # fmt: skip
_CLEANER = Cleaner(
    tags=TAGS,
    attributes=sorted(ATTRIBUTES),
    protocols={"http", "https", "mailto"},
    strip=False,
    css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES),
)
_NOT_TYPESET = {"pre", "code"}  # MathJax leaves these alone, and what has the class below
_VOID = {"br", "hr"}
_OF_THE_WEB = re.compile(r"https?://|mailto:|#", re.IGNORECASE)
_TABLE = re.compile(r'CommandMap\("[\w-]+",\{.*?\},', re.DOTALL)
_EFFECTS = re.compile(
    r"Def|New|Let$|Declare|Require|SetOptions|TagForm|Href|Class|^Id$|Unicode|MmlToken|BBox"
)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.others: list[str] = []
        self.typeset = [""]
        self._ignored: list[bool] = [False]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))
        if tag == "br":
            self.typeset[-1] += "\n"
            return
        self.typeset.append("")
        if tag not in _VOID:
            is_ignored = tag in _NOT_TYPESET or "mathjax_ignore" in (dict(attrs).get("class") or "")
            self._ignored.append(self._ignored[-1] or is_ignored)

    def handle_endtag(self, tag: str) -> None:
        self.typeset.append("")
        if tag not in _VOID and len(self._ignored) > 1:
            self._ignored.pop()

    def handle_data(self, data: str) -> None:
        if not self._ignored[-1]:
            self.typeset[-1] += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def what_acts(html: str) -> list[str]:
    """Everything in HTML that is more than text: elements, attributes, addresses, formulas."""
    found = _read(html)
    acting = [f"markup {other!r}" for other in found.others]
    for tag, attributes in found.elements:
        acting += [f"<{tag}>"] if tag not in TAGS else []
        for name, value in attributes:
            is_address = name == "href" and not _OF_THE_WEB.match(value or "")
            is_style = name == "style" and re.search(r"url|expression|position|@", value or "")
            if name not in ATTRIBUTES or is_address or is_style:
                acting.append(f"<{tag} {name}={value!r}>")
    cleaned = _read(_CLEANER.clean(html)).elements
    names = [[(tag, sorted(name for name, _ in attributes)) for tag, attributes in each]
             for each in (found.elements, cleaned)]  # fmt: skip
    acting += [] if names[0] == names[1] else ["what bleach takes away"]
    return acting + [f"formula {text!r}" for text in found.typeset if _acts(text)]


def _acts(text: str) -> bool:
    return any(rf"\{name}" in text and re.search(rf"\\{name}(?![a-zA-Z])", text)
               for name in commands_with_effects())  # fmt: skip


@functools.cache
def commands_with_effects() -> frozenset[str]:
    """The commands of the MathJax in JupyterLab whose handlers do more than typeset."""
    static = Path(sys.prefix, "share/jupyter/lab/static")
    pairs = {
        pair
        for script in static.glob("*.js")
        for table in _TABLE.findall(script.read_text("utf-8"))
        for pair in re.findall(r'(\w+):\[?"(\w+)"', table)
    }
    assert ("let", "Let") in pairs, "this is not where JupyterLab keeps MathJax"
    html = {"style"}  # its handler has the name of one that only typesets
    return frozenset({name for name, handler in pairs if _EFFECTS.search(handler)} | html)
