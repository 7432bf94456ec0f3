"""Rounds of tool calls: which are run, who is asked before, and when the rounds end."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.params import ChatParams
from nbchat.errors import CheckError

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.session.execution import Watcher
    from nbchat.tools import Call, Round, Tool

Confirm = bool | Callable[[Any], object] | None
MAX_ROUNDS = 5
_LONGEST_ASKED = 1_000


class Toolbox(msgspec.Struct, frozen=True):
    """The functions that the user named for a run, and how they are run.

    `confirm`: True asks before each call, a function is given the `Call` and says if it runs.
    """

    tools: Mapping[str, Tool]
    max_rounds: int = MAX_ROUNDS
    confirm: Confirm = None


def take_functions(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tool]]:
    """Give the fields with schemas in the place of functions, and the tools that can run."""
    wanted = dict(fields)
    found: dict[str, Tool] = {}
    for field in ("tools", "functions"):
        given = wanted.get(field)
        if given is None or given is msgspec.UNSET or isinstance(given, str):
            continue
        from nbchat.tools import read_tools

        wanted[field], named = read_tools(given, field=field)
        found.update(named)
    return wanted, found


def toolbox_of(
    tools: Mapping[str, Tool],
    params: ChatParams,
    *,
    max_rounds: int | None = None,
    confirm: Confirm = None,
) -> Toolbox | None:
    """Put the tools of a run together; None where there are none to run."""
    rounds = MAX_ROUNDS if max_rounds is None else max_rounds
    if not isinstance(rounds, int) or isinstance(rounds, bool) or rounds < 0:
        raise CheckError(
            f"max_rounds is {rounds!r}, but it must be a whole number, 0 or more.",
            field="max_rounds",
            value=rounds,
            rule="must be a whole number, 0 or more",
        )
    if not (confirm is None or isinstance(confirm, bool) or callable(confirm)):
        raise CheckError("confirm must be True or a function.", field="confirm", value=confirm)
    if not tools:
        return None
    n = params.given().get("n")
    if n is not None and n > 1:
        raise CheckError(
            f"n is {n}, but the calls of one reply alone can be answered: leave n out, or give "
            "schemas in the place of functions.",
            field="n",
            value=n,
            rule="cannot be above 1 where functions run",
        )
    return Toolbox(tools, rounds, confirm)


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
    begun = round_of(completion)
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
    given = params.given()
    choice, call = given.get("tool_choice"), given.get("function_call")
    changes: dict[str, Any] = {}
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = msgspec.structs.replace(params.tool_choice.allowed_tools, mode="auto")  # type: ignore[union-attr]
        changes["tool_choice"] = msgspec.structs.replace(params.tool_choice, allowed_tools=allowed)  # type: ignore[type-var]
    elif choice == "required" or isinstance(choice, dict):
        changes["tool_choice"] = "auto"
    if isinstance(call, dict):
        changes["function_call"] = "auto"
    return msgspec.structs.replace(params, **changes) if changes else params


def local_notes(model: str | None, params: ChatParams) -> list[str]:
    """Say what the embedded model cannot do; a GGUF file of the user's own perhaps can."""
    from nbchat import local

    given = params.given()
    facts = {
        "this small model never sees the tools": {"tools", "functions"} & given.keys(),
        "this small model has no voice": "audio" in (given.get("modalities") or ()),
    }
    return [fact for fact, is_asked in facts.items() if is_asked and model == local.MODEL]


def _declared(params: ChatParams) -> set[str]:
    given = params.given()
    schemas = [tool[tool["type"]] for tool in given.get("tools") or ()]
    return {schema["name"] for schema in [*schemas, *(given.get("functions") or ())]}


def _confirm(call: Call, toolbox: Toolbox, watcher: Watcher) -> None:
    if call.name not in toolbox.tools:
        return
    decide = toolbox.confirm
    is_wanted = decide(call) if callable(decide) else _asked(call, watcher)
    if not is_wanted and call.is_open:
        call.error = "The user declined this call."


def _asked(call: Call, watcher: Watcher) -> bool:
    from nbchat.display.characters import visible

    shown = visible(call.arguments)
    if len(shown) > _LONGEST_ASKED:
        shown = f"{shown[:_LONGEST_ASKED]}… ({len(shown):,} characters)"
    try:
        answer = input(f"Call {visible(call.name)}({shown})? [y/N] ")
    except (EOFError, NotImplementedError, RuntimeError, OSError):
        watcher.status(f"This front end cannot ask (confirm): {call.name} is declined.")
        call.error = "The call was declined: nobody could be asked."
        return False
    return answer.strip().lower() in ("y", "yes")


def warn_of_deprecated(params: ChatParams) -> None:
    """Warn of `functions` and `function_call`, at the line of the user's own code."""
    given = params.given()
    for name, successor in (("functions", "tools"), ("function_call", "tool_choice")):
        if name in given:
            _warn(f"{name} is deprecated: use {successor}, which does the same and more.")


def _warn(sentence: str) -> None:
    frame = inspect.currentframe()
    while frame is not None and _is_between(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    if frame is None:
        return
    warnings.warn_explicit(
        sentence,
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__", "__main__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _is_between(module: str) -> bool:
    return module.partition(".")[0] in ("nbchat", "IPython")
