"""Detectors of whole traces: one file each, and what they share."""
