from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path

import pytest

from nbchat.client.presets import PRESETS
from nbchat.client.profiles import Profile, default_name, environment, resolve
from nbchat.client.secret import Secret
from nbchat.errors import ProfileError
from nbchat.redact import looks_like_key, redact_keys

KEY = "sk-proj-0123456789abcdefghij"


def test_a_key_shows_nowhere() -> None:
    secret = Secret(KEY)
    profile = Profile(name="x", base_url="http://h/v1", key=secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", repr(profile), str([profile])]
    assert not any(KEY in text for text in shown)
    assert secret.reveal() == KEY
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(profile)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)


def test_a_key_is_taken_out_of_texts() -> None:
    profile = Profile(name="x", base_url="http://h/v1", key=Secret("odd key shape 77"))
    assert "odd key" not in profile.redact("wrong key: odd key shape 77.")
    assert KEY not in profile.redact(f"Incorrect API key provided: {KEY}.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEY, True),
        ("--api sk-ant-api03-abcdefghijklmnop", True),
        ("gsk_abcdefghijklmnopqrst", True),
        ("Authorization: Bearer abcdefghijklmnop1234", True),
        ("sk-short", False),
        ("a task-oriented-description-of-something", False),
        ("ask-me-anything-about-it-please", False),
    ],
)
def test_what_looks_like_a_key(text: str, expected: bool) -> None:
    assert looks_like_key(text) is expected
    assert (redact_keys(f"{text}.") != f"{text}.") is expected


@pytest.mark.parametrize(
    "begins", ["sk-", "pk-", "rk-", "gsk-", "gsk_", "hf-", "hf_", "xai-", "xai_", "csk-", "csk_",
               "Bearer ", "bearer "],
)  # fmt: skip
def test_a_key_of_any_kind_is_taken_out(begins: str) -> None:
    key = "Abc123def456ghi789jkl"
    assert key not in redact_keys(f"It was ({begins}{key}), nothing else.")


@pytest.mark.parametrize("name", [n for n, p in PRESETS.items() if p.base_url.startswith("https")])
def test_providers_take_their_key_from_their_variable(name: str) -> None:
    preset = PRESETS[name]
    assert preset.key_variable
    profile = resolve(name, {preset.key_variable: KEY})
    assert profile.key == Secret(KEY)
    assert profile.url == f"{preset.base_url}/chat/completions"
    with pytest.raises(ProfileError, match=preset.key_variable):
        resolve(name, {})


@pytest.mark.parametrize("name", ["vllm", "llamacpp", "ollama"])
def test_servers_of_ones_own_need_no_key(name: str) -> None:
    assert resolve(name, {}).key is None


def test_a_key_goes_only_where_it_belongs() -> None:
    variables = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://localhost:9/v1"}
    assert resolve("openai", variables).key == Secret(KEY)
    assert resolve("openai", variables).base_url == "http://localhost:9/v1"
    assert resolve("http://localhost:9/v1/", variables).key == Secret(KEY)
    assert resolve("http://elsewhere:9/v1", variables).key is None


def test_azure_has_a_header_and_a_version_of_its_own() -> None:
    variables = {
        "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com/",
        "AZURE_OPENAI_API_KEY": KEY,
        "AZURE_OPENAI_DEPLOYMENT": "mine",
        "OPENAI_API_VERSION": "2024-10-21",
    }
    profile = resolve("azure", variables)
    assert profile.key_header == "api-key"
    assert profile.url == (
        "https://me.openai.azure.com/openai/deployments/mine/chat/completions"
        "?api-version=2024-10-21"
    )
    del variables["OPENAI_API_VERSION"]
    assert resolve("azure", variables).url == (
        "https://me.openai.azure.com/openai/v1/chat/completions"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("opnai", "Did you mean openai"),
        ("ftp://x", "no base URL"),
        ("http://", "no base URL"),
        ("http://me:secret@host/v1", "must not hold a password"),
    ],
)
def test_a_wrong_profile_is_named(name: str, sentence: str) -> None:
    with pytest.raises(ProfileError, match=sentence) as caught:
        resolve(name, {})
    assert "secret" not in str(caught.value)


def test_a_pasted_line_end_is_refused_without_showing_the_key() -> None:
    with pytest.raises(ProfileError) as caught:
        resolve("openai", {"OPENAI_API_KEY": f"{KEY}\nmore"})
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown


def test_asking_comes_only_where_no_variable_has_the_key() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return KEY

    assert resolve("groq", {"GROQ_API_KEY": "x" * 20}, ask=ask).key == Secret("x" * 20)
    assert asked == []
    assert resolve("groq", {}, ask=ask).key == Secret(KEY)
    assert len(asked) == 1


def test_the_default_follows_the_environment() -> None:
    assert default_name({}) == "local"
    assert default_name({"OPENAI_API_KEY": KEY}) == "openai"
    assert default_name({"OPENAI_BASE_URL": "http://h/v1"}) == "openai"
    assert default_name({"OPENAI_API_KEY": KEY, "NBCHAT_PROFILE": "local"}) == "local"


def test_a_dotenv_file_fills_up_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-file\nGROQ_API_KEY=from-file\n")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GROQ_API_KEY", "from-shell")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = environment()
    assert (found["OPENAI_API_KEY"], found["GROQ_API_KEY"]) == ("from-file", "from-shell")


def test_a_dotenv_file_that_is_not_utf_8_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfFIRST_OF_ALL=1\nNAME=J\xf6rg\nAFTER_IT=2\n")
    monkeypatch.chdir(tmp_path)
    found = environment()
    assert (found["FIRST_OF_ALL"], found["AFTER_IT"]) == ("1", "2")


def test_a_folder_that_is_gone_has_no_dotenv_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        assert environment()
    finally:
        monkeypatch.undo()


def test_the_key_of_a_base_url_is_checked_as_any_other() -> None:
    profile = resolve("http://h/v1", {"NBCHAT_API_KEY": f" {KEY}\n"})
    assert profile.key == Secret(KEY)
    with pytest.raises(ProfileError, match="NBCHAT_API_KEY holds characters"):
        resolve("http://h/v1", {"NBCHAT_API_KEY": "two\nlines of it"})


def test_blanks_around_a_base_url_are_no_part_of_it() -> None:
    assert resolve(" http://h/v1/ ", {}).url == "http://h/v1/chat/completions"


def test_a_profile_in_capitals_gets_its_name() -> None:
    with pytest.raises(ProfileError, match="Did you mean openai"):
        resolve("OpenAI", {})
