"""Where a sweep's folder is: a folder of this system, or names at an object store.

`Place` is what the two have in common, as `pathlib.Path` has it. An object store keeps whole
objects and appends to none, so what is written there is put in pieces (`nbchat.sweep.segments`).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Literal, Protocol, Self
from urllib.parse import unquote, urlsplit

from nbchat.errors import CheckError
from nbchat.redact import redact_address
from nbchat.sweep.object_path import ObjectPath, read_each


class _Stat(Protocol):
    @property
    def st_size(self) -> int: ...

    @property
    def st_mtime(self) -> float: ...


class Place(Protocol):
    """A folder or a file; `ObjectPath` and `pathlib.Path` are such."""

    @property
    def name(self) -> str: ...

    @property
    def stem(self) -> str: ...

    @property
    def parent(self) -> Self: ...

    def __truediv__(self, name: str, /) -> Self: ...

    def __lt__(self, other: Self, /) -> bool: ...

    def exists(self) -> bool: ...

    def is_dir(self) -> bool: ...

    def is_file(self) -> bool: ...

    def glob(self, pattern: str, /) -> Iterator[Self]: ...

    def open(self, mode: Literal["rb"], /) -> IO[bytes]: ...

    def read_bytes(self) -> bytes: ...

    def write_bytes(self, data: bytes, /) -> int | None: ...

    def stat(self) -> _Stat: ...

    def mkdir(self, *, parents: bool = ..., exist_ok: bool = ...) -> None: ...

    def unlink(self, missing_ok: bool = ...) -> None: ...  # noqa: FBT001 - as pathlib has it


def place_of(folder: str | os.PathLike[str] | ObjectPath) -> Path | ObjectPath:
    """Give the place of a folder: of an address with ``://`` names at a store, else a path.

    ``file://`` is a folder of this system. Raise CheckError for what can be neither, and
    MissingLibraryError where the store's own library is missing.
    """
    if isinstance(folder, ObjectPath):
        return folder
    if isinstance(folder, str) and "://" in folder:
        protocol, _, rest = folder.partition("://")
        if protocol == "file":
            return _checked(Path(unquote(rest if os.name != "nt" else rest.lstrip("/"))), folder)
        if urlsplit(folder).password:
            raise CheckError(
                f"folder is {redact_address(folder)}, which has a password in it: leave that to "
                "the settings of the store's library. Nothing was sent.",
                field="folder",
            )
        return ObjectPath(folder)
    return _checked(Path(folder).expanduser(), folder)


def _checked(path: Path, folder: str | os.PathLike[str]) -> Path:
    path = path.absolute()
    if path.exists() and not path.is_dir():
        raise CheckError(f"folder is {path}, which is a file.", field="folder", value=str(folder))
    return path


def opened(places: Iterable[Place]) -> Iterator[tuple[Place, IO[bytes] | None]]:
    """Give each file, open for as long as it is the one that was given last; None where it is gone.

    Those of a store are fetched many at a time. Raise OSError where the store cannot be read.
    """
    stored: list[ObjectPath] = []
    for place in places:
        if isinstance(place, ObjectPath):
            stored.append(place)
            continue
        try:
            file = place.open("rb")
        except OSError:
            yield place, None
            continue
        with file:
            yield place, file
    for path, data in read_each(stored):
        yield path, None if data is None else io.BytesIO(data)
