"""``replay``: a recording judged as ``watch`` would have, and as it would have been otherwise."""
