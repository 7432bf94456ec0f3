"""Rounds of tool calls: which are run, who is asked before, and when the rounds end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.params import ChatParams
from nbchat.api.reply_messages import call_ids
from nbchat.display.characters import write

if TYPE_CHECKING:
    from nbchat.request.toolbox import Toolbox
    from nbchat.run import Run
    from nbchat.session.watchers import Watcher
    from nbchat.tools import Call, Round
    from nbchat.tools.call_question import CallQuestion

_LONGEST_PROMPT = 100


def next_round(run: Run, toolbox: Toolbox) -> Round | None:
    """Begin the round that the reply asks for, as the last of the run's; None if there is none.

    A call of a tool that was declared without a function is the user's to answer, so it ends
    the run, and nothing of that reply is run.
    """
    from nbchat.tools.calls import calls_of, round_of

    completion = run.completion
    if completion is None or not completion.choices:
        return None
    names = [call.name for call in calls_of(run.message)]
    theirs = _declared(run.params) - set(toolbox.tools)
    if not names or theirs.intersection(names):
        return None
    begun = round_of(completion, call_ids(run.messages))
    run.completion = completion
    run.rounds.append(begun)
    return begun


def play_round(
    run: Run, toolbox: Toolbox, watcher: Watcher, is_cancelled: Callable[[], bool]
) -> bool:
    """Run the calls of the run's last round; tell whether the model is to be asked again."""
    from time import perf_counter

    from nbchat.tools.calls import run_calls, stop

    last = run.rounds[-1]
    if len(run.rounds) > toolbox.max_rounds:
        stop(last.calls, f"It was not called: max_rounds is {toolbox.max_rounds}.")
        watcher.update(run)
        return False
    watcher.update(run)
    started = perf_counter()
    try:
        if toolbox.confirm:
            for call in last.calls:
                _confirm(call, toolbox, watcher)
        run_calls(
            last.calls,
            toolbox.tools,
            on_change=lambda: watcher.update(run),
            is_cancelled=is_cancelled,
        )
    finally:
        stop(last.calls, "It was interrupted before it was called.")
        last.elapsed_s = perf_counter() - started
    return not is_cancelled()


def relaxed(params: ChatParams) -> ChatParams:
    """Give the params of the rounds after the first: a choice that forces a call forces one.

    If it stood in every request, the model could never answer in words.
    """
    fields = params.given()
    choice, call = fields.get("tool_choice"), fields.get("function_call")
    changes: dict[str, Any] = {}
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = msgspec.structs.replace(params.tool_choice.allowed_tools, mode="auto")  # type: ignore[union-attr]
        changes["tool_choice"] = msgspec.structs.replace(params.tool_choice, allowed_tools=allowed)  # type: ignore[type-var]
    elif choice == "required" or isinstance(choice, dict):
        changes["tool_choice"] = "auto"
    if isinstance(call, dict):
        changes["function_call"] = "auto"
    return msgspec.structs.replace(params, **changes) if changes else params


def _declared(params: ChatParams) -> set[str]:
    fields = params.given()
    schemas = [tool[tool["type"]] for tool in fields.get("tools") or ()]
    return {schema["name"] for schema in [*schemas, *(fields.get("functions") or ())]}


def _confirm(call: Call, toolbox: Toolbox, watcher: Watcher) -> None:
    if call.name not in toolbox.tools:
        return
    decide = toolbox.confirm
    is_wanted = decide(call) if callable(decide) else ask_here(call, watcher.status)
    if not is_wanted and call.is_open:
        call.error = "The user declined this call."


def ask_here(call: Call, say: Callable[[str], object] = lambda _: None) -> bool:
    """Ask in the running cell, or the terminal, whether a call may run; no where nobody can be.

    A yes to a question that does not show all of the call is none: it can be asked for in full.
    """
    question = question_of(call)
    is_shown = question.is_whole
    try:
        answer = _answer(call, question.text, "y/N" if is_shown else "y/N, f shows all of it")
        if not is_shown and answer in ("f", "full"):
            is_shown = True
            answer = _answer(call, question.whole, "y/N")
    except (EOFError, NotImplementedError, RuntimeError, OSError):
        say(f"This front end cannot ask (confirm): {call.name} is declined.")
        call.error = "The call was declined: nobody could be asked."
        return False
    is_wanted = answer in ("y", "yes")
    if is_wanted and not is_shown:
        say(f"{call.name} is declined: its arguments were not shown in full (f).")
        call.error = "The call was declined: its arguments were too long to show."
    return is_wanted and is_shown


def _answer(call: Call, text: str, choices: str) -> str:
    """Ask; above the prompt, which front ends cut off, where the text is long."""
    if len(text) <= _LONGEST_PROMPT:
        return input(f"Call {text}? [{choices}] ").strip().lower()
    write(sys.stdout, f"{text}\n")
    return input(f"Call {call.name}? [{choices}] ").strip().lower()


def question_of(call: Call) -> CallQuestion:
    """Give a call as a question shows it: what would run."""
    from nbchat.tools.call_question import call_question

    return call_question(call.name, call.arguments)
