"""The page of a running watch, its API, metrics and health, on one address."""
