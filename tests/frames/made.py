"""Runs made by hand, for the tests of frames and figures."""

from nbchat.api.check import check
from nbchat.api.logprobs import TokenTable
from nbchat.api.response import Choice, ChoiceLogprobs, Completion, ResponseMessage, Usage
from nbchat.run import Run


def token(text, logprob, data=None, number=None):
    """One token in the shape of the API. `data`: bytes, or False for none."""
    made = {"token": text, "logprob": logprob}
    if data is not False:
        made["bytes"] = list(text.encode() if data is None else data)
    if number is not None:
        made["id"] = number
    return made


def entry(text, logprob, *top, data=None, number=None):
    """One position. `top` has tokens, or pairs of text and logprob."""
    listed = [t if isinstance(t, dict) else token(*t) for t in top]
    return token(text, logprob, data, number) | {"top_logprobs": listed}


def choice(*entries, text=None, index=0, finish="stop", refusal=(), arrival_s=float("nan")):
    if text is None and entries:
        text = "".join(e["token"] for e in entries)
    logprobs = ChoiceLogprobs(
        content=TokenTable.build(entries, arrival_s) if entries else None,
        refusal=TokenTable.build(refusal) if refusal else None,
    )
    message = ResponseMessage(
        content=text, refusal="".join(e["token"] for e in refusal) if refusal else None
    )
    return Choice(index, message, finish, logprobs if entries or refusal else None)


def run_of(*choices, usage=None, params=None, **facts):
    counts = None if usage is None else Usage(**usage)
    completion = Completion(model="small", choices=list(choices), usage=counts)
    return Run.from_completion(completion, params=check(params or {}), **facts)
