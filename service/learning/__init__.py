"""Learning: evidence and state of each program, recordings, and training in a child."""
