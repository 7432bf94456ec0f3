"""Names that are not there: which one was meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping


class NoAttributeError(AttributeError):
    """An attribute that is not there. Who reads the sentence is told the nearest one.

    The sentence is made when it is read: `hasattr` and imports ask for much that is not there.
    """

    def __init__(self, owner: str, name: str, hint: Callable[[], str]):
        super().__init__()
        self.args = (owner, name)
        self._hint = hint

    def __str__(self) -> str:
        owner, name = self.args
        return f"{owner} has no attribute {name!r}{self._hint()}"

    def _render_traceback_(self) -> list[str]:
        """Show a few lines in IPython, as the errors of nbchat do."""
        from nbchat.errors import short_traceback

        return short_traceback(self)

    def __reduce__(self) -> tuple[type[AttributeError], tuple[str]]:
        return AttributeError, (str(self),)


def no_attribute(
    owner: str,
    name: str,
    known: Callable[[], Iterable[str]],
    meant: Callable[[], Mapping[str, str]] = dict,
    *,
    lead: str = "",
) -> AttributeError:
    """Give the error for an attribute that `owner` has not.

    `known` gives the names that it has, `meant` what others call them -> what they are here, as
    it is to be typed after `lead`.
    """

    def hint() -> str:
        if name.startswith("__"):
            return ""
        spelt = meant()
        near = name if name in spelt else nearest_name(name, [*known(), *spelt])
        return f". Did you mean {lead}{spelt.get(near, near)}?" if near else ""

    return NoAttributeError(owner, name, hint)


def nearest_name(name: str, known: Iterable[str], *, cutoff: float = 0.7) -> str:
    """Give the known name that is most like this one; empty where none is."""
    import difflib

    by_lower = {each.lower(): each for each in known}
    nearest = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=cutoff)
    return by_lower[nearest[0]] if nearest else ""
