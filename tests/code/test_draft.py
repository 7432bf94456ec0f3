from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

import nbchat
from nbchat.api.check import check
from nbchat.client import Profile
from nbchat.code import (
    Draft,
    as_call,
    as_cell,
    as_curl,
    as_json,
    as_openai,
    changed_fields,
    draft_of,
)
from nbchat.errors import MagicUsageError, ProfileError, TemplateError
from nbchat.request.describe import as_data
from nbchat.run import Run
from tests.scripted import ScriptedServer

USER = {"role": "user", "content": "Hi"}


def test_nothing_makes_an_empty_draft() -> None:
    assert draft_of() == draft_of(None) == Draft(messages=[], fields={}, extra={}, profile=None)


def test_a_draft_is_its_own() -> None:
    draft = Draft(messages=[USER])
    assert draft_of(draft) is draft


def test_a_run_gives_the_request_that_was_sent(server: ScriptedServer) -> None:
    run = nbchat.chat("Hi", system="Be brief.", temperature=0.2, seed=None, extra={"min_p": 0.1})
    system = {"role": "system", "content": "Be brief."}
    assert draft_of(run) == Draft(
        messages=[system, USER],
        fields={"temperature": 0.2, "seed": None},
        extra={"min_p": 0.1},
        profile="openai",
    )


def test_a_run_at_an_address_goes_back_to_the_address(server: ScriptedServer) -> None:
    assert draft_of(nbchat.chat("Hi", profile=server.url)).profile == server.url


def test_a_run_that_came_some_other_way_has_no_profile() -> None:
    run = Run(messages=[USER], params=check({}))
    assert draft_of(run) == Draft(messages=[USER])


def test_a_draft_does_not_change_with_its_run() -> None:
    run = Run(messages=[dict(USER)], params=check({"metadata": {"a": "b"}}, extra={"x": [1]}))
    draft = draft_of(run)
    run.messages[0]["content"] = "changed"
    run.params.extra["x"].append(2)
    assert draft == Draft(messages=[USER], fields={"metadata": {"a": "b"}}, extra={"x": [1]})


def test_params_give_their_set_fields() -> None:
    params = check({"temperature": 0.2, "stop": None}, extra={"a": 1})
    assert draft_of(params) == Draft(fields={"temperature": 0.2, "stop": None}, extra={"a": 1})


def test_a_mapping_of_fields_is_taken_as_it_is_right_or_wrong() -> None:
    fields = {"temperature": 9, "stream": True, "min_p": np.float64(0.5), "extra": {"a": 1}}
    assert draft_of(fields) == Draft(
        fields={"temperature": 9, "stream": True}, extra={"min_p": 0.5, "a": 1}
    )


