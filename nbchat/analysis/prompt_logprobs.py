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
from nbchat.session.in_steps import client_in_steps
from nbchat.session.sources import Rewritten

if TYPE_CHECKING:
    from nbchat.session.sources import Order


class FromPromptLogprobs:
    """Answers with a reply that stands in the prompt.

    Once it was asked, `n_tokens` are those of its text, and `n_begun` the rows that were given
    and not generated: vLLM must generate one.
    """

    needs_server = True

    def __init__(self, text: str):
        self.n_tokens = 0
        self.n_begun = 0
        self._text = text

    def open(self, order: Order) -> Rewritten:
        client, fields = client_in_steps(order.profile), order.fields
        model, top = fields.get("model") or order.profile.model, fields["top_logprobs"]
        before = vllm_tokens(client, model, messages=order.messages, add_generation_prompt=True)
        text = vllm_tokens(client, model, prompt=self._text, add_special_tokens=False)
        messages = [*order.messages, {"role": "assistant", "content": self._text}]
        whole = vllm_tokens(client, model, messages=messages, add_generation_prompt=False)
        ids = [*before, *text]
        end = whole[len(ids) : len(ids) + 1] if whole[: len(ids)] == ids else []
        reply_ids = [*text, *end]
        self.n_tokens = len(text)
        self.n_begun = max(len(reply_ids) - 1, 0)
        body = {
            "model": model,
            "prompt": [*before, *reply_ids],
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": top,
        }
        answer = client.start_body(body, url=order.profile.completions_url, **order.manners)
        return Rewritten(answer, lambda came: self._read(came, reply_ids, len(before), top))

    def _read(self, completion: Completion, ids: list[int], n_before: int, top: int) -> Completion:
        if not completion.choices:
            return completion
        listed = completion.choices[0].extra.get("prompt_logprobs")
        choice = Choice(0, ResponseMessage(content=self._text), finish_reason="stop")
        if isinstance(listed, list):
            rows = zip(ids, listed[n_before:], strict=False)
            table = TokenTable.build([_entry(number, row, top) for number, row in rows])
            choice.logprobs = ChoiceLogprobs(table)
        return msgspec.structs.replace(completion, choices=[choice])


def _entry(number: int, position: Any, top: int) -> dict[str, Any]:
    """Read a position of `prompt_logprobs`: an object of id -> logprob, rank, decoded_token.

    The token that stands there is in it whether it is among the first `top` or not.
    """
    rows = [_token(int(n), row) for n, row in (position or {}).items() if isinstance(row, dict)]
    rows.sort(key=lambda row: -row["logprob"])
    prompt_token = next((row for row in rows if row["id"] == number), {"id": number})
    return {**prompt_token, "top_logprobs": rows[:top]}


def _token(number: int, row: dict[str, Any]) -> dict[str, Any]:
    token = row.get("decoded_token") or ""
    data = None if "\ufffd" in token else list(token.encode())
    return {"token": token, "logprob": row.get("logprob", nan), "bytes": data, "id": number}
