"""Which file the history is: what was configured, else `NBCHAT_HISTORY`, else the data folder's."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "history.sqlite"
_OFF = {"off", "false", "no", "0", "none"}


def location(setting: object = None) -> Path | None:
    """Give the file of the history, None where it is switched off.

    `setting` is a file, a folder (then it is `history.sqlite` there), "off" or False; None
    leaves it to the variable `NBCHAT_HISTORY`, which takes the same. Where neither says
    anything, it is in the user's data folder, which `NBCHAT_DATA_DIR` moves.
    """
    wanted = os.environ.get("NBCHAT_HISTORY", "").strip() if setting is None else setting
    if wanted is False or str(wanted).lower() in _OFF:
        return None
    if wanted is True or str(wanted).lower() in ("", "on", "true"):
        return _data_folder() / NAME
    path = Path(str(wanted)).expanduser().absolute()
    is_folder = path.is_dir() or str(wanted).endswith(("/", os.sep))
    return path / NAME if is_folder else path


def _data_folder() -> Path:
    if data := os.environ.get("NBCHAT_DATA_DIR"):
        return Path(data).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("nbchat", appauthor=False))
