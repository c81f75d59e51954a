"""The interfaces of a model: one environment at a time, a batch in numpy, a batch in torch."""
