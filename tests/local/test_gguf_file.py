"""A model from elsewhere: it comes whole and with its SHA-256, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from nbchat import local
from nbchat.errors import LocalModelError
from nbchat.local import gguf_file, weights
from nbchat.local.__main__ import main
from nbchat.local.server import find

pytestmark = pytest.mark.long

GOOD = b"GGUF" + bytes(range(256)) * 10_000
DIGEST = hashlib.sha256(GOOD).hexdigest()


class Shelf(BaseHTTPRequestHandler):
    """A server of one file, which can break off, forget ranges, or say something else."""

    content = GOOD
    cut_after: ClassVar[list[int]]  # one for each answer that is cut
    knows_ranges = True
    statuses: ClassVar[list[int]]
    asked: ClassVar[list[str]]
    tag = '"1"'
    url = ""

    def do_GET(self) -> None:
        asked = self.headers.get("Range") or ""
        self.asked.append(asked)
        if self.statuses:
            self.send_error(self.statuses.pop(0))
            return
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.knows_ranges else 0
        if self.headers.get("If-Range", self.tag) != self.tag:
            start = 0
        body = self.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", self.tag)
        if start:
            total = len(self.content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)
        self.close_connection = True

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Shelf]]:
    monkeypatch.setattr(gguf_file, "WAIT_S", 0.0)

    class This(Shelf):
        cut_after: ClassVar[list[int]] = []
        statuses: ClassVar[list[int]] = []
        asked: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), This) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        here = f"http://127.0.0.1:{server.server_port}"
        This.url = f"{here}/models/Tiny%20Model-Q4.gguf?token=sk-0"
        yield This
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBCHAT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data" / "models"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def refused(url: object, sha256: str | None = DIGEST, **options: bool) -> str:
    with pytest.raises(LocalModelError) as caught:
        local.download(url, sha256=sha256, progress=False, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert "sk-0" not in str(caught.value)
    return str(caught.value)


def test_a_file_from_a_url_is_kept_under_its_name_and_served_by_it(
    shelf: type[Shelf], models: Path
) -> None:
    path = local.download(shelf.url, sha256=f"sha256:{DIGEST.upper()}", progress=False)
    assert path == models / "Tiny-Model-Q4.gguf"
    assert path.read_bytes() == GOOD
    assert find("tiny-model-q4") == path
    local.download(shelf.url, sha256=DIGEST, progress=False)
    assert len(shelf.asked) == 1  # it is there already


def test_a_file_from_a_path_is_copied_and_checked(tmp_path: Path, models: Path) -> None:
    origin = tmp_path / "a b.gguf"
    origin.write_bytes(GOOD)
    for source in (origin, str(origin), origin.as_uri()):
        path = local.download(source, sha256=DIGEST, progress=False, force=True)
        assert path.read_bytes() == GOOD
    assert left_in(models) == ["a-b.gguf", "a-b.gguf.sha256"]


def test_with_its_own_hash_it_becomes_the_embedded_model(
    shelf: type[Shelf], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "SHA256", DIGEST)
    monkeypatch.setattr(weights, "SIZE", len(GOOD))
    assert local.download(shelf.url, sha256=DIGEST, progress=False) == weights.embedded_path()
    assert local.status().downloaded


def test_another_hash_is_refused_and_nothing_is_left(shelf: type[Shelf], models: Path) -> None:
    assert f"SHA-256 {DIGEST}, and {'0' * 64} was named" in refused(shelf.url, "0" * 64)
    assert left_in(models) == []


@pytest.mark.parametrize("sha256", [None, "", "abc", "g" * 64])
def test_no_hash_or_none_that_is_one_is_refused_before_anything_is_asked(
    shelf: type[Shelf], models: Path, sha256: str | None
) -> None:
    assert "SHA-256" in refused(shelf.url, sha256)
    assert (shelf.asked, left_in(models)) == ([], [])


def test_a_download_that_is_cut_goes_on_where_it_was_cut(shelf: type[Shelf]) -> None:
    shelf.cut_after = [1_500_000, 1_000_000]
    path = local.download(shelf.url, sha256=DIGEST, progress=False)
    assert path.read_bytes() == GOOD
    starts = [int(re.findall(r"\d+", asked)[0]) for asked in shelf.asked[1:]]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1]


@pytest.mark.parametrize("change", ["ranges", "tag"])
def test_a_server_that_cannot_go_on_or_has_another_file_begins_anew(
    shelf: type[Shelf], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.cut_after = [1_500_000]
    if change == "ranges":
        shelf.knows_ranges = False
    else:
        asked = gguf_file._response_from
        monkeypatch.setattr(
            gguf_file, "_response_from", lambda s, n, tag: asked(s, n, tag and '"0"')
        )
    assert local.download(shelf.url, sha256=DIGEST, progress=False).read_bytes() == GOOD
    assert len(shelf.asked) == 2


def test_one_that_is_cut_again_and_again_ends_in_a_sentence(
    shelf: type[Shelf], models: Path
) -> None:
    shelf.cut_after = [10, 10, 10, 10, 10]
    assert "could not be fetched: the connection was cut. Nothing was kept" in refused(shelf.url)
    assert left_in(models) == []
    assert local.download(shelf.url, sha256=DIGEST, progress=False).read_bytes() == GOOD


def test_a_page_in_its_place_is_refused_by_its_first_bytes(
    shelf: type[Shelf], models: Path, tmp_path: Path
) -> None:
    for content in (b"<!DOCTYPE html><p>log in", b""):
        shelf.content = content
        assert "is no GGUF file: it begins with" in refused(shelf.url)
    (tmp_path / "page.gguf").write_bytes(b"<html>")
    assert "is no GGUF file" in refused(tmp_path / "page.gguf")
    assert "cannot be read: No such file" in refused(tmp_path / "none.gguf")
    assert left_in(models) == []


def test_an_error_that_passes_is_tried_again_and_one_that_stays_is_told(
    shelf: type[Shelf], models: Path
) -> None:
    shelf.statuses = [503]
    local.download(shelf.url, sha256=DIGEST, progress=False)
    shelf.statuses = [404]
    shelf.asked.clear()
    assert "the server answered 404 Not Found" in refused(shelf.url, force=True)
    assert len(shelf.asked) == 1
    assert (models / "Tiny-Model-Q4.gguf").read_bytes() == GOOD  # the one that was there


def test_an_address_that_is_none_or_where_nobody_listens_is_told(models: Path) -> None:
    assert "could not be fetched" in refused("http://[::1/model.gguf")
    assert "could not be fetched" in refused("gopher://host/model.gguf")
    assert "refused" in refused("http://127.0.0.1:9/model.gguf")
    assert left_in(models) == []


def test_an_interrupt_leaves_nothing(shelf: type[Shelf], models: Path) -> None:
    def progress(done: int, total: int) -> None:
        assert total == len(GOOD)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.download(shelf.url, sha256=DIGEST, progress=progress)
    assert left_in(models) == []


def test_a_disk_that_is_too_small_is_told_before_the_download(
    shelf: type[Shelf], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert "3 MB, and 1 MB are free" in refused(shelf.url)
    assert left_in(models) == []


def test_another_file_of_that_name_is_replaced_only_by_force(
    shelf: type[Shelf], models: Path
) -> None:
    models.mkdir(parents=True)
    (models / "Tiny-Model-Q4.gguf").write_bytes(b"GGUF another")
    assert "has another SHA-256; force=True" in refused(shelf.url)
    local.download(shelf.url, sha256=DIGEST, progress=False, force=True)
    assert (models / "Tiny-Model-Q4.gguf").read_bytes() == GOOD


def test_the_command_takes_the_same(
    shelf: type[Shelf], models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", "--url", shelf.url, "--sha256", DIGEST]) == 0
    shown = capsys.readouterr().out
    assert "Fetching http://127.0.0.1" in shown
    assert str(models / "Tiny-Model-Q4.gguf") in shown
    assert main(["download", "--url", shelf.url]) == 1
    assert "Name the SHA-256" in capsys.readouterr().err
    assert main(["download", "--sha256", DIGEST]) == 1
    assert "name its url" in capsys.readouterr().err


def test_a_name_cannot_leave_the_folder() -> None:
    for source, name in {
        "https://h/a/..%2F..%2Fetc.gguf": "etc.gguf",
        "https://h/": "model.gguf",
        "https://h/x?download=true": "x.gguf",
        "C:\\models\\A.gguf": "A.gguf",
        "https://h/.hidden.gguf": "hidden.gguf",
    }.items():
        assert gguf_file.name_of(source) == name


def test_a_home_that_cannot_be_written_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gguf").write_bytes(GOOD)
    (tmp_path / "file").touch()
    monkeypatch.setenv("NBCHAT_DATA_DIR", str(tmp_path / "file"))
    assert "NBCHAT_DATA_DIR names another folder" in refused(tmp_path / "a.gguf")
