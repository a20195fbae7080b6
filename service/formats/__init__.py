"""Shapes an alert can take: pure functions from the native object to another JSON object.

Each one also shapes a notice (``oddcall.service.alerts.notice``). The native object's members are
never changed, and what it says of ATT&CK stays what it is: a hint that the behaviour is
*consistent with* a technique, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from oddcall.service.alerts.alert import Alert
from oddcall.service.formats.ecs import ecs
from oddcall.service.formats.falco import falco
from oddcall.service.formats.native import native
from oddcall.service.formats.ocsf import ocsf

Format = Callable[[Alert], Alert]

#: Every format by the name it has in settings.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {"native": native, "ocsf": ocsf, "ecs": ecs, "falco": falco}
)
