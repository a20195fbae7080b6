"""Where recordings and alerts come from, as each of them says it."""

from __future__ import annotations

from collections.abc import Mapping

from oddcall.training.failed_calls import CONNECTING, NO_FAILURE

_HOST = ("name", "id", "boot_id", "kernel", "arch")
_IN_RECORDING = {"name": "host_name", "id": "host_id"}


def metadata_of(host: Mapping[str, str], interval_s: float, loader: str) -> dict[str, str]:
    """Say where and how a recording is made."""
    named = {_IN_RECORDING.get(key, key): host.get(key, "") for key in _HOST}
    sensed = {"interval_s": f"{interval_s:g}", "loader": loader, NO_FAILURE: CONNECTING}
    return {**named, **sensed}


def host_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """Name the host as alerts do, from a recording's metadata."""
    return {key: metadata.get(_IN_RECORDING.get(key, key), "") for key in _HOST}
