"""The verbs of the command line, one a module; each is imported when it is used."""
