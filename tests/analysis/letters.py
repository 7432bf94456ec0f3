"""A scripted server that speaks as llama.cpp does, of a model whose tokens are letters."""

from __future__ import annotations

import re
from math import log
from typing import Any

from tests.scripted import Reply, Request, completion

SIZE = 256
END = 1
MODELS = {
    "data": [{"id": "letters", "owned_by": "llamacpp", "meta": {"n_vocab": SIZE, "n_ctx": 4096}}]
}


def logprob(before: int, number: int) -> float:
    """What a letter has behind another one: a number that depends on both, and is no other's."""
    return log((before * 7 + number * 3) % 90 + 1) - log(100)


class Letters:
    """Answers as llama.cpp's server; `bodies` are the requests for tokens."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Any:
        body = request.body
        if request.path == "/apply-template":
            return {"prompt": "".join(f"{m['content']}|" for m in body["messages"])}
        if request.path == "/tokenize":
            return {"tokens": [{"id": ord(c), "piece": c} for c in body["content"]]}
        assert request.path == "/v1/completions"
        self.bodies.append(body)
        forced = [int(number) for number in re.findall(r"<\[(\d+)\]>", body.get("grammar", ""))]
        written = [*forced, END][: body["max_tokens"]]
        before = [body["prompt"][-1], *written]
        rows = [self.row(one, number) for one, number in zip(before, written, strict=False)]
        answer = completion("", finish_reason="stop" if END in written else "length")
        answer["choices"][0] |= {"text": "", "logprobs": {"content": rows}}
        del answer["choices"][0]["message"]
        return Reply.json(answer | {"object": "text_completion", "model": "letters"})

    def row(self, before: int, number: int) -> dict[str, Any]:
        one = self.token(before, number)
        return {**one, "top_logprobs": [one, self.token(before, ord("x"))]}

    def token(self, before: int, number: int) -> dict[str, Any]:
        text = "" if number == END else chr(number)
        return {
            "id": number,
            "token": text,
            "bytes": list(text.encode()),
            "logprob": logprob(before, number),
        }
