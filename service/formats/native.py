"""The native object as it is (``alert.schema.json``, ``notice.schema.json``)."""

from __future__ import annotations

from oddcall.service.alerts.alert import Alert


def native(alert: Alert) -> Alert:
    """Give the alert as it is."""
    return dict(alert)
