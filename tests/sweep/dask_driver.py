"""A sweep on a cluster with a driver in a process of its own, to be stopped and killed."""

from __future__ import annotations

from typing import Any

import nbchat
from nbchat.sweep.dask import Dask

#: seconds; the real ones are too long for a test
LEASE_S = 2.0
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


def drive(scheduler: str, url: str, folder: str, rows: int, per_minute: float) -> None:
    from distributed import Client

    with Client(scheduler) as client:
        sweep_of(client, url, folder, rows, per_minute).run()
