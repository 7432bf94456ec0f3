"""The official client, pointed at the same embedded server, gives what nbchat gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import nbchat

if TYPE_CHECKING:
    from nbchat.local import Server

pytestmark = pytest.mark.local
_FIELDS: dict[str, Any] = {
    "seed": 1, "temperature": 0, "max_tokens": 24, "logprobs": True, "top_logprobs": 3,
}  # fmt: skip
# what the server kept of an earlier prompt changes the last digits
_EXTRA = {"cache_prompt": False}


@pytest.mark.parametrize("streams", [False, True])
def test_the_official_client_gives_the_same_completion(local_server: Server, streams: bool) -> None:
    openai = pytest.importorskip("openai")
    prompt = "Name three colours."
    run = nbchat.chat(prompt, profile="local", stream=streams, extra=_EXTRA, **_FIELDS)
    with openai.OpenAI(base_url=local_server.base_url, api_key=local_server.key) as client:
        theirs = client.chat.completions.create(
            model=local_server.model,
            messages=[{"role": "user", "content": prompt}],
            extra_body=_EXTRA,
            **_FIELDS,
        )
    choice = theirs.choices[0]
    assert run.text == choice.message.content
    assert run.finish_reason == choice.finish_reason
    assert run.usage.completion_tokens == theirs.usage.completion_tokens
    assert [t.token for t in choice.logprobs.content] == run.tokens()["token"].tolist()
    assert run.tokens()["logprob"].tolist() == pytest.approx(
        [t.logprob for t in choice.logprobs.content], abs=1e-6
    )


def test_each_of_two_choices_has_its_own_tokens(local_server: Server) -> None:
    run = nbchat.chat(
        "Tell me a story.", profile="local", n=2, seed=1, max_tokens=12, logprobs=True
    )
    choices = run.choices()
    assert choices["choice"].tolist() == [0, 1]
    assert choices["finish_reason"].notna().all()
    tokens = run.tokens()
    for index, text in zip(choices["choice"], choices["text"], strict=True):
        own = tokens[(tokens["choice"] == index) & ~tokens["is_special"]]
        assert "".join(own["text"]) == text
