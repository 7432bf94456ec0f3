"""A name at an object store (fsspec), with as much of `pathlib.Path` as a sweep's folder needs."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import IO, Any, Literal

import msgspec

from nbchat.errors import CheckError, MissingLibraryError
from nbchat.version import install_command

#: objects that are fetched at a time
_AT_ONCE = 64
#: stores that make a folder for a name by themselves
_WITHOUT_FOLDERS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory"}
#: libraries of fsspec that are not asynchronous may be asked by one thread at a time alone
_ONE_AT_A_TIME = threading.RLock()


class ObjectStat(msgspec.Struct, frozen=True):
    """Bytes of an object, and when it was written, in seconds by the clock of the store."""

    st_size: int
    st_mtime: float


class ObjectPath:
    """The name of an object, or what names begin with. All that fails is an OSError.

    Raise MissingLibraryError where the store's library is missing, CheckError for an address that
    no library knows.
    """

    def __init__(self, url: str):
        self._url = url.rstrip("/")
        self.store, self.key = _store_of(self._url)
        #: bytes of what was written through this very object, which nobody else writes
        self.n_bytes: int | None = None

    def __str__(self) -> str:
        return self._url

    def __repr__(self) -> str:
        return f"ObjectPath({self._url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and self._url == other._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __lt__(self, other: ObjectPath) -> bool:
        return self._url < other._url

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(f"{self._url}/{name}")

    @property
    def name(self) -> str:
        return self._url.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0] or self.name

    @property
    def parent(self) -> ObjectPath:
        return ObjectPath(self._url.rpartition("/")[0])

    def exists(self) -> bool:
        with self._asking() as fs:
            return bool(fs.exists(self.key))

    def is_file(self) -> bool:
        with self._asking() as fs:
            return bool(fs.isfile(self.key))

    def is_dir(self) -> bool:
        """Tell whether there are names that begin with this one."""
        with self._asking() as fs:
            return bool(fs.isdir(self.key))

    def glob(self, pattern: str) -> Iterator[ObjectPath]:
        """Give what is right below and is called so; nothing where there is nothing."""
        try:
            with self._asking() as fs:
                entries = fs.ls(self.key, detail=False)
        except FileNotFoundError:
            return
        names = {str(entry).rstrip("/").rpartition("/")[2] for entry in entries}
        for name in sorted(names):
            if fnmatchcase(name, pattern):
                yield self / name

    def open(self, mode: Literal["rb"] = "rb") -> IO[bytes]:  # noqa: ARG002 - as pathlib has it
        """Fetch the object whole, as a file."""
        return io.BytesIO(self.read_bytes())

    def open_in_place(self) -> Any:
        """Give a file of which parts are fetched as they are read."""
        with self._asking() as fs:
            return fs.open(self.key, "rb") if fs.async_impl else io.BytesIO(self.read_bytes())

    def read_bytes(self) -> bytes:
        with self._asking() as fs:
            data: bytes = fs.cat_file(self.key)
            return data

    def write_bytes(self, data: bytes) -> None:
        """Put the object there, whole."""
        with self._asking() as fs:
            fs.pipe_file(self.key, data)
        self.n_bytes = len(data)

    def put(self, file: str) -> None:
        """Put the contents of a file of this system there."""
        with self._asking() as fs:
            fs.put_file(file, self.key)

    def stat(self) -> ObjectStat:
        with self._asking() as fs:
            size = fs.size(self.key)
            return ObjectStat(size or 0, fs.modified(self.key).timestamp())

    def mkdir(self, *, parents: bool = True, exist_ok: bool = True) -> None:
        """Make a folder where the store has such."""
        with self._asking() as fs:
            protocol = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
            if not protocol & _WITHOUT_FOLDERS and parents:
                fs.makedirs(self.key, exist_ok=exist_ok)

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - as pathlib has it
        try:
            with self._asking() as fs:
                fs.rm_file(self.key)
        except FileNotFoundError:
            if not missing_ok:
                raise

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Any]:
        """Give the store, without what it remembers: others write there, too."""
        with _as_os_errors(self._url), _alone(self.store):
            self.store.invalidate_cache()
            yield self.store


def read_each(paths: Sequence[ObjectPath]) -> Iterator[tuple[ObjectPath, bytes | None]]:
    """Give the contents of each object, None where it is gone. Raise OSError where it is not told.

    They are fetched many at a time, as far as the store's library can.
    """
    for first in range(0, len(paths), _AT_ONCE):
        group = paths[first : first + _AT_ONCE]
        fs = group[0].store
        with _as_os_errors(str(group[0])), _alone(fs):
            names = [path.key for path in group]
            data = fs.cat(names, on_error="return")
        for path, name in zip(group, names, strict=True):
            one = data.get(name) if isinstance(data, dict) else data
            if isinstance(one, Exception) and not isinstance(one, FileNotFoundError):
                with _as_os_errors(str(path)):
                    raise one
            yield path, bytes(one) if isinstance(one, bytes | bytearray) else None


def _alone(fs: Any) -> Any:
    return contextlib.nullcontext() if fs.async_impl else _ONE_AT_A_TIME


@contextlib.contextmanager
def _as_os_errors(url: str) -> Iterator[None]:
    """Let all that fails be an OSError which names the address."""
    try:
        yield
    except GeneratorExit:
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{url}: {error}") from error
    except PermissionError as error:
        raise PermissionError(f"{url}: {error}") from error
    except Exception as error:
        raise OSError(f"{url}: {type(error).__name__}: {error}") from error


def _store_of(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingLibraryError(
            f"folder is {url}, which needs fsspec ({install_command('stores')})."
        ) from None
    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        raise MissingLibraryError(f"folder is {url}, which needs a library: {error}.") from None
    except ValueError as error:
        raise CheckError(
            f"folder is {url}: {error}. It must be a folder, or an address that fsspec knows.",
            field="folder",
            value=url,
        ) from None
    return fs, str(path).rstrip("/")
