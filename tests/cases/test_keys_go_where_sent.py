"""Promise 14: an address gets a key only from its own place, or from the provider whose it is."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nbchat
from nbchat import Profile
from nbchat.client import Secret
from nbchat.client.addresses import crosses_in_clear, is_loopback
from nbchat.client.client import Client, proxies_of
from nbchat.client.presets import PRESETS
from nbchat.client.profiles import default_name, resolve
from nbchat.client.variables import ENVIRONMENT, TYPED_IN, Place, Variables
from nbchat.code import as_curl, draft_of
from nbchat.errors import ApiError, NbchatError, ProfileError
from nbchat.session.settings import client_of
from nbchat.session.state import STATE
from tests.cases.canary import CANARY
from tests.magics.conftest import Shell
from tests.scripted import Reply, ScriptedServer

FILE = "/project/.env"
PLACES = (ENVIRONMENT, FILE, TYPED_IN)
SOME_PLACES = [found for n in range(4) for found in itertools.combinations(PLACES, n)]
ELSEWHERE = "http://elsewhere.example:8000/v1"

# (what names the address, the variable of the key that would fit it)
ADDRESSES = [
    ({"OPENAI_BASE_URL": ELSEWHERE}, "OPENAI_API_KEY"),
    ({"OPENAI_BASE_URL": ELSEWHERE, "NBCHAT_PROFILE": "openai"}, "OPENAI_API_KEY"),
    ({"OPENAI_BASE_URL": ELSEWHERE, "NBCHAT_PROFILE": ELSEWHERE}, "OPENAI_API_KEY"),
    ({"OPENAI_BASE_URL": "https://api.openai.com.elsewhere.example/v1"}, "OPENAI_API_KEY"),
    ({"OPENAI_BASE_URL": "https://notapi.openai.com/v1"}, "OPENAI_API_KEY"),
    ({"OPENAI_BASE_URL": "https://api.openai.com:8443/v1"}, "OPENAI_API_KEY"),
    ({"OPENAI_BASE_URL": "https://api.groq.com/openai/v1"}, "OPENAI_API_KEY"),
    ({"NBCHAT_PROFILE": ELSEWHERE}, "NBCHAT_API_KEY"),
    ({"NBCHAT_PROFILE": "http://localhost:1/v1"}, "NBCHAT_API_KEY"),
    (
        {"NBCHAT_PROFILE": "azure", "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com"},
        "AZURE_OPENAI_API_KEY",
    ),
]


@pytest.mark.parametrize("key_places", SOME_PLACES)
@pytest.mark.parametrize("address_place", [ENVIRONMENT, FILE])
@pytest.mark.parametrize(("named", "variable"), ADDRESSES)
def test_an_address_gets_the_key_of_its_own_place_alone(
    named: dict[str, str], variable: str, address_place: str, key_places: tuple[str, ...]
) -> None:
    held = {place: {} for place in PLACES}  # type: dict[str, dict[str, str]]
    held[address_place].update(named)
    for place in key_places:
        held[place][variable] = f"key of {place}"
    variables = Variables(*(Place(place, values) for place, values in held.items()))
    name = default_name(variables)
    profile = resolve(name, variables, needs_key=False, named_by=address_place)
    if address_place in key_places:
        assert profile.key == Secret(f"key of {address_place}")
        assert (profile.key_from, profile.address_from) == (address_place, address_place)
        assert profile.withheld is None
    else:
        assert profile.key is None
        assert bool(profile.withheld) == bool(key_places)
        assert not key_places or address_place in str(profile.withheld)


@pytest.mark.parametrize("key_place", PLACES)
@pytest.mark.parametrize("address_place", [ENVIRONMENT, FILE, None])
@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://eu.api.openai.com/v1/"])
def test_a_provider_gets_its_key_from_anywhere(
    url: str, address_place: str | None, key_place: str
) -> None:
    held = {place: {} for place in PLACES}  # type: dict[str, dict[str, str]]
    held[key_place]["OPENAI_API_KEY"] = CANARY
    if address_place is not None:
        held[address_place]["OPENAI_BASE_URL"] = url
    variables = Variables(*(Place(place, values) for place, values in held.items()))
    for name in ("openai", url):
        profile = resolve(name, variables)
        assert profile.key == Secret(CANARY)
        assert profile.key_from == key_place


def test_an_address_that_a_call_names_gets_the_key_for_any_address() -> None:
    variables = Variables(
        Place(ENVIRONMENT, {"OPENAI_API_KEY": "another", "NBCHAT_API_KEY": CANARY}),
        Place(FILE, {"OPENAI_BASE_URL": "http://mine/v1"}),
    )
    assert resolve(ELSEWHERE, variables).key == Secret(CANARY)
    assert resolve("http://mine/v1", variables).key is None


def test_one_address_in_two_places_gets_the_key_of_the_place_that_has_it() -> None:
    variables = Variables(
        Place(ENVIRONMENT, {"OPENAI_BASE_URL": ELSEWHERE}),
        Place(FILE, {"OPENAI_BASE_URL": f"{ELSEWHERE}/", "OPENAI_API_KEY": CANARY}),
    )
    assert resolve("openai", variables).key == Secret(CANARY)


@pytest.mark.parametrize("name", [n for n, p in PRESETS.items() if p.base_url.startswith("https")])
def test_no_provider_is_sent_a_key_in_clear(name: str) -> None:
    url = PRESETS[name].base_url.replace("https:", "http:")
    variable = str(PRESETS[name].key_variable)
    for address in (url, url.replace(".com/", ".com:80/")):
        variables = {variable: CANARY, "NBCHAT_API_KEY": CANARY, "OPENAI_BASE_URL": address}
        variables["OPENAI_API_KEY"] = CANARY
        with pytest.raises(ProfileError, match="in clear"):
            resolve(address, variables)


def test_azure_says_which_key_it_does_not_send() -> None:
    variables = Variables(
        Place(ENVIRONMENT, {"AZURE_OPENAI_API_KEY": CANARY}),
        Place(FILE, {"AZURE_OPENAI_ENDPOINT": "http://elsewhere"}),
    )
    with pytest.raises(ProfileError, match=f"of the environment is not sent .* {FILE}"):
        resolve("azure", variables)


def talk(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Ask from a process of its own, in this folder, with these variables."""
    names = ("OPENAI_", "AZURE_", "NBCHAT_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'nbchat')\n"
        "import nbchat\n"
        "print(nbchat.chat('Hi', max_retries=0).text)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={
            **clean,
            "NBCHAT_HISTORY": "off",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "file_variable", ["OPENAI_BASE_URL", "NBCHAT_PROFILE", "AZURE_OPENAI_ENDPOINT"]
)
@pytest.mark.parametrize("is_parents", [False, True])
def test_a_dotenv_file_sends_no_key_of_the_environment_anywhere(
    file_variable: str, is_parents: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    keys = ("OPENAI_API_KEY", "NBCHAT_API_KEY", "AZURE_OPENAI_API_KEY", "GROQ_API_KEY")
    with ScriptedServer() as server:
        path = (tmp_path if is_parents else folder) / ".env"
        path.write_text(f"{file_variable}={server.url}\n")
        more = {"NBCHAT_PROFILE": "azure"} if file_variable.startswith("AZURE") else {}
        done = talk(folder, **dict.fromkeys(keys, CANARY), **more)
        sent = [str(list(request.headers.items())) for request in server.requests]
    assert CANARY not in "".join([*sent, done.stdout, done.stderr])
    if file_variable != "AZURE_OPENAI_ENDPOINT":
        assert len(sent) == 1
    assert str(path) in done.stdout or "/.env" in done.stdout
    assert "is not sent to an address from" in done.stdout + done.stderr


@pytest.mark.long
def test_a_dotenv_file_with_address_and_key_is_enough(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        (tmp_path / ".env").write_text(f"OPENAI_BASE_URL={server.url}\nOPENAI_API_KEY={CANARY}\n")
        done = talk(tmp_path, OPENAI_API_KEY="another-key-that-is-not-sent")
        assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    line = next(line for line in done.stdout.splitlines() if line.startswith("nbchat "))
    assert f"(address from {tmp_path}/.env; key from {tmp_path}/.env)" in line
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_takes_no_key_along(status: int, host: str) -> None:
    with ScriptedServer() as thief, ScriptedServer() as server:
        target = thief.url.replace("127.0.0.1", host) + "/chat/completions"
        server.reply(Reply([b""], status=status, headers={"location": target}))
        server.models_reply = Reply([b""], status=status, headers={"location": target})
        profile = Profile(name="x", base_url=server.url, key=Secret(CANARY))
        with Client(profile, max_retries=0) as client:
            with pytest.raises(ApiError, match="redirects to"):
                client.complete("Hi")
            with pytest.raises(ApiError, match="redirects to"):
                client.models()
        assert thief.requests == thief.model_requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://K@host/v1",
        "http://me:K@host/v1",
        "http://host/v1?api_key=K",
        "http://host/v1?apikey=K",
        "http://host/v1?api-key=K",
        "http://host/v1?key=K",
        "http://host/v1?x=1&access_token=K",
        "http://host/v1?subscription-key=K",
        "http://host/v1?code=K",
        "http://host/v1?sig=K",
        "http://host/v1?x=sk-K1234567890abcdefgh",
        "http://host/sk-K1234567890abcdefgh/v1",
        "http://host/v1#api_key=K",
        "http://host\\@K.com/v1",
        "ftp://K@host",
    ],
)
def test_an_address_with_a_key_in_it_is_refused_in_words_without_it(url: str) -> None:
    url = url.replace("K", CANARY)
    for make in (
        lambda: resolve(url, {}),
        lambda: resolve("openai", {"OPENAI_BASE_URL": url}),
        lambda: resolve("azure", {"AZURE_OPENAI_ENDPOINT": url, "AZURE_OPENAI_API_KEY": "k" * 9}),
        lambda: nbchat.configure(profile=url),
        lambda: nbchat.chat("Hi", profile=url),
    ):
        with pytest.raises(ProfileError) as caught:
            make()
        assert CANARY not in str(caught.value)
    if "\\" not in url:
        with pytest.raises(ProfileError):
            Profile(name="x", base_url=url)


