"""``evaluate recordings`` and ``evaluate traces``: verdicts against the truth, and their pages."""
