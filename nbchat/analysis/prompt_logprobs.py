"""Runs whose reply is given, on vLLM's server: `prompt_logprobs` of the reply in the prompt.

The prompt is sent by token ids: those of the chat's template, those of the text alone, as the
model would generate it, and the end token that the template puts behind a reply.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.logprobs import ChoiceLogprobs, TokenTable
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.client.native import vllm_tokens
from nbchat.session.execution import Playing
from nbchat.session.settings import client_of

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.client.stream import Stream


class Prompted(Playing):
    """A reply that stands in the prompt. `n_tokens`: of its text, known once it is asked."""

    n_tokens = 0

    def __init__(self, text: str, *arguments: Any):
        super().__init__(*arguments)
        self._text = text
        self._n_before, self._ids = 0, list[int]()

    def _open(self, profile: Profile) -> Stream:
        run, client = self.run, client_of(profile)
        fields = {**run.params.given(), **run.params.extra}
        model = fields.get("model") or profile.model
        before = vllm_tokens(client, model, messages=run.messages, add_generation_prompt=True)
        text = vllm_tokens(client, model, prompt=self._text, add_special_tokens=False)
        said = [*run.messages, {"role": "assistant", "content": self._text}]
        whole = vllm_tokens(client, model, messages=said, add_generation_prompt=False)
        ids = [*before, *text]
        end = whole[len(ids) : len(ids) + 1] if whole[: len(ids)] == ids else []
        self.n_tokens = len(text)
        self._n_before, self._ids = len(before), [*text, *end]
        run.n_begun = max(len(self._ids) - 1, 0)  # vLLM must generate one
        body = {
            "model": model,
            "prompt": [*before, *self._ids],
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": fields["top_logprobs"],
        }
        return client.start_body(body, url=profile.completions_url, **self._manners())

    def _whole(self, completion: Completion) -> Completion:
        if not completion.choices:
            return completion
        listed = completion.choices[0].extra.get("prompt_logprobs")
        choice = Choice(0, ResponseMessage(content=self._text), finish_reason="stop")
        if isinstance(listed, list):
            rows = zip(self._ids, listed[self._n_before :], strict=False)
            top = self.run.params.given()["top_logprobs"]
            table = TokenTable.build([_entry(number, row, top) for number, row in rows])
            choice.logprobs = ChoiceLogprobs(table)
        return msgspec.structs.replace(completion, choices=[choice])


def _entry(number: int, position: Any, top: int) -> dict[str, Any]:
    """Read a position of `prompt_logprobs`: an object of id -> logprob, rank, decoded_token.

    The token that stands there is in it whether it is among the first `top` or not.
    """
    rows = [_token(int(n), row) for n, row in (position or {}).items() if isinstance(row, dict)]
    rows.sort(key=lambda row: -row["logprob"])
    own = next((row for row in rows if row["id"] == number), {"id": number})
    return {**own, "top_logprobs": rows[:top]}


def _token(number: int, row: dict[str, Any]) -> dict[str, Any]:
    token = row.get("decoded_token") or ""
    data = None if "\ufffd" in token else list(token.encode())
    return {"token": token, "logprob": row.get("logprob", nan), "bytes": data, "id": number}
