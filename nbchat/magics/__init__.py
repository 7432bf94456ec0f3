"""What a user types: ``%load_ext nbchat`` brings ``%%chat`` and ``%chat``."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

_undo: weakref.WeakKeyDictionary[Any, list[Callable[[], object]]] = weakref.WeakKeyDictionary()


def load_ipython_extension(shell: Any) -> None:
    """Register the magics, their completion and their defaults, and say where requests go."""
    from nbchat.display.characters import write
    from nbchat.magics.cells import Cells
    from nbchat.magics.chat import ChatMagic

    unload_ipython_extension(shell)
    names = {"nbchat"} if _is_taken(shell, "chat") else {"chat", "nbchat"}
    cells = Cells(shell)
    magic = ChatMagic(shell, names, cells)
    undo = _undo[shell] = []
    for name in sorted(names):
        shell.magics_manager.register_function(magic.chat, "line_cell", name)
        undo.append(_remover(shell.magics_manager.magics, name))
    cells.start()
    undo.append(cells.stop)
    _add(undo, shell.configurables, magic.defaults)
    _add_transforms(undo, shell, names)
    _add_completion(undo, shell, names, magic.models)
    write(sys.stdout, f"{_greeting(names)}\n")


def unload_ipython_extension(shell: Any) -> None:
    """Take back all that loading did."""
    for step in reversed(_undo.pop(shell, [])):
        step()


def _is_taken(shell: Any, name: str) -> bool:
    magics = shell.magics_manager.magics
    return name in magics["cell"] or name in magics["line"]


def _remover(magics: dict[str, dict[str, Any]], name: str) -> Callable[[], object]:
    functions = {kind: magics[kind][name] for kind in ("line", "cell")}

    def remove() -> None:
        for kind, function in functions.items():
            if magics[kind].get(name) is function:
                del magics[kind][name]

    return remove


def _add(undo: list[Callable[[], object]], where: list[Any], what: Any, place: int = -1) -> None:
    where.insert(len(where) if place < 0 else place, what)
    undo.append(lambda: where.remove(what))


def _add_transforms(undo: list[Callable[[], object]], shell: Any, names: set[str]) -> None:
    from nbchat.magics.input import assigned_line, cell_transform, line_transform

    manager = shell.input_transformer_manager
    # first of all: those of IPython change the text
    _add(undo, manager.cleanup_transforms, cell_transform(names), 0)
    _add(undo, manager.token_transformers, line_transform(names))
    _add(undo, manager.token_transformers, assigned_line(names))


def _add_completion(
    undo: list[Callable[[], object]],
    shell: Any,
    names: set[str],
    models: Callable[[str | None], list[str]],
) -> None:
    completer = getattr(shell, "Completer", None)
    if completer is None:
        return
    from nbchat.magics.completion import matcher

    _add(undo, completer.custom_matchers, matcher(shell, names, models))


def _where(profile: Any) -> str:
    from urllib.parse import urlsplit

    from nbchat.client.presets import LOCAL, PRESETS

    preset = PRESETS.get(profile.name)
    is_expected = profile.name == LOCAL or (preset and preset.base_url == profile.base_url)
    host = urlsplit(profile.base_url).netloc
    name = profile.name if is_expected or host == profile.name else f"{profile.name} at {host}"
    if profile.base_urls:
        name += f" and {len(profile.base_urls) - 1} more"
    sources = _sources(profile)
    return f"{name} ({sources})" if sources else name


def _sources(profile: Any) -> str:
    """Say where name, address and key come from, unless all of it is the environment's."""
    from nbchat.client.addresses import crosses_in_clear
    from nbchat.client.variables import ENVIRONMENT

    places = {"profile": profile.named_by, "address": profile.address_from, "key": profile.key_from}
    known = {what: place for what, place in places.items() if place is not None}
    facts = []
    if known and set(known.values()) != {ENVIRONMENT}:
        facts = [f"{what} from {_short(place)}" for what, place in known.items()]
    if profile.withheld:
        facts.append(_short(profile.withheld))
    elif profile.key is not None and any(map(crosses_in_clear, profile.addresses)):
        facts.append("the key goes there in clear, by http")
    return "; ".join(facts)


def _short(text: str) -> str:
    """Give a text with the user's own folder as ``~``."""
    import os

    home = os.path.expanduser("~")  # noqa: PTH111 - runs at every start: pathlib is slower
    return text.replace(f"{home}{os.sep}", f"~{os.sep}") if len(home) > 1 else text


def _greeting(names: set[str]) -> str:
    from nbchat import session
    from nbchat.errors import NbchatError
    from nbchat.version import __version__

    facts = [f"nbchat {__version__}"]
    try:
        profile = session.current_profile()
    except NbchatError as error:
        facts.append(str(error))
    else:
        facts += [f"profile {_where(profile)}", profile.model or "no default model"]
    if "chat" not in names:
        facts.append("%%chat belongs to another extension: use %%nbchat")
    return " · ".join(facts)
