"""The child process of the embedded model. It is run as a file, and imports nothing of nbchat.

It reads its settings as one line of JSON from stdin, so that the key stands in no process
list, prints one line of JSON with its address, and ends with the kernel that started it.
"""

import json
import os
import signal
import sys
import threading
import time
from typing import Any

PARENT_CHECK_S = 1.0


def main() -> None:
    # the kernel's interrupt means "stop this reply", which closes a socket; not "no model"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = json.loads(sys.stdin.readline())
    server = start(settings)
    sys.stdout.write(json.dumps({"address": server.listening_address}) + "\n")
    sys.stdout.flush()
    if os.name == "posix":
        threading.Thread(target=end_with, args=(settings["parent"],), daemon=True).start()
    sys.stdin.read()  # ends when the kernel does
    os._exit(0)


def end_with(parent: int) -> None:
    # A process that the kernel forked holds the other end of stdin open after the kernel has
    # gone, so its end alone proves nothing. Windows neither forks nor passes the handle on.
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(0)


def start(settings: dict[str, Any]) -> Any:
    from xllamacpp import CommonParams, Server

    params = CommonParams()
    params.model.path = settings["path"]
    params.model_alias = [settings["model"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["key"]]
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1  # errors only
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.n_parallel = settings["slots"]
    # Each slot has its own share: in a common pool one long reply ends all the others.
    params.kv_unified = False
    params.n_ctx = settings["context"] * settings["slots"]
    params.n_predict = settings["max_tokens"]
    # From 64 tokens on attention goes through another kernel, whose rounding moves log
    # probabilities by up to 0.39: in small batches a prompt has the same ones as decoding has,
    # whatever of it a slot has already.
    params.n_ubatch = 32
    params.cache_ram_mib = 0  # by default old prompts may fill 8 GB
    # a thread for each open stream: those that wait for a slot must not block the others
    params.n_threads_http = settings["slots"] + 60
    return Server(params)


if __name__ == "__main__":
    main()
