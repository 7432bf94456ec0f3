"""The pages of the reference that are made from docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from msgspec import UNSET

from docs.site.docstrings import first_sentence, markdown_of
from docs.site.names import PAGES, Entry, Page, entries, public, value_of

#: names that are no class, function or module: what they are
_DATA = {
    "nbchat.history.path": "The file that runs are kept in, None where none is.",
    "nbchat.history.size": "Its size in bytes.",
    "nbchat.local.MODEL": "The weights that are fetched: name, address, size and SHA-256.",
    "nbchat.media.LIMITS": "What may be attached: for each kind its types and its largest size.",
}


def pages() -> Iterator[tuple[str, str]]:
    """Give the name and the Markdown of each page made from docstrings, the overview first."""
    yield "index", overview()
    for page in PAGES:
        yield page.slug, text_of(page)


def overview() -> str:
    """Give the page that lists every public name of `nbchat` with a sentence."""
    rows = [
        f"| {{py:obj}}`{name} <{_documented(name)}>` | {_cell(_says(value_of(name)))} |"
        for name in public()
    ]
    tables = "\n".join(["| name | what it is |", "|---|---|", *rows])
    listed = "\n".join(["fields", "flags", "columns", *(page.slug for page in PAGES)])
    return (
        "# Reference\n\n"
        "Everything here is made from the package when the site is built: the pages of names "
        "from their docstrings, [the fields](fields.md), [the flags and options](flags.md) and "
        "[the columns](columns.md) from where they are declared.\n\n"
        f"## The names of `nbchat`\n\n{tables}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    )


def text_of(page: Page) -> str:
    """Give one page of the reference."""
    known = [entry.name for entry in entries()]
    parts = [f"# {page.title}"]
    if page.about:
        parts.append(page.about)
    if page.module:
        module = value_of(page.module)
        if _is_plain_module(module):  # one that is called is described as what it is called as
            parts.append(f"```{{py:module}} {page.module}\n```")
            # names are written whole: what follows must not be taken for the module's own
            parts.append("```{py:currentmodule} None\n```")
        parts.append(markdown_of(module.__doc__, known))
    here = [entry for entry in entries() if entry.page == page.slug]
    if page.slug == "measures":
        parts.append(_measures_table(here))
    parts += [_described(entry, known) for entry in here if not _is_plain_module(entry.value)]
    return "\n\n".join(parts) + "\n"


def _measures_table(here: list[Entry]) -> str:
    rows = [
        f"| {{py:obj}}`{entry.name.rpartition('.')[2]} <{entry.name}>` "
        f"| {_cell(first_sentence(entry.value.__doc__))} | {_cell(_source(entry.value))} |"
        for entry in here
        if inspect.isfunction(entry.value)
    ]
    head = ["| measure | formula, and what it gives | source |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def _source(value: Any) -> str:
    text = " ".join(inspect.cleandoc(value.__doc__ or "").split())
    for mark in ("Sources: ", "Source: ", "source: "):
        if mark in text:
            return text.split(mark)[1].removesuffix(".")
    return ""


def _described(entry: Entry, known: list[str]) -> str:
    value, name = entry.value, entry.name
    if inspect.isclass(value):
        return _class(name, value, known)
    if isinstance(value, ModuleType):  # one that is called
        call = type(value).__call__
        return _directive("function", name, _signature(value), markdown_of(call.__doc__, known))
    if callable(value):
        return _directive("function", name, _signature(value), markdown_of(value.__doc__, known))
    return _directive("data", name, "", _DATA.get(name) or markdown_of(type(value).__doc__, known))


def _class(name: str, value: type, known: list[str]) -> str:
    is_error = issubclass(value, BaseException)
    kind, depth = ("exception" if is_error else "class"), 4
    body = [markdown_of(value.__doc__, known)]
    if value.__name__ == "ChatParams":
        body.append("All fields: [the fields of a request](fields.md).")
    for member, attribute in _members(value):
        doc = markdown_of(inspect.getdoc(attribute), known)
        if isinstance(attribute, property):
            body.append(_directive("property", member, "", doc, 3))
        else:
            plain = getattr(attribute, "__func__", attribute)
            options = ":classmethod:\n" if isinstance(attribute, classmethod) else ""
            options = ":staticmethod:\n" if isinstance(attribute, staticmethod) else options
            signature = _signature(plain, is_method=not isinstance(attribute, staticmethod))
            body.append(_directive("method", member, signature, options + "\n" + doc, 3))
    signature = "" if is_error or value.__name__ == "ChatParams" else _signature(value)
    return _directive(kind, name, signature, "\n\n".join(body), depth)


def _members(value: type) -> Iterator[tuple[str, Any]]:
    """Give the public methods and properties that nbchat defines, in their order."""
    seen: set[str] = set()
    for base in value.__mro__:
        if not base.__module__.startswith("nbchat"):
            continue
        for name, attribute in vars(base).items():
            shown = isinstance(attribute, property | classmethod | staticmethod)
            if name.startswith("_") or name in seen or not (shown or inspect.isfunction(attribute)):
                continue
            if inspect.getdoc(attribute):
                seen.add(name)
                yield name, attribute


def _signature(value: Callable[..., Any], *, is_method: bool = False) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError, NameError):  # a struct whose types are for checkers alone
        return f"({', '.join(getattr(value, '__struct_fields__', ()))})"
    parameters = list(signature.parameters.values())[1 if is_method else 0 :]
    if any(parameter.default is UNSET for parameter in parameters):  # fields of the request
        parameters = [parameter for parameter in parameters if parameter.default is not UNSET]
        parameters.append(inspect.Parameter("fields", inspect.Parameter.VAR_KEYWORD))
    parts: list[str] = []
    is_keyword = False
    for number, parameter in enumerate(parameters):
        before = parameters[number - 1].kind if number else None
        if before is parameter.POSITIONAL_ONLY and parameter.kind is not before:
            parts.append("/")
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword:
            parts.append("*")
        is_keyword |= parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        parts.append(_parameter(parameter))
    gives = _annotation(signature.return_annotation)
    return f"({', '.join(parts)})" + (f" -> {gives}" if gives else "")


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    annotation = _annotation(parameter.annotation)
    text = f"{stars}{parameter.name}" + (f": {annotation}" if annotation else "")
    if parameter.default is parameter.empty:
        return text
    shown = repr(parameter.default)
    return f"{text} = {shown if not shown.startswith('<') else '...'}"


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = text.strip("'\"") if text[:1] == text[-1:] and text[:1] in "'\"" else text
    return "" if "Annotated[" in text else " ".join(text.split())


def _directive(kind: str, name: str, signature: str, body: str, depth: int = 3) -> str:
    fence = ":" * depth
    return f"{fence}{{py:{kind}}} {name}{signature}\n{body}\n{fence}"


def _is_plain_module(value: Any) -> bool:
    return isinstance(value, ModuleType) and not callable(value)


def _documented(name: str) -> str:
    """Give the name under which a public thing is documented."""
    value = value_of(name)
    names = [entry.name for entry in entries() if entry.value is value]
    return name if name in names or not names else names[0]


def _says(value: Any) -> str:
    return first_sentence(value.__doc__)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`")
