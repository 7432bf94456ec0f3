"""Ask with litellm: URL, number of requests, how many at once. Prints the seconds that it took.

Run by an interpreter of its own: what litellm depends on is not for the one that is measured.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator


async def work(url: str, n: int, at_once: int) -> float:
    import litellm  # type: ignore[import-not-found, unused-ignore]

    litellm.suppress_debug_info = True

    async def ask(number: int) -> object:
        return await litellm.acompletion(
            model="openai/m",
            messages=[{"role": "user", "content": f"word {number}"}],
            api_base=url,
            api_key="none",
            num_retries=0,
        )

    async def lane(numbers: Iterator[int]) -> None:
        for number in numbers:
            await ask(number)

    await ask(0)  # what it imports on first use is no request's
    begin = time.perf_counter()
    numbers = iter(range(n))
    await asyncio.gather(*(lane(numbers) for _ in range(at_once)))
    return time.perf_counter() - begin


if __name__ == "__main__":
    print(asyncio.run(work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
