"""Partially observable tasks: what is seen now does not say what to do, what was seen before does."""
