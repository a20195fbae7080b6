"""``oddcall top``: a running watch in a terminal, by way of its API."""
