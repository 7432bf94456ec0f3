"""Which public name stands on which page of the reference, and what it is."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import nbchat


class Page(NamedTuple):
    """A page of the reference: `names` are dotted, `module` is one whose names it has all."""

    slug: str
    title: str
    about: str
    names: tuple[str, ...] = ()
    module: str = ""


def _of_nbchat(*names: str) -> tuple[str, ...]:
    return tuple(f"nbchat.{name}" for name in names)


PAGES = (
    Page(
        "asking",
        "Asking",
        "Requests from Python, what came back, and the settings of the process.",
        _of_nbchat(
            "chat", "stream", "achat", "astream", "Run", "Thread", "Draft", "ChatParams",
            "configure", "budget", "models", "probe", "repeat", "analysis.Probe",
        ),
    ),
    Page(
        "panels",
        "Explorer and inspectors",
        "The panels, and what can be done with them from code.",
        (
            "nbchat.explore", "nbchat.widgets.explorer.panel.Explorer",
            "nbchat.inspect", "nbchat.widgets.inspector.panel.Inspector",
            "nbchat.widgets.sweep_inspector.panel.SweepInspector",
        ),
    ),
    Page(
        "what-else",
        "What the model would have said",
        "Functions that ask more to tell more: other tokens, given texts, labels, samples.",
        _of_nbchat(
            "branch", "tree", "score", "rescore", "classify", "minimal_pairs", "uncertainty",
            "compare", "analysis.Branch", "analysis.Tree", "analysis.Scores", "analysis.Rescored",
            "analysis.MinimalPairs", "analysis.Uncertainty", "analysis.Comparison",
        ),
    ),
    Page(
        "frames",
        "Frames and files",
        "Runs as DataFrames, and runs in files.",
        _of_nbchat(
            "runs", "choices", "tokens", "alternatives", "words", "usage", "parameters", "save",
            "load",
        ),
        "nbchat.frames",
    ),
    Page("plots", "Figures", "", module="nbchat.plots"),
    Page("measures", "Measures", "", module="nbchat.measures"),
    Page("statistics", "Statistics", "", module="nbchat.statistics"),
    Page("sweep", "Sweeps", "", module="nbchat.sweep"),
    Page("evaluators", "Evaluators", "", module="nbchat.evaluators"),
    Page("history", "History", "", module="nbchat.history"),
    Page("tools", "Tools", "", module="nbchat.tools"),
    Page("structured", "Objects", "", module="nbchat.structured"),
    Page("media", "Pictures and sound", "", module="nbchat.media"),
    Page("code", "Requests as code", "", module="nbchat.code"),
    Page("local", "The embedded model", "", module="nbchat.local"),
    Page("client", "Client and profiles", "", _of_nbchat("Client", "Profile"), "nbchat.client"),
    Page("api", "The API", "", module="nbchat.api"),
    Page("errors", "Errors", "", module="nbchat.errors"),
)  # fmt: skip


class Entry(NamedTuple):
    """A documented name: what it is, and where it stands."""

    name: str
    value: Any
    page: str


def value_of(name: str) -> Any:
    """Give what a dotted name stands for. Raise LookupError where there is no such name."""
    value: Any = nbchat
    for number, part in enumerate(name.split(".")[1:], 2):
        if not hasattr(value, part):  # a function may have the name of its module, and goes first
            try:
                importlib.import_module(".".join(name.split(".")[:number]))
            except ModuleNotFoundError as error:
                raise LookupError(f"there is no {name}") from error
        value = getattr(value, part)
    return value


def names_of_module(module: ModuleType) -> list[str]:
    """Give a module's public names: those of `__all__`, else what is defined in it."""
    public = getattr(module, "__all__", None)
    if public is not None:
        return list(public)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]


@cache
def entries() -> tuple[Entry, ...]:
    """Give every documented name, each thing once, in the order of the pages.

    Raise LookupError for a public name that no page has.
    """
    documented: list[Entry] = []
    seen: dict[int, str] = {}
    for page in PAGES:
        names = list(page.names)
        if page.module:
            module = importlib.import_module(page.module)
            names += [f"{page.module}.{name}" for name in names_of_module(module)]
            documented.append(Entry(page.module, module, page.slug))
        for name in names:
            value = value_of(name)
            is_thing = inspect.isclass(value) or inspect.isfunction(value)
            if is_thing and id(value) in seen:
                continue
            seen[id(value)] = name
            documented.append(Entry(name, value, page.slug))
    here = {entry.name for entry in documented} | {seen.get(id(value_of(n)), "") for n in public()}
    missing = [n for n in public() if n not in here and id(value_of(n)) not in seen]
    if missing:
        raise LookupError(
            f"no page of the reference has {', '.join(missing)}: write it into one of PAGES in "
            "docs/site/names.py"
        )
    return tuple(documented)


def public() -> list[str]:
    """Give the dotted names that nbchat shows."""
    return [f"nbchat.{name}" for name in nbchat.__all__]