def test_other_queries_pass() -> None:
    url = "http://host/v1?api-version=1&deployment=x&max_tokens=5"
    assert resolve(url, {}).base_url == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:1/v1", True),
        ("http://LOCALHOST./v1", True),
        ("http://a.localhost/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://127.1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://[::ffff:127.0.0.1]/v1", True),
        ("http://0.0.0.0:1/v1", True),
        ("http://2130706433/v1", True),
        ("http://localhost.example/v1", False),
        ("http://127.0.0.1.example/v1", False),
        ("http://128.0.0.1/v1", False),
        ("http://[::2]/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_this_machine_is_known_by_its_address(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected
    assert crosses_in_clear(url) is (not expected and url.startswith("http:"))
    found = proxies_of(Profile(name="x", base_url=url), {"all": "http://proxy"})
    assert bool(found) is not expected


SENT = ["name", "key", "key_header", "headers", "api_version", "base_url", "proxy", "model"]


@pytest.mark.parametrize("field", SENT)
def test_two_profiles_share_a_connection_only_where_all_is_one(field: str) -> None:
    facts = {"name": "x", "base_url": "http://h/v1", "key": Secret("a" * 9), "key_header": "X-A"}
    facts |= {"headers": {"A": "1"}, "api_version": "1", "proxy": "http://p", "model": "m"}
    changed = {"key": Secret("b" * 9), "headers": {"A": "2"}}.get(field, f"{facts[field]}2")
    one = Profile(**facts)  # type: ignore[arg-type]
    assert client_of(one) is client_of(Profile(**facts))  # type: ignore[arg-type]
    assert client_of(one) is not client_of(Profile(**{**facts, field: changed}))  # type: ignore[arg-type]


def test_the_second_of_two_profiles_sends_its_own_headers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ScriptedServer() as server:
        for number in ("1", "2"):
            profile = Profile(name="x", base_url=server.url, headers={"X-Number": number})
            nbchat.chat("Hi", profile=profile)
            profile = Profile(
                name="x", base_url=server.url, key=Secret(CANARY), key_header=f"X-{number}"
            )
            nbchat.chat("Hi", profile=profile)
        sent = [request.headers for request in server.requests]
    assert [headers["x-number"] for headers in sent] == ["1", None, "2", None]
    assert [headers["x-1"] for headers in sent] == [None, CANARY, None, None]
    assert [headers["x-2"] for headers in sent] == [None, None, None, CANARY]


@pytest.mark.parametrize("key", [f"{CANARY}", f" {CANARY}\n"])
def test_a_text_is_taken_as_a_key_and_never_shown(key: str) -> None:
    profile = Profile(name="x", base_url="http://h/v1", key=key, headers={"X-Token": key})  # type: ignore[arg-type]
    assert profile.key == Secret(CANARY)
    assert CANARY not in "".join([repr(profile), str(profile), repr(profile.__rich_repr__())])
    assert CANARY not in repr(profile.request_headers())


@pytest.mark.parametrize("key", [1, b"bytes", ["list"], "two\nlines", "ümlaut"])
def test_what_is_no_key_is_refused(key: object) -> None:
    with pytest.raises(ProfileError):
        Profile(name="x", base_url="http://h/v1", key=key)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["X-Api-Key", "Authorization", "X-Whatever", "cookie"])
