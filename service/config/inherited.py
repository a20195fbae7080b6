"""What a child of ours takes of our environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from oddcall.service.config.loading import FILE_VARIABLE, PREFIX


def environment(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give a child our environment without settings, so that what we tell it is all it is told.

    No file is read and no ``ODDCALL_*`` variable of the user is passed on: not even one that is
    no setting but that his file names, as a child without that file would take it for a mistake.

    Parameters
    ----------
    own : variables of ours, settings among them.
    """
    rest = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    return {**rest, FILE_VARIABLE: os.devnull, **(own or {})}
