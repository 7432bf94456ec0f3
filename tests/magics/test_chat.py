from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from nbchat import errors, session
from nbchat.session import Thread
from tests.magics.conftest import Shell
from tests.scripted import CUT, Reply, ScriptedServer, chunk, error, speaking, sse


def bodies(server: ScriptedServer) -> list[dict[str, object]]:
    return [
        {
            name: value
            for name, value in request.body.items()
            if name not in ("messages", "stream", "stream_options")
        }
        for request in server.requests
    ]


def prompts(server: ScriptedServer) -> list[str]:
    return [request.body["messages"][-1]["content"] for request in server.requests]


def test_a_cell_is_sent_and_its_reply_is_the_output(shell: Shell, server: ScriptedServer) -> None:
    server.reply(speaking("The sky scatters."))
    shell.ask("%%chat\nWhy is the sky blue?")
    assert shell.cell.markdown == ["The sky scatters."]
    assert "scripted-model · main 1" in shell.cell.outputs[-1]["text/plain"]
    assert server.requests[0].body["messages"] == [
        {"role": "user", "content": "Why is the sky blue?"}
    ]


def test_nothing_is_sent_that_was_not_asked_for(shell: Shell, server: ScriptedServer) -> None:
    shell.ask("%%chat\nHi")
    shell.ask("%%chat --temperature 0.2 --logprobs --top-logprobs 5 -p min_p=0.1\nHi")
    asked = {"temperature": 0.2, "logprobs": True, "top_logprobs": 5, "min_p": 0.1}
    assert bodies(server) == [{}, asked]


@pytest.mark.long
def test_whole_rows_are_asked_for_by_a_word(shell: Shell, server: ScriptedServer) -> None:
    raised = shell.error("%%chat --logprobs --top-logprobs all --max-tokens 5\nHi")
    assert isinstance(raised, errors.CheckError)
    assert "other servers of llama.cpp" in str(raised)
    assert server.requests == []
    session.STATE.kinds.clear()
    server.models_reply = {"data": [{"owned_by": "llamacpp", "meta": {"n_vocab": 1234}}]}
    shell.ask("%%chat --logprobs --top-logprobs all --max-tokens 5\nHi")
    assert bodies(server) == [{"logprobs": True, "top_logprobs": 1234, "max_tokens": 5}]
    session.STATE.kinds.clear()
    session.STATE.vocabulary_sizes.clear()


def test_the_run_gets_the_name_it_is_to_have(shell: Shell, server: ScriptedServer) -> None:
    server.reply(speaking("Hello."))
    shell.ask("%%chat -o run\nHi")
    assert shell["run"].text == "Hello."
    assert shell["run"] is session.runs[-1]


@pytest.mark.parametrize("own", ["%%chat -o run\nHi", "print()\n%chat -o run Hi"])
def test_a_run_that_failed_is_named_before_the_error_is_raised(
    shell: Shell, server: ScriptedServer, own: str
) -> None:
    server.reply(Reply([sse(chunk("Half"), done=False), CUT]))
    raised = shell.error(own)
    assert isinstance(raised, errors.TransportError)
    assert shell["run"].text == "Half"
    assert shell.cell.markdown == ["Half"]
    assert shell.cell.outputs[-1]["text/plain"].endswith("error")


