"""Variables, each with the place that it stands in: the environment, a ``.env`` file, a question.

A key goes to an address of its own place alone, so whoever looks a variable up can ask where it
stands, and what else stands there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Self

ENVIRONMENT = "the environment"
TYPED_IN = "what was asked for"


class Place(NamedTuple):
    """One place with variables. `name` stands behind "from"; a file's is its path."""

    name: str
    values: Mapping[str, str]


class Variables(Mapping[str, str]):
    """The variables of several places; of one that stands in two, that of the first is taken."""

    def __init__(self, *places: Place):
        self.places = places

    @classmethod
    def of(cls, variables: Mapping[str, str] | None) -> Self:
        """Take a mapping for the environment; None is the real one, with its ``.env`` file."""
        if isinstance(variables, cls):
            return variables
        return cls(*(_places_here() if variables is None else [Place(ENVIRONMENT, variables)]))

    def place(self, name: str) -> Place | None:
        """Give the place that a variable with something in it is taken from."""
        return next((place for place in self.places if place.values.get(name)), None)

    def at(self, place: str) -> Self:
        """Give the variables of one place alone."""
        return type(self)(*(each for each in self.places if each.name == place))

    def __getitem__(self, name: str) -> str:
        place = self.place(name)
        if place is not None:
            return place.values[name]
        for each in self.places:  # one that is there and empty is still there
            if name in each.values:
                return each.values[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in place.values for place in self.places)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for place in self.places for name in place.values))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:  # never what they hold
        return f"Variables({', '.join(place.name for place in self.places)})"


def _places_here() -> list[Place]:
    places = [Place(ENVIRONMENT, MappingProxyType(dict(os.environ)))]
    path = _dotenv_path()
    if path is not None:
        places.append(Place(path, MappingProxyType(_read(path))))
    return places


def _read(path: str) -> dict[str, str]:
    """Read a file; one that cannot be read has nothing, of one that is not UTF-8 the rest."""
    from dotenv import dotenv_values

    with (
        contextlib.suppress(OSError),
        open(path, encoding="utf-8-sig", errors="replace") as file,  # noqa: PTH123 - as below
    ):
        return {k: v for k, v in dotenv_values(stream=file).items() if v is not None}
    return {}


def _dotenv_path() -> str | None:
    try:
        folder = os.getcwd()  # noqa: PTH109 - runs at every start: pathlib is slower
    except OSError:
        return None  # a folder that was taken away under the kernel
    while True:
        path = os.path.join(folder, ".env")  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
            return path
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return None
        folder = parent
