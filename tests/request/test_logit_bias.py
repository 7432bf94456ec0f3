from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import nbchat
from nbchat import local, session
from nbchat.code.flags import read_line
from nbchat.code.line_draft import draft_of_line
from nbchat.errors import CheckError
from nbchat.request import logit_bias
from tests.scripted import Reply, Request, ScriptedServer, speaking

IDS = {
    " Paris": [(7042, " Paris")],
    " Parisian": [(7042, " Paris"), (697, "ian")],
    "a=b": [(5, "")],
}


def llama_cpp(request: Request) -> Any:
    """Answers as llama.cpp does: /tokenize at the root, chat below /v1."""
    if request.path == "/tokenize":
        tokens = IDS.get(request.body["content"], [])
        return {"tokens": [{"id": token_id, "piece": piece} for token_id, piece in tokens]}
    return speaking("Fine.")(request)


@pytest.fixture
def answering() -> Any:
    return llama_cpp


class Codec:
    """A tokenizer of which every word with its blank is a token."""

    def encode_ordinary(self, text: str) -> list[int]:
        return [ord(letter) for letter in text.strip()]

    def decode_single_token_bytes(self, token: int) -> bytes:
        return chr(token).encode()


@pytest.fixture
def tiktoken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    module = ModuleType("tiktoken")
    module.__spec__ = sys.__spec__  # find_spec wants one

    def get_encoding(name: str) -> Codec:
        asked.append(name)
        return Codec()

    module.get_encoding = get_encoding  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tiktoken", module)
    return asked


def test_a_text_is_sent_as_the_id_of_its_token(server: ScriptedServer) -> None:
    run = nbchat.chat("Hi", model="m", logit_bias={" Paris": -100, 12: 5, "13": 6})
    asked, sent = server.requests
    assert asked.path == "/tokenize"
    assert asked.body["content"] == " Paris"
    assert (asked.body["add_special"], asked.body["parse_special"]) == (False, False)
    assert sent.body["logit_bias"] == {"7042": -100, "12": 5, "13": 6}
    assert run.params.given()["logit_bias"] == {"7042": -100, "12": 5, "13": 6}


def test_ids_alone_ask_no_tokenizer(server: ScriptedServer) -> None:
    nbchat.chat("Hi", model="m", logit_bias={12: 5, "13": 6})
    assert [request.path for request in server.requests] == ["/v1/chat/completions"]


def test_a_text_of_several_tokens_is_refused_with_its_pieces(server: ScriptedServer) -> None:
    with pytest.raises(CheckError, match=r'2 tokens of m.*" Paris" \(7042\), "ian" \(697\)') as e:
        nbchat.chat("Hi", model="m", logit_bias={" Parisian": -100})
    assert e.value.field == "logit_bias"
    assert [request.path for request in server.requests] == ["/tokenize"]


def test_a_text_of_no_token_is_refused(server: ScriptedServer) -> None:
    with pytest.raises(CheckError, match='"" is no token of m'):
        nbchat.chat("Hi", model="m", logit_bias={"": -100})


def test_one_token_cannot_have_two_amounts(server: ScriptedServer) -> None:
    with pytest.raises(CheckError, match="token 7042, which has another amount"):
        nbchat.chat("Hi", model="m", logit_bias={7042: 3, " Paris": -100})


def test_a_server_without_a_tokenizer_is_told_apart(server: ScriptedServer) -> None:
    server.default = Reply.json({"error": {"message": "no"}}, 404)
    with pytest.raises(CheckError, match="no tokenizer is known"):
        nbchat.chat("Hi", model="m", logit_bias={" Paris": -100})


def test_an_answer_that_holds_no_tokens_is_no_tokenizer(server: ScriptedServer) -> None:
    server.default = {"object": "chat.completion", "choices": []}
    with pytest.raises(CheckError, match="no tokenizer is known"):
        nbchat.chat("Hi", model="m", logit_bias={" Paris": -100})


def test_a_provider_is_not_asked_for_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k" * 20)
    with pytest.raises(CheckError, match="no tokenizer is known for the model of x at groq"):
        nbchat.chat("Hi", model="x", profile="groq", logit_bias={" Paris": -100})


@pytest.mark.parametrize(
    ("model", "name"), [("gpt-4o-mini", "o200k_base"), ("gpt-3.5-turbo", "cl100k_base")]
)
def test_the_models_of_openai_are_asked_of_tiktoken(
    tiktoken: list[str], model: str, name: str
) -> None:
    found = prepared({" A": 1}, model=model, profile="openai")
    assert found["logit_bias"] == {"65": 1}
    assert tiktoken == [name]


def test_without_tiktoken_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logit_bias.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CheckError, match=r"of gpt-4o: pip install .*tiktoken.*; or give token ids"):
        prepared({" A": 1}, model="gpt-4o", profile="openai")


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ('{" Paris": -100}', {"7042": -100}),
        ("' Paris=-100'", {"7042": -100}),
        ("' Paris=-100' --logit-bias 12=3", {"7042": -100, "12": 3}),
        ("a=b=1", {"5": 1}),
    ],
)
def test_what_stands_behind_a_flag_keeps_the_blanks_of_its_text(
    server: ScriptedServer, written: str, ids: dict[str, Any]
) -> None:
    flags = read_line(f"--model m --logit-bias {written}", takes_text=False)
    draft = draft_of_line(flags, "Hi", {}, str)
    assert session.prepare(draft).params.given()["logit_bias"] == ids


@pytest.mark.parametrize("written", ["null", "12=3", "{broken", "nonsense", None, 7])
def test_what_holds_no_text_is_left_to_the_check(written: Any) -> None:
    assert not logit_bias.is_needed({"logit_bias": written})


def test_nothing_is_started_for_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "status_if_used", lambda: None)
    with pytest.raises(CheckError, match="needs the embedded model to run"):
        prepared({" Paris": 1}, profile="local")


def test_what_else_is_wrong_is_said_before_a_tokenizer_is_asked(server: ScriptedServer) -> None:
    with pytest.raises(CheckError, match="temperature"):
        nbchat.chat("Hi", model="m", temperature=3, logit_bias={" Paris": -100})
    assert server.requests == []


def prepared(bias: dict[str, Any], *, profile: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Hi"}]
    draft = nbchat.Draft(messages=messages, fields={**fields, "logit_bias": bias}, profile=profile)
    return session.prepare(draft).params.given()


@pytest.mark.local
def test_the_embedded_model_never_says_what_is_banned(weights: Path) -> None:
    asked: dict[str, Any] = {"profile": "local", "temperature": 0, "max_tokens": 12}
    asked |= {"prompt": "Name three colours.", "logprobs": True}
    free = nbchat.chat(**asked).tokens()["token"].astype(str)
    word = next(token for token in free if token.startswith(" ") and token.strip().isalpha())
    banned = nbchat.chat(logit_bias={word: -100}, **asked)
    assert word not in set(banned.tokens()["token"].astype(str))
    with pytest.raises(CheckError, match=r'is 2 tokens of smollm2.*" Paris" \(7042\), "ian"'):
        nbchat.chat(**asked, logit_bias={" Parisian": 1})
