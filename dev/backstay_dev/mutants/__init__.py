"""Broken variants of our own code, each of which our own nets must find. `python -m backstay_dev.mutants`."""
