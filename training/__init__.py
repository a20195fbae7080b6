"""Recordings, fitting of baselines, evaluation. Knows nothing of the kernel."""