@pytest.mark.parametrize("value", [CANARY, f"Bearer {CANARY}"])
def test_curl_has_a_variable_in_the_place_of_a_header(name: str, value: str) -> None:
    profile = Profile(name="x", base_url="http://h/v1", headers={name: value})
    curl = as_curl(draft_of("Hi"), profile)
    assert CANARY not in curl
    assert f'${name.upper().replace("-", "_")}"' in curl
    assert name in curl


@pytest.mark.parametrize("place", ["environment", "file", "asked", "profile", "local"])
@pytest.mark.parametrize(
    "line", ["%%chat --user K\nHi", "%chat Is K a key?", "%%chat --profile http://h/v1/K\nHi"]
)
def test_a_key_of_any_shape_is_not_taken_from_a_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = None
    if place == "environment":
        monkeypatch.setenv("MISTRAL_API_KEY", CANARY)
    elif place == "file":
        (tmp_path / ".env").write_text(f"SOME_TOKEN={CANARY}\n")
    elif place == "asked":
        monkeypatch.setitem(STATE.typed_keys, "OPENAI_API_KEY", CANARY)
    else:
        kept = Profile(name="x", base_url="http://h/v1", key=Secret(CANARY))
    with ScriptedServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        raised = shell.error(line.replace("K", CANARY))
        assert server.requests == []
    assert isinstance(raised, NbchatError)
    assert "Keys do not belong on this line" in str(raised)
    assert CANARY not in str(raised)
    del kept
