"""What oddcall says of itself among the alerts: a JSON object of ``notice.schema.json``.

A notice takes the way alerts take, past every filter: whoever reads the alerts must learn
there that some are missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from oddcall.service.alerts.alert import iso

SCHEMA_VERSION = 1
#: What ids are derived under.
_IDS = uuid.UUID("c0a4f6a1-2f0e-5b4b-8a52-6a1d2a3f9e40")

Notice = dict[str, Any]


def build(
    kind: str, sentence: str, host: Mapping[str, str], time_ns: int, counts: Mapping[str, int]
) -> Notice:
    """Lay a notice out.

    Parameters
    ----------
    kind : what it is about, such as ``"dropped"``.
    sentence : the same for a person.
    host : ``name``, ``id``, ``boot_id``, ``kernel``, ``arch``.
    time_ns : UTC.
    counts : the numbers in the sentence, by name.
    """
    about = (host.get("id", ""), host.get("boot_id", ""), kind, time_ns, sentence)
    return {
        "schema_version": SCHEMA_VERSION,
        "id": str(uuid.uuid5(_IDS, "\0".join(map(str, about)))),
        "notice": kind,
        "time": iso(time_ns),
        "severity": "medium",
        "host": {key: host.get(key, "") for key in ("name", "id", "boot_id", "kernel", "arch")},
        "sentence": sentence,
        "counts": dict(counts),
    }


def is_notice(line: Mapping[str, Any]) -> bool:
    """Tell a notice from an alert."""
    return "notice" in line
