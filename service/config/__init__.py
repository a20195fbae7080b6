"""Settings: what there is, how it is read from file, variables and flags, and taken anew."""
