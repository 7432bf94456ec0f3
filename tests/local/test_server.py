"""The embedded server with the real model. Each test has a Host or a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from nbchat import local
from nbchat.errors import LocalModelError
from nbchat.local import server as server_module
from nbchat.local.server import Host, Server, settings_for, short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.local, pytest.mark.usefixtures("weights")]


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.stop()


def ask(server: Server, **fields: Any) -> dict[str, Any]:
    answer = get(server, "/chat/completions", {"messages": messages("Tell a story."), **fields})
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def get(server: Server, path: str, body: Any = None, key: str | None = None) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            "POST" if body else "GET",
            server.base_url + path,
            json=body,
            headers={"Authorization": f"Bearer {server.key if key is None else key}"},
            timeout=60,
        )


def messages(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_it_answers_with_token_probabilities(local_server: Server) -> None:
    body = ask(local_server, max_tokens=5, logprobs=True, top_logprobs=3)
    tokens = body["choices"][0]["logprobs"]["content"]
    assert len(tokens) == 5
    assert all(token["logprob"] <= 0 and len(token["top_logprobs"]) == 3 for token in tokens)
    assert body["model"] == "smollm2-135m"


def test_the_server_states_its_facts(local_server: Server) -> None:
    assert local_server.model == "smollm2-135m"
    assert local_server.vocab_size == 49152
    assert (local_server.context, local_server.slots, local_server.max_tokens) == (4096, 4, 1024)
    assert local_server.threads <= min(2, server_module.available_cores())
    assert local_server.base_url.startswith("http://127.0.0.1:")
    assert local_server.base_url.endswith("/v1")


def test_only_this_machine_reaches_it_and_only_with_the_key(local_server: Server) -> None:
    listening = psutil.Process(local_server.pid).net_connections("tcp")
    assert {c.laddr.ip for c in listening if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    assert get(local_server, "/chat/completions", {"messages": []}, key="guess").status_code == 401


def test_the_key_is_in_no_repr_no_command_line_and_no_environment(local_server: Server) -> None:
    child = psutil.Process(local_server.pid)
    shown = [repr(local_server), repr(local.status()), *child.cmdline(), *child.environ().values()]
    assert len(local_server.key) >= 32
    assert not any(local_server.key in text for text in shown)


def test_status_is_one_line(local_server: Server) -> None:
    status = local.status()
    assert status.downloaded
    assert status.running
    assert (status.base_url, status.pid) == (local_server.base_url, local_server.pid)
    assert repr(status).startswith("embedded model: smollm2-135m runs at http://127.0.0.1:")
    assert "\n" not in repr(status)


def test_a_reply_stops_at_the_default_unless_the_request_says_otherwise(host: Host) -> None:
    server = host.serve(settings_for(max_tokens=8))
    rambling = {"logit_bias": {"2": -100}, "seed": 1}  # 2 is the token that ends a turn
    for fields, expected in (
        ({}, 8),
        ({"max_tokens": 12}, 12),
        ({"max_completion_tokens": 12}, 12),
    ):
        body = ask(server, **rambling, **fields)
        assert body["usage"]["completion_tokens"] == expected
        assert body["choices"][0]["finish_reason"] == "length"


def test_the_first_use_says_one_line_and_later_ones_nothing(host: Host) -> None:
    said: list[str] = []
    first = host.ensure(said.append)
    assert host.ensure(said.append) is first
    # the empty one takes it away
    assert len(said) == 2
    assert said[0].startswith("Starting the embedded model smollm2-135m (")
    assert said[1] == ""


def test_two_threads_that_start_it_at_once_get_one_server(host: Host) -> None:
    said: list[str] = []
    found: list[Server] = []
    threads = [
        threading.Thread(target=lambda: found.append(host.ensure(said.append))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([line for line in said if line]) == 1
    assert len({server.pid for server in found}) == 1


def test_a_server_that_died_is_started_again_with_the_same_settings(host: Host) -> None:
    first = host.serve(settings_for(threads=1, max_tokens=9))
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not host.status().running)
    second = host.ensure()
    assert second.pid != first.pid
    assert (second.threads, second.max_tokens) == (1, 9)
    assert ask(second, max_tokens=1)["usage"]["completion_tokens"] == 1


def test_serving_again_keeps_the_same_and_replaces_another(
    host: Host, weights: Path, tmp_path: Path
) -> None:
    first = host.serve(settings_for())
    assert host.serve(settings_for()) is first
    other = tmp_path / "Other-Model.Q4_1.gguf"
    other.symlink_to(weights)
    second = host.serve(settings_for(other))
    gone(first.pid)
    assert host.ensure() is second
    assert ask(second, max_tokens=1)["model"] == second.model == "other-model.q4_1"


def test_stop_ends_the_process(host: Host) -> None:
    server = host.ensure()
    host.stop()
    gone(server.pid)
    assert not host.status().running
    host.stop()


def test_the_name_is_short_and_made_from_the_file() -> None:
    assert (
        short_name(Path("/m/Qwen2.5-0.5B-Instruct-Q4_K_M.gguf")) == "qwen2.5-0.5b-instruct-q4_k_m"
    )
    assert short_name(Path("big-00001-of-00003.GGUF")) == "big"


def test_a_model_in_the_models_folder_is_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCHAT_DATA_DIR", str(tmp_path))
    file = tmp_path / "models" / "Mine.Q8_0.gguf"
    file.parent.mkdir()
    file.write_bytes(b"GGUF")
    for name in ("mine.q8_0", "Mine.Q8_0.gguf"):
        assert settings_for(name).path == str(file)


def test_a_file_that_is_no_gguf_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notes.gguf"
    path.write_text("hello")
    with pytest.raises(LocalModelError, match=r"^notes\.gguf is not a GGUF file\.$"):
        settings_for(path)
    with pytest.raises(LocalModelError, match="There is no model file"):
        settings_for(tmp_path / "none.gguf")


def test_a_broken_gguf_is_one_sentence_with_the_servers_reason(
    host: Host, weights: Path, tmp_path: Path
) -> None:
    path = tmp_path / "half.gguf"
    with weights.open("rb") as file:
        path.write_bytes(file.read(5_000_000))
    with pytest.raises(
        LocalModelError, match=r"^half\.gguf cannot be served: .*corrupted"
    ) as caught:
        host.serve(settings_for(path))
    assert "\n" not in str(caught.value)
    assert not host.status().running


def test_weights_that_are_missing_or_broken_name_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCHAT_DATA_DIR", str(tmp_path))
    with pytest.raises(LocalModelError, match=r"not here yet.*nbchat\.local\.download\(\)"):
        settings_for()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "smollm2-135m.gguf").write_bytes(b"GGUF")
    with pytest.raises(LocalModelError, match=r"are broken.*nbchat\.local\.download\(\)"):
        settings_for("smollm2-135m")


def test_a_missing_extra_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LocalModelError, match=r'pip install "xllamacpp>='):
        settings_for()


def test_threads_are_two_at_most_and_leave_a_core_free(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, expected in ((1, 1), (2, 1), (3, 2), (64, 2)):
        monkeypatch.setattr(server_module, "available_cores", lambda cores=cores: cores)
        assert settings_for().threads == expected
    assert settings_for(threads=8).threads == 8
    monkeypatch.setattr(server_module, "available_cores", lambda: 2)
    for threads in (0, 3):
        with pytest.raises(LocalModelError, match=f"threads={threads}.*2 cores"):
            settings_for(threads=threads)


@pytest.mark.parametrize("field", ["context", "at_once", "max_tokens"])
def test_sizes_below_one_are_refused(field: str) -> None:
    with pytest.raises(LocalModelError, match=f"{field}=0"):
        settings_for(**{field: 0})


def test_no_orphan_is_left_by_kill_9_even_if_a_forked_sibling_holds_the_pipe(
    kernel: Callable[[str], subprocess.Popen[str]],
) -> None:
    owner = kernel("""
        sibling = os.fork()
        if not sibling:
            time.sleep(60)
            os._exit(0)
        tell(server.pid, sibling)
        time.sleep(60)
    """)
    pid, sibling = told(owner)
    owner.kill()
    owner.wait()
    try:
        gone(pid)
        assert psutil.pid_exists(sibling)
    finally:
        os.kill(sibling, signal.SIGKILL)


def test_an_interrupt_of_the_whole_group_does_not_end_the_server(
    kernel: Callable[[str], subprocess.Popen[str]],
) -> None:
    owner = kernel("""
        try:
            tell(server.pid)
            time.sleep(60)
        except KeyboardInterrupt:
            tell(local.status().running)
            time.sleep(60)
    """)
    (pid,) = told(owner)
    assert os.getpgid(pid) != owner.pid
    os.killpg(owner.pid, signal.SIGINT)
    assert told(owner) == [True]
    os.kill(pid, signal.SIGINT)
    time.sleep(0.2)
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    owner.kill()
    gone(pid)


def test_the_server_ends_with_a_process_that_ends_by_itself(
    kernel: Callable[[str], subprocess.Popen[str]],
) -> None:
    owner = kernel("tell(server.pid)")
    (pid,) = told(owner)
    assert owner.wait(timeout=20) == 0
    gone(pid)


def test_an_interrupt_while_it_starts_leaves_no_process(
    kernel: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    owner = kernel("""
        import signal, threading
        local.stop()
        process = __import__("nbchat.local.process").local.process
        started = process.subprocess.Popen
        def start(*words, **options):
            child = started(*words, **options)
            tell(child.pid)
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            return child
        process.subprocess.Popen = start
        try:
            local.ensure()
        except KeyboardInterrupt:
            tell("interrupted")
        time.sleep(60)
    """)
    (pid,) = told(owner)
    assert told(owner) == ["interrupted"]
    gone(pid)


def test_a_forked_process_uses_the_server_and_does_not_own_it(
    kernel: Callable[[str], subprocess.Popen[str]],
) -> None:
    owner = kernel("""
        lock = threading.Event()
        def hold():
            with local.server._HOST._lock:
                lock.set()
                time.sleep(1)
        threading.Thread(target=hold).start()
        lock.wait()
        child = os.fork()
        if not child:
            tell(local.status().running, local.ensure().pid == server.pid)
            local.stop()
            os._exit(0)
        os.waitpid(child, 0)
        tell(local.status().running, server.pid)
        time.sleep(60)
    """)
    assert told(owner) == [True, True]
    running, pid = told(owner)
    assert running
    owner.kill()
    gone(pid)


def test_what_lies_in_the_notebooks_folder_does_not_stand_in_for_a_library(
    kernel: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise SystemExit('mine')")
    owner = kernel("tell(server.pid)")
    assert len(told(owner)) == 1


def test_the_command_line_serves_until_it_is_interrupted(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").symlink_to(weights)
    command = subprocess.Popen(
        [sys.executable, "-m", "nbchat.local", "serve", "mine", "--max-tokens", "7"],
        env=os.environ | {"NBCHAT_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout
    line = command.stdout.readline()
    base_url = line.split(" answers at ")[1].split(";")[0]
    (key_file,) = tmp_path.glob("serve-*.key")
    key = key_file.read_text()
    assert key not in line
    assert key_file.stat().st_mode & 0o077 == 0
    assert requests.get(
        f"{base_url}/models", headers={"Authorization": f"Bearer {key}"}, timeout=20
    ).ok
    command.send_signal(signal.SIGINT)
    assert command.wait(timeout=20) == 130
    command.stdout.close()
    assert not key_file.exists()
    gone(int(key_file.stem.removeprefix("serve-")))


def test_the_command_line_says_status_in_one_line() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "nbchat.local", "status"], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("embedded model: not running; weights of smollm2-135m at ")
    assert said.stdout.count("\n") == 1


def test_importing_local_loads_nothing_heavy() -> None:
    code = (
        "import sys; from nbchat import local; "
        "print({'xllamacpp', 'platformdirs', 'requests', 'tqdm', 'numpy'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a process in a group of its own that has a server and then runs the given lines."""
    started: list[subprocess.Popen[str]] = []
    head = """
        import json, os, sys, threading, time
        from nbchat import local
        def tell(*what):
            os.write(1, (json.dumps(what) + "\\n").encode())
        server = local.ensure()
    """

    def start(lines: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(lines)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def told(process: subprocess.Popen[str]) -> list[Any]:
    assert process.stdout
    line = process.stdout.readline()
    assert line, "the process ended"
    what: list[Any] = json.loads(line)
    return what


def gone(pid: int) -> None:
    def is_gone() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    until(is_gone)


def until(what: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
