"""Any GGUF file, fetched from where the user says, and kept only with the SHA-256 they named."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from nbchat.errors import LocalModelError
from nbchat.redact import redact_address, redact_keys
from nbchat.regular_file import first_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedRandom

    import requests

MAGIC = b"GGUF"
TRIES = 4
WAIT_S = 0.5
TIMEOUT_S = (10.0, 60.0)
_BLOCK = 1 << 16  # of a block that is cut nothing is kept
#: what a server answers that may do it a moment later
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def digest_of(sha256: str | None, source: str) -> str:
    """Give the SHA-256 as it is compared. Raise LocalModelError where it is missing or none."""
    if not sha256:
        raise LocalModelError(
            f"Name the SHA-256 that {shown(source)} must have (sha256=, --sha256): a model from "
            "elsewhere is kept only where it is the one that was meant."
        )
    digest = sha256.strip().lower().removeprefix("sha256:")
    if not _DIGEST.fullmatch(digest):
        raise LocalModelError(f"sha256={sha256[:80]!r} is no SHA-256: that is 64 digits of 0-9a-f.")
    return digest


def name_of(source: str) -> str:
    """Give the name that the file of a path or URL gets in the folder of models."""
    path = source
    if is_url(source):
        _, _, after_host = re.split(r"[?#]", source)[0].partition("://")[2].partition("/")
        path = unquote(after_host)
    name = re.sub(r"[^\w.+-]+", "-", Path(path.replace("\\", "/")).name).lstrip(".-")
    stem = name.removesuffix(".gguf") or "model"
    return f"{stem[:120]}.gguf"


def is_url(source: str) -> bool:
    return re.match(r"[a-z][a-z0-9+]+://", source, re.IGNORECASE) is not None


def shown(source: str) -> str:
    """Give an address without what may be a key in it."""
    return redact_address(source) if is_url(source) else source


def fetch(source: str, digest: str, target: Path, report: Callable[[int, int], None]) -> None:
    """Put the file of a path or URL at `target`, whole or not at all.

    A download that breaks off is gone on with from where it broke, if the server can. `report`
    is called with the bytes so far and in all. Raise LocalModelError where it cannot be had, is
    no GGUF file or has another SHA-256; whatever ends this, nothing half-made is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".fetch-", dir=target.parent, ignore_cleanup_errors=True
    ) as folder:
        part = Path(folder) / target.name
        with part.open("w+b") as file:
            if is_url(source) and not source.lower().startswith("file:"):
                _download(source, file, report)
            else:
                _copy(source, file, report)
            file.flush()
            os.fsync(file.fileno())
            _check(source, digest, file)
        part.replace(target)


def _check(source: str, digest: str, file: BufferedRandom) -> None:
    file.seek(0)
    _refuse_other_kinds(source, file.read(len(MAGIC)))
    file.seek(0)
    actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != digest:
        raise LocalModelError(
            f"{shown(source)} has the SHA-256 {actual}, and {digest} was named. Nothing was kept."
        )


def _refuse_other_kinds(source: str, first: bytes) -> None:
    if first != MAGIC:
        raise LocalModelError(
            f"{shown(source)} is no GGUF file: it begins with {first!r}, not with {MAGIC!r}. "
            "Nothing was kept."
        )


def _copy(source: str, file: BinaryIO, report: Callable[[int, int], None]) -> None:
    path = Path(url2pathname(urlsplit(source).path) if is_url(source) else source).expanduser()
    try:
        _refuse_other_kinds(source, first_bytes(path, len(MAGIC)))
        total = path.stat().st_size
        with path.open("rb") as origin:
            while block := origin.read(_BLOCK):
                file.write(block)
                report(file.tell(), total)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LocalModelError(f"{source} cannot be read: {reason}. Nothing was kept.") from error


def _download(source: str, file: BinaryIO, report: Callable[[int, int], None]) -> None:
    import requests

    tag = ""
    reason: object = ""
    for number in range(TRIES):
        time.sleep(WAIT_S * number)
        try:
            with _response_from(source, file.tell(), tag) as response:
                if response.status_code < HTTPStatus.BAD_REQUEST:
                    tag = response.headers.get("ETag", "")
                    _append(source, response, file, report)
                    return
                reason = f"the server answered {response.status_code} {response.reason}"
                if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    _empty(file)
                elif response.status_code not in _PASSING:
                    break
        except requests.RequestException as error:
            reason = _reason(error)
            if isinstance(error, ValueError):  # an address that is none
                break
    raise LocalModelError(
        f"{shown(source)} could not be fetched: {reason}. Nothing was kept; the same call begins "
        "anew."
    )


def _response_from(source: str, n_bytes: int, tag: str) -> requests.Response:
    import requests

    headers = {"Accept-Encoding": "identity"}
    if n_bytes:
        headers["Range"] = f"bytes={n_bytes}-"
        if tag and not tag.startswith("W/"):
            headers["If-Range"] = tag
    return requests.get(source, headers=headers, stream=True, timeout=TIMEOUT_S)


def _append(
    source: str, response: requests.Response, file: BinaryIO, report: Callable[[int, int], None]
) -> None:
    begins_at = f"bytes {file.tell()}-"
    goes_on = response.status_code == HTTPStatus.PARTIAL_CONTENT
    if not (goes_on and response.headers.get("Content-Range", "").startswith(begins_at)):
        _empty(file)
    length = response.headers.get("Content-Length", "")
    total = file.tell() + (int(length) if length.isdecimal() else 0)
    free = shutil.disk_usage(Path(file.name).parent).free
    if total - file.tell() > free:
        raise LocalModelError(
            f"{shown(source)} has {total / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free where it "
            f"would be kept ({Path(file.name).parent.parent})."
        )
    for block in response.iter_content(_BLOCK):
        if not file.tell():
            _refuse_other_kinds(source, block[: len(MAGIC)])
        file.write(block)
        report(file.tell(), max(total, file.tell()))
    if not file.tell():
        _refuse_other_kinds(source, b"")


def _empty(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()


def _reason(error: Exception) -> str:
    """Give the last of the reasons that libraries wrap into one another, on one line."""
    import requests

    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    text = redact_keys(str(error)).splitlines() or [type(error).__name__]
    causes = re.findall(r"\[Errno [^\]]+\] ([^')]+)", text[0])
    return causes[-1] if causes else text[0][:200]
