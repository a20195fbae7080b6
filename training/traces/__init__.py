"""Whole traces, the calls of one process in their order: read, judged, and held against labels."""
