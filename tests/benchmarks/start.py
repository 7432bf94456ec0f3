"""Start-up: a fresh process to its first token, and the extension in a running kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.benchmarks.measure import ROOT, Line, middle, seconds
from tests.kernel import Kernel
from tests.scripted import ScriptedServer, speaking

FLOOR = """
import sys, time
import msgspec, requests
body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
url = sys.argv[1] + "/chat/completions"
with requests.post(url, data=msgspec.json.encode(body), stream=True) as response:
    rest = b""
    for piece in response.iter_content(None):
        *events, rest = (rest + piece).split(b"\\n\\n")
        said = [msgspec.json.decode(event[6:])["choices"][0]["delta"].get("content")
                for event in events if event.startswith(b"data: {")]
        if any(said):
            break
print(time.perf_counter())
"""
OPENAI = """
import sys, time
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1], api_key="none")
messages = [{"role": "user", "content": "hi"}]
for chunk in client.chat.completions.create(model="m", messages=messages, stream=True):
    if chunk.choices[0].delta.content:
        break
print(time.perf_counter())
"""
NBCHAT = """
import sys, time
import nbchat
for piece in nbchat.stream("hi", model="m", profile=sys.argv[1]):
    break
print(time.perf_counter())
"""


# an installed nbchat has its bytecode beside it, as the libraries have
RECOMPILES = {"PYTHONDONTWRITEBYTECODE": None}


def first_token_s(script: str, url: str) -> float:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, url],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in RECOMPILES},
    )
    return float(done.stdout) - begin


def first_token() -> list[Line]:
    """The candidates take turns, so that a busy moment of the machine hits all of them."""
    scripts = {"floor (requests, msgspec)": FLOOR, "openai": OPENAI, "nbchat": NBCHAT}
    times: dict[str, list[float]] = {name: [] for name in scripts}
    with ScriptedServer(default=speaking("Hello there, this is a reply.")) as server:
        for turn in range(12):
            for name, script in scripts.items():
                took = first_token_s(script, server.url)
                if turn:  # the first fills the caches of the disk
                    times[name].append(took)
    floor, openai, nbchat = map(middle, times.values())
    return [
        Line(
            "a fresh process to its first token, server on this machine (median of 11)",
            {name: seconds(middle(values)) for name, values in times.items()},
            nbchat / floor,
            1.3,
            "nbchat / floor",
            [f"openai / floor = {openai / floor:.1f}"],
        )
    ]


def extension() -> list[Line]:
    """Each in a fresh kernel, timed inside it."""
    cells = {
        "floor (import requests, msgspec)": "import requests, msgspec",
        "import openai": "import openai",
        "nbchat (%load_ext)": "get_ipython().run_line_magic('load_ext', 'nbchat')",
    }
    times: dict[str, list[float]] = {name: [] for name in cells}
    for turn in range(6):
        for name, cell in cells.items():
            timed = f"import time\nt = time.perf_counter()\n{cell}\nprint(time.perf_counter() - t)"
            with Kernel(env=RECOMPILES) as kernel:
                took = float(kernel.run(timed).splitlines()[-1])
            if turn:
                times[name].append(took)
    floor, _, nbchat = map(middle, times.values())
    return [
        Line(
            "%load_ext nbchat in a running kernel (median of 5 kernels)",
            {name: seconds(middle(values)) for name, values in times.items()},
            nbchat / floor,
            1.5,
            "nbchat / floor",
        )
    ]