def test_an_error_is_raised_and_shown_in_one_line(
    shell: Shell, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(error(401, "Wrong key."))
    assert isinstance(shell.error("%%chat\nHi"), errors.AuthenticationError)
    out = capsys.readouterr().out.strip().splitlines()
    assert len(out) == 1
    assert out[0].startswith("AuthenticationError: Wrong key.")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("%%chat --temprature 1\nHi", errors.MagicUsageError),
        ("%%chat --temperature 9\nHi", errors.CheckError),
        ("%%chat\n{{ nothing }}", errors.TemplateError),
        ("%%chat\n   \n", errors.MagicUsageError),
        ("%chat", errors.MagicUsageError),
        ("%chat --n 1", errors.MagicUsageError),
        ("%%chat --stateless --thread x\nHi", errors.MagicUsageError),
        ("%%chat --profile nowhere\nHi", errors.ProfileError),
        ("%%chat -o 1x\nHi", errors.MagicUsageError),
    ],
)
def test_what_is_wrong_is_refused_before_any_request(
    shell: Shell, server: ScriptedServer, code: str, kind: type[Exception]
) -> None:
    assert isinstance(shell.error(code), kind)
    assert server.requests == []
    assert session.runs == []


@pytest.mark.parametrize("flag", ["--api-key", "--user", "--nothing", "-p x="])
def test_a_key_on_the_line_is_refused_and_shown_nowhere(
    shell: Shell, server: ScriptedServer, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    raised = shell.error(f"%%chat {flag} sk-1234567890abcdefghij\nHi")
    captured = capsys.readouterr()
    assert "sk-1234" not in captured.out + captured.err + str(raised)
    assert server.requests == []


def test_variables_are_filled_into_text_and_flags(shell: Shell, server: ScriptedServer) -> None:
    shell.ip.push({"colour": "blue", "warm": 0.5, "df": pd.DataFrame({"a": [1]})})
    shell.ask("%%chat --temperature {{ warm }} --system 'Be {{ colour }}.'\n{{ colour }}: {{ df }}")
    shell.ask("%chat Is it {{ colour }}?")
    assert bodies(server)[0] == {"temperature": 0.5}
    assert server.requests[0].body["messages"][0] == {"role": "system", "content": "Be blue."}
    assert prompts(server) == ["blue: | a |\n| --- |\n| 1 |", "Is it blue?"]


def test_variables_of_a_function_are_filled_in(shell: Shell, server: ScriptedServer) -> None:
    shell.ask("def ask(colour):\n    %chat Is it {{ colour }}?\nask('red')")
    assert prompts(server) == ["Is it red?"]


def test_raw_fills_in_nothing(shell: Shell, server: ScriptedServer) -> None:
    shell.ask("%%chat --raw\n{{ colour }} {% if")
    assert prompts(server) == ["{{ colour }} {% if"]


def test_ipython_expands_nothing_on_the_line(shell: Shell, server: ScriptedServer) -> None:
    shell.ip.push({"x": 1})
    shell.ask("%%chat --user '$x {x}'\nHi")
    assert bodies(server) == [{"user": "$x {x}"}]


def said(server: ScriptedServer) -> list[str]:
    """What the last request says of the conversation."""
    return [message["content"] for message in server.requests[-1].body["messages"]]


def test_running_a_cell_again_replaces_its_turn(shell: Shell, server: ScriptedServer) -> None:
    server.reply(*(speaking(text) for text in ("A1", "B1", "A2", "B2")))
    shell.ask("%%chat\na", "cell-a")
    shell.ask("%%chat\nb", "cell-b")
    assert said(server) == ["a", "A1", "b"]
    shell.ask("%%chat\na again", "cell-a")
    assert said(server) == ["a again"], "only what stands before the cell is used"
    shell.ask("%%chat\nb again", "cell-b")
    assert said(server) == ["a again", "A2", "b again"]
    assert len(Thread("main").turns) == 2


def test_several_magics_in_a_cell_are_turns_of_their_own(
    shell: Shell, server: ScriptedServer
) -> None:
    server.reply(*(speaking(text) for text in ("A1", "B1", "A2", "B2")))
    for _ in range(2):
        shell.ask("%chat a\n%chat b", "cell")
    assert said(server) == ["a", "A2", "b"]
    assert len(Thread("main").turns) == 2


def test_without_ids_of_cells_turns_are_appended(shell: Shell, server: ScriptedServer) -> None:
    for _ in range(3):
        shell.ask("%%chat\na")
    assert len(Thread("main").turns) == 3


def test_a_cell_can_stand_alone_or_in_another_thread(shell: Shell, server: ScriptedServer) -> None:
    shell.ask("%%chat\na", "1")
    shell.ask("%%chat --stateless\nb", "2")
    assert said(server) == ["b"]
    assert "main" not in shell.cell.outputs[-1]["text/plain"]
    shell.ask("%%chat -t other\nc", "3")
    assert said(server) == ["c"]
    assert "other 1" in shell.cell.outputs[-1]["text/plain"]
    shell.ask("%%chat --fork\nd", "4")
    assert said(server)[0] == "a"
    assert len(Thread("main").turns) == 1


def test_config_sets_defaults_that_flags_override(shell: Shell, server: ScriptedServer) -> None:
    shell.ask("%config NbChat.temperature = 0.3")
    shell.ask("%config NbChat.extra = {'min_p': 0.1}")
    shell.ask("%config NbChat.thread = 'notes'")
    shell.ask("%%chat\nHi")
    shell.ask("%%chat --temperature 0.7\nHi")
    shell.ask("%%chat -p temperature=9\nHi")
    assert bodies(server) == [
        {"temperature": 0.3, "min_p": 0.1},
        {"temperature": 0.7, "min_p": 0.1},
        {"temperature": 9, "min_p": 0.1},
    ]
    assert Thread.names() == ["notes"]


def test_config_lists_every_field_of_the_request(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.ask("%config NbChat")
    out = capsys.readouterr().out
    assert "NbChat.temperature" in out
    assert "number from 0 to 2" in out


def test_a_profile_of_the_config_chooses_the_server(shell: Shell) -> None:
    with ScriptedServer() as other:
        shell.ask(f"%config NbChat.profile = {other.url!r}")
        shell.ask("%%chat\nHi")
        assert len(other.requests) == 1


def test_the_magic_gives_its_run_only_where_it_is_wanted(
    shell: Shell, server: ScriptedServer
) -> None:
    assert shell.run("%chat Hi").result is None
    assert shell.run("%%chat\nHi").result is None
    shell.ask("x = %chat Hi")
    assert shell["x"] is session.runs[-1]


@pytest.mark.parametrize(
    ("code", "is_cleared"),
    [
        ("%%chat\nHi", True),
        ("%chat Hi", True),
        ("%chat Hi\n%chat Hi", False),
        ("get_ipython().run_cell_magic('chat', '', 'Hi')", False),
    ],
)
def test_only_a_magic_that_is_alone_in_its_cell_clears_it(
    shell: Shell, server: ScriptedServer, code: str, is_cleared: bool
) -> None:
    from tests.scripted import Pause

    slow = [sse(chunk("Hel"), done=False), Pause(0.05), sse(chunk("lo", finish_reason="stop"))]
    server.default = Reply(slow)
    shell.ask(code)
    kinds = {kind for _, kind, _ in shell.cell.messages}
    assert ("clear" in kinds) is is_cleared
    assert set(shell.cell.markdown) == {"Hello"}


def test_a_dry_run_sends_nothing_and_shows_the_request(
    shell: Shell, server: ScriptedServer
) -> None:
    shell.ask("%%chat --dry-run --temperature 0.2 -o run\nHi")
    assert server.requests == []
    assert session.runs == []
    assert "run" not in shell.ip.user_ns
    (shown,) = shell.cell.markdown
    assert '"temperature": 0.2' in shown
    assert "a-key-of-the-environment" not in shown


@pytest.mark.parametrize(
    "flag", ["--logit-bias '{\" Paris\": -100}'", "--logit-bias ' Paris=-100'"]
)
def test_a_bias_may_name_its_token_by_text(shell: Shell, server: ScriptedServer, flag: str) -> None:
    server.reply({"tokens": [{"id": 7042, "piece": " Paris"}]})
    shell.ask(f"%%chat {flag}\nHi")
    assert server.requests[0].path == "/tokenize"
    assert server.requests[1].body["logit_bias"] == {"7042": -100}


def test_a_request_that_was_mended_says_so_in_its_cell(
    shell: Shell, server: ScriptedServer
) -> None:
    refused = {"message": "no", "param": "seed", "code": "unsupported_parameter"}
    server.reply(Reply.json({"error": refused}, 400), speaking("Fine."))
    shell.ask("%%chat --model only-here --seed 3 -o run\nHi")
    assert shell.cell.markdown == ["Fine."]
    assert "seed left out: this server refuses it" in shell.cell.outputs[-1]["text/plain"]
    assert shell["run"].notes == ["seed left out: this server refuses it"]


SAID = [{"role": "user", "content": "I am Ada."}, {"role": "assistant", "content": "Hello."}]
TEMPLATE = json.dumps(SAID).replace("Ada", "{{ who }}")


@pytest.mark.parametrize(
    "cell",
    [
        "%%chat --system Brief --messages said\nWho am I?",
        "%chat --system Brief --messages said Who am I?",
        "%%chat --system Brief --messages thread.messages\nWho am I?",
        f"%%chat --system Brief --messages {json.dumps(SAID)}\nWho am I?",
        f"%%chat --system Brief --messages {TEMPLATE}\nWho am I?",
    ],
)
def test_messages_stand_before_the_prompt(shell: Shell, server: ScriptedServer, cell: str) -> None:
    thread = SimpleNamespace(messages=tuple(SAID))
    shell.ip.push({"said": SAID, "who": "Ada", "thread": thread})
    shell.ask(cell)
    system, *rest = server.requests[0].body["messages"]
    assert system == {"role": "system", "content": "Brief"}
    assert rest == [*SAID, {"role": "user", "content": "Who am I?"}]


@pytest.mark.parametrize(
    "cell", ["%%chat --messages said", "%%chat --messages=said\n\n", "%chat --messages said"]
)
def test_messages_need_no_prompt_after_them(
    shell: Shell, server: ScriptedServer, cell: str
) -> None:
    shell.ip.push({"said": SAID[:1]})
    shell.ask(cell)
    assert server.requests[0].body["messages"] == SAID[:1]


def test_messages_are_asked_within_the_conversation(shell: Shell, server: ScriptedServer) -> None:
    server.reply(speaking("Hi."), speaking("Ada."))
    shell.ip.push({"said": SAID})
    shell.ask("%%chat\nGood morning")
    shell.ask("%%chat --messages said\nWho am I?")
    texts = [message["content"] for message in server.requests[1].body["messages"]]
    assert texts == ["Good morning", "Hi.", "I am Ada.", "Hello.", "Who am I?"]
    assert [message["content"] for message in Thread().messages] == [*texts, "Ada."]


def test_wrong_messages_are_refused_before_any_request(
    shell: Shell, server: ScriptedServer
) -> None:
    raised = shell.error('%%chat --messages [{"role": "nobody", "content": ""}]\nHi')
    assert isinstance(raised, errors.CheckError)
    assert raised.field == "messages[0].role"
    raised = shell.error("%%chat --messages []\n\n")
    assert "no prompt" in str(raised)
    assert server.requests == []


def test_params_are_fields_and_flags_go_before_them(shell: Shell, server: ScriptedServer) -> None:
    shell.ip.push({"mine": {"temperature": 1, "stop": "\\n", "extra": {"min_p": 0.1, "a": 1}}})
    shell.ask("%config NbChat.temperature = 2; ")
    shell.ask("%%chat --params mine -p a=2\nHi")
    shell.ask("%%chat --params mine --temperature 0 --stop END\nHi")
    assert bodies(server) == [
        {"temperature": 1, "stop": "\\n", "min_p": 0.1, "a": 2},
        {"temperature": 0, "stop": "END", "min_p": 0.1, "a": 1},
    ]


def test_params_are_checked_like_flags(shell: Shell, server: ScriptedServer) -> None:
    for params, sentence in (
        ('{"temperature": "0.5"}', 'temperature is "0.5", but it must be a number from 0 to 2.'),
        ('{"temprature": 1}', "temprature is not a field of the request."),
        ('{"messages": []}', "messages stand beside the params"),
    ):
        raised = shell.error(f"%%chat --params {params}\nHi")
        assert isinstance(raised, errors.CheckError)
        assert str(raised).startswith(sentence)
    assert server.requests == []


def test_a_run_is_asked_again_with_its_own_params(shell: Shell, server: ScriptedServer) -> None:
    shell.ask("%%chat --temperature 0.2 --logprobs -p min_p=0.1 -o run\nHi")
    shell.ask("%%chat --stateless --params run.params --messages run.messages")
    assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize("dash", ["–", "—", "−", "‐", "-–"])
@pytest.mark.parametrize(
    ("flag", "right"), [("n 2", "--n"), ("temperature 1", "--temperature"), ("o run", "-o")]
)
@pytest.mark.parametrize("code", ["%chat {} Hi", "%chat --seed 1 {} Hi", "%%chat {}\nHi"])
def test_a_dash_that_is_no_hyphen_is_refused_with_the_right_spelling(
    shell: Shell, server: ScriptedServer, dash: str, flag: str, right: str, code: str
) -> None:
    raised = shell.error(code.format(f"{dash}{flag}"))
    assert isinstance(raised, errors.MagicUsageError)
    assert f"the flag is typed {right}." in str(raised)
    assert server.requests == []


@pytest.mark.parametrize("text", ["– and so on", "—well", "−5 degrees"])
def test_a_text_may_begin_with_any_dash(shell: Shell, server: ScriptedServer, text: str) -> None:
    shell.ask(f"%chat {text}")
    assert prompts(server) == [text]


@pytest.mark.parametrize("typed", ["{t}", "$t", "${t}"])
@pytest.mark.parametrize(
    ("flag", "right"),
    [
        ("--temperature", "--temperature {{ t }}"),
        ("--model", "--model {{ t }}"),
        ("--timeout", "--timeout {{ t }}"),
        ("--messages", "--messages t"),
        ("--tools", "--tools t"),
    ],
)
def test_variables_as_others_write_them_are_named_as_they_are_typed(
    shell: Shell, server: ScriptedServer, typed: str, flag: str, right: str
) -> None:
    shell.ask("t = 0.5")
    raised = shell.error(f"%%chat {flag} {typed}\nHi")
    assert isinstance(raised, errors.MagicUsageError)
    assert str(raised).endswith(right)
    assert server.requests == []


def test_a_text_that_is_no_variable_stays_a_text(shell: Shell, server: ScriptedServer) -> None:
    shell.ask("%%chat --stop $end --temperature {{ 0.5 }}\nWhat is {t}?")
    assert bodies(server) == [{"stop": "$end", "temperature": 0.5}]
    shell.ask("%%chat --raw --system {t}\nWhat is {t}?")
    assert server.requests[1].body["messages"][0]["content"] == "{t}"


@pytest.mark.parametrize(
    ("line", "missing"),
    [("--top-logprobs 5", "--logprobs"), ("--tool-choice auto", "--tools")],
)
def test_a_flag_that_needs_another_names_it(
    shell: Shell, server: ScriptedServer, line: str, missing: str
) -> None:
    raised = shell.error(f"%%chat {line}\nHi")
    assert str(raised).endswith(f"Add {missing} to the line.")
    assert server.requests == []


def test_the_flag_for_an_address_is_named(shell: Shell, server: ScriptedServer) -> None:
    assert "--profile" in str(shell.error("%%chat --base-url http://x/v1\nHi"))