@pytest.mark.parametrize(
    ("added", "fields"),
    [
        ({}, {}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {}),
        ({"stream": False}, {"stream": False}),
        (
            {"stream": True, "stream_options": {"include_usage": False}},
            {"stream_options": {"include_usage": False}},
        ),
    ],
)
def test_what_the_client_adds_to_a_body_is_not_asked_for(
    added: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert draft_of({"messages": [USER], **added}) == Draft(messages=[USER], fields=fields)


def test_messages_are_taken_as_a_list_or_as_one_text() -> None:
    assert draft_of([USER]) == draft_of({"messages": "Hi"}) == Draft(messages=[USER])
    assert draft_of("Hi") == draft_of("%%chat\nHi") == draft_of("%chat Hi") == draft_of([USER])


def test_a_text_is_a_cell_only_where_it_begins_like_one() -> None:
    for text in ("What does %%chat do?", "%chatter", "%%chat? ", "%%time\n%%chat"):
        assert draft_of(text) == Draft(messages=[{"role": "user", "content": text}])


def test_a_cell_is_read_with_the_variables_of_the_notebook() -> None:
    names = {
        "who": "Ada",
        "bias": {7: -100},
        "said": [{"role": "assistant", "content": "Yes?"}],
        "config": SimpleNamespace(params=check({"n": 2, "temperature": 1}, extra={"min_p": 0.1})),
        "Fruit": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    cell = (
        "\n%%nbchat --system 'Be {{ who }}' --logit-bias bias --messages said -o run --thread t "
        "--params config.params --temperature 0.5 --schema Fruit --profile local -p x=1\n"
        "Hi {{ who }}\n"
    )
    draft = draft_of(cell, names)
    assert draft.messages == [
        {"role": "system", "content": "Be Ada"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Hi Ada"},
    ]
    assert draft.fields.pop("response_format") == names["Fruit"]
    schema = as_data(draft_of(cell, names)).fields["response_format"]
    assert schema["json_schema"]["schema"]["required"] == ["name"]
    assert draft.fields == {"n": 2, "temperature": 0.5, "logit_bias": {7: -100}}
    assert (draft.extra, draft.profile) == ({"min_p": 0.1, "x": 1}, "local")


def test_a_cell_that_cannot_be_read_says_why() -> None:
    with pytest.raises(TemplateError, match="no variable who"):
        draft_of("%%chat\nHi {{ who }}")
    with pytest.raises(MagicUsageError, match="--temprature"):
        draft_of("%%chat --temprature 1\nHi")
    with pytest.raises(MagicUsageError, match="more in this cell"):
        draft_of("%chat Hi\nx = 1")


def test_a_cell_without_a_prompt_is_read() -> None:
    for cell in ("%%chat --n 2", "%%chat --n 2\n", "%%chat --n 2\n\n", "%chat --n 2"):
        assert draft_of(cell) == Draft(fields={"n": 2})


def test_other_things_make_no_draft() -> None:
    with pytest.raises(TypeError, match="not of int"):
        draft_of(5)


def test_a_cell_is_what_a_person_would_write() -> None:
    draft = Draft(
        messages=[{"role": "system", "content": "Be brief."}, USER],
        fields={"model": "gpt-4o", "temperature": 0.2, "logprobs": True, "top_logprobs": 5,
                "stop": ["\n"], "store": None, "parallel_tool_calls": False, "user": "Ada L",
                "modalities": ["text", "audio"], "metadata": {"a": "b c"}, "tool_choice": "auto"},
        extra={"min_p": 0.05},
        profile="local",
    )  # fmt: skip
    line, _, body = as_cell(draft).partition("\n")
    assert body == "Hi"
    assert line == (
        "%%chat --stateless --profile local --system 'Be brief.' --model gpt-4o --temperature 0.2 "
        r'--logprobs --top-logprobs 5 --stop ["\n"] --store=null --no-parallel-tool-calls '
        '--user \'Ada L\' --modalities text,audio --metadata {"a": "b c"} --tool-choice auto '
        "-p min_p=0.05"
    )


def test_a_call_is_what_a_person_would_write() -> None:
    draft = Draft(
        messages=[{"role": "system", "content": "Be brief."}, USER],
        fields={"temperature": 0.2, "logprobs": True, "seed": None},
        profile="local",
    )
    assert as_call(draft) == (
        "import nbchat\n\nrun = nbchat.chat(\n    'Hi',\n    system='Be brief.',\n"
        "    temperature=0.2,\n    logprobs=True,\n    seed=None,\n    profile='local',\n)"
    )


def test_a_wrong_draft_is_written_down_too() -> None:
    for fields in ({"temperature": "hot"}, {"n": True}, {"stop": 5}, {"tools": "x y"}, {"a b": 1}):
        draft = Draft(messages=[{"role": "nobody"}, {}], fields=fields, extra={"n": 1})
        for write in (as_cell, as_call, as_json, as_curl):
            assert "nobody" in write(draft)
        assert draft_of(as_cell(draft)) == draft


def test_a_profile_that_nobody_knows_has_no_address() -> None:
    for write in (as_json, as_curl):
        with pytest.raises(ProfileError):
            write(Draft(profile="nowhere"))


def test_a_profile_is_named_in_a_cell_by_its_name_or_its_address_and_its_model() -> None:
    several = ["http://localhost:1/v1", "http://localhost:2/v1"]
    there = Profile(name="there", base_urls=several, model="m", key="sk-canary-0123456789abcdef")
    openai = Profile(name="openai", base_url="https://api.openai.com/v1")
    elsewhere = Profile(name="openai", base_url="http://localhost:3/v1", model="mine")
    for profile, line in (
        (there, f"--profile {several[0]} --model m"),
        (openai, "--profile openai"),
        (elsewhere, "--profile http://localhost:3/v1 --model mine"),
    ):
        cell = as_cell(Draft(messages=[USER], profile=profile))
        assert cell.startswith(f"%%chat --stateless {line}\n")
    draft = Draft(messages=[USER], profile=there)
    # each says the first server and the model, and none a key
    for write in (as_cell, as_curl, as_openai):
        assert several[0] in write(draft)
        assert several[1] not in write(draft)
    assert f"base_urls={several!r}" in as_call(draft)
    for write in (as_cell, as_call, as_curl, as_json, as_openai):
        assert "sk-canary" not in write(draft)
        assert re.search(r"""model['" =:]+m\b""", write(draft)), write
    asked_for = msgspec.structs.replace(draft, fields={"model": "another"})
    assert "--model another" in as_cell(asked_for)


def test_no_key_is_written_down(server: ScriptedServer) -> None:
    draft = Draft(messages=[USER], fields={"model": "m"})
    written = [write(draft) for write in (as_cell, as_call, as_json, as_curl)]
    assert "a-key-of-the-environment" not in "".join(written)
    assert '"Authorization: Bearer $OPENAI_API_KEY"' in written[-1]


def test_a_cell_with_a_template_in_its_text_is_raw() -> None:
    for text in ("{{ x }}", "{% x %}"):
        assert "--raw" in as_cell(Draft(messages=[{"role": "user", "content": text}]))
        assert "--raw" in as_cell(Draft(messages=[USER], fields={"user": text}))
    assert "--raw" not in as_cell(Draft(messages=[{"role": "user", "content": "{x} {#}"}]))


def test_only_the_fields_that_differ_are_named() -> None:
    shared = {"model": "m", "logprobs": True}
    drafts = [
        Draft(messages=[USER], fields={**shared, "temperature": 0}),
        Draft(messages=[USER], fields={**shared, "temperature": 1.5, "stop": None}),
        Draft(messages=[USER], fields={**shared, "temperature": 1.5}, extra={"min_p": 0.1}),
    ]
    assert changed_fields(drafts) == [
        {"stop": "unset", "temperature": "0", "min_p": "unset"},
        {"stop": "null", "temperature": "1.5", "min_p": "unset"},
        {"stop": "unset", "temperature": "1.5", "min_p": "0.1"},
    ]
    other = Draft(messages=[USER, USER], profile="local")
    assert list(changed_fields([Draft(messages=[USER]), other])[1]) == ["profile", "messages"]
    assert changed_fields(drafts[:1]) == [{}]
    assert changed_fields([]) == []


def test_what_describes_a_request_can_be_written_at_once(server: ScriptedServer) -> None:
    run = nbchat.chat("Hi", profile=server.url, temperature=0.5)
    for write in (as_cell, as_call, as_curl, as_json):
        assert write(run) == write(draft_of(run))
        assert write({"temperature": 0.5}) == write(draft_of({"temperature": 0.5}))
