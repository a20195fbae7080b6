"""Public sets of labelled traces, each read and split as its figures are reported."""
