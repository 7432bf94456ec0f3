"""Writes real_rows.json: the top 20 of real rows, and what the whole rows say exactly.

Run by hand, with the embedded model: ``python tests/data/real_rows.py``. A row is the distribution
over the vocabulary at one position of a reply at temperature 0. Everything exact is calculated
here from whole rows with numpy alone; nothing of `nbchat.measures` is used.

- `vocab_size`: V
- `rows`: `ids` and `logprobs` of the 20 most likely (32-bit numbers as sent, written short);
  `sampled`: id and logprob of a token from outside of them; `mass`: what the whole row sums to,
  as sent; `entropy`: nats, of the row as sent; `entropy_normalised`: of the row divided by its
  mass
- `pairs`: `rows` (two numbers), `kl`, `jsd` (nats) and `tv` of the two whole rows, each divided
  by its mass
- `tempered`: for each temperature the probabilities of the 20 in the whole row, of some rows
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import nbchat

KEPT = 20
ROWS = 300
TOKENS = 10
TEMPERATURES = (0.5, 0.8, 1.2, 2.0)
PROMPTS = (
    "Name a colour.",
    "Name a color.",
    "What is 2 + 2?",
    "Write a poem about 🎉.",
    "Répondez en français : qui êtes-vous ?",
    "What is the capital of Germany?",
    "List three animals as JSON.",
    "Translate to Spanish: good morning.",
    "Explain gravity to a child.",
    "Write a function in Python that reverses a list.",
    "Is a tomato a fruit? Answer yes or no.",
    "Tell me a joke.",
    "Who wrote Hamlet?",
    "Continue: once upon a time",
    "What comes after Monday?",
    "Give me a random number.",
    "Say: 🦊🦊",
    "How many legs does a spider have?",
    "Count to five.",
    "Spell the word banana.",
    "What is the opposite of hot?",
    "Describe the sea in one sentence.",
    "Why is the sky blue?",
    "Which is larger, a cat or an elephant?",
    "Name a city in Japan.",
    "Was ist ein Apfel?",
    "Write a haiku.",
    "What is the square root of 81?",
    "Give advice to a student.",
    "Complete: to be or not to",
    "What is a verb?",
    "Name three rivers.",
    "How do you make tea?",
)


def whole_rows(prompt: str) -> list[Any]:
    """Give each position's whole row as an array over the ids, log probabilities as sent."""
    run = nbchat.chat(
        prompt, profile="local", temperature=0, max_completion_tokens=TOKENS, logprobs=True,
        top_logprobs="all",
    )  # fmt: skip
    rows = []
    for _, row in run.alternatives().groupby("position"):
        values = np.full(int(row["token_id"].max()) + 1, -np.inf)
        known = row["logprob"].notna()
        values[row.loc[known, "token_id"].astype(int)] = row.loc[known, "logprob"]
        rows.append(values)
    return rows


def described(row: Any, number: int) -> dict[str, Any]:
    order = np.argsort(-row, kind="stable")
    p = np.exp(row[row > -np.inf])
    mass = float(p.sum())
    outside = int(order[KEPT + 7 * number % 2000])
    return {
        "ids": order[:KEPT].tolist(),
        "logprobs": [float(str(np.float32(x))) for x in row[order[:KEPT]]],
        "sampled": [outside, float(row[outside])],
        "mass": mass,
        "entropy": float(-(p * np.log(p)).sum()),
        "entropy_normalised": float(-(p / mass * np.log(p / mass)).sum()),
    }


def divergences(a: Any, b: Any) -> dict[str, float]:
    p, q = np.exp(a), np.exp(b)
    p, q = p / p.sum(), q / q.sum()
    mean = (p + q) / 2

    def kl(x: Any, y: Any) -> float:
        there = x > 0
        with np.errstate(divide="ignore"):
            return float((x[there] * np.log(x[there] / y[there])).sum())

    return {
        "kl": kl(p, q),
        "jsd": (kl(p, mean) + kl(q, mean)) / 2,
        "tv": float(np.abs(p - q).sum() / 2),
    }


def tempered(row: Any, temperature: float) -> list[float]:
    scaled = row / temperature
    p = np.exp(scaled - scaled.max())
    order = np.argsort(-row, kind="stable")[:KEPT]
    return [float(x) for x in (p / p.sum())[order]]


def main() -> None:
    rows: list[Any] = []
    for prompt in PROMPTS:
        rows += whole_rows(prompt)
    rows = rows[:ROWS]
    size = max(map(len, rows))
    rows = [np.pad(row, (0, size - len(row)), constant_values=-np.inf) for row in rows]
    pairs = [(i, (i + step) % len(rows)) for step in (1, 10, 137) for i in range(len(rows))]
    found = {
        "vocab_size": size,
        "rows": [described(row, number) for number, row in enumerate(rows)],
        "pairs": [{"rows": pair, **divergences(*(rows[i] for i in pair))} for pair in pairs],
        "tempered": [
            {"row": i, **{str(t): tempered(rows[i], t) for t in TEMPERATURES}}
            for i in range(0, len(rows), 10)
        ],
    }
    text = json.dumps(found, separators=(",", ":")).replace("},{", "},\n{")
    Path(__file__).with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    masses = [row["mass"] for row in found["rows"]]
    print(len(rows), "rows; masses from", min(masses), "to", max(masses))


if __name__ == "__main__":
    main()
