"""oddcall tried on this host: ordinary work to learn from, then misbehaviour, with ground truth."""
