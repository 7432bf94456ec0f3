"""A sweep on a cluster whose driver is a process of its own: it is there to be stopped and killed.

python -m tests.sweep.dask_driver SCHEDULER URL FOLDER ROWS REQUESTS_A_MINUTE
"""

from __future__ import annotations

import sys
from typing import Any

import nbchat
from nbchat.sweep.dask import Dask

#: seconds; the real ones are too long for a test
LEASE_S = 3.0
KEY_VARIABLE = "NBCHAT_TESTS_CANARY_KEY"


def sweep_of(client: Any, url: str, folder: str, rows: int, per_minute: float) -> Any:
    import os

    profile = nbchat.Profile(
        name="witness",
        base_url=url,
        key=os.environ[KEY_VARIABLE],
        key_variable=KEY_VARIABLE,
        model="m",
    )
    return nbchat.sweep(
        "{{ word }}",
        data=[{"word": f"word {number}"} for number in range(rows)],
        folder=folder,
        profile=profile,
        requests_per_minute=per_minute,
        executor=Dask(client, lease_s=LEASE_S),
    )


if __name__ == "__main__":
    from distributed import Client

    scheduler, url, folder, rows, per_minute = sys.argv[1:]
    with Client(scheduler) as client:
        sweep_of(client, url, folder, int(rows), float(per_minute)).run()
