"""Harmless but real behaviours to try the alerts on."""
