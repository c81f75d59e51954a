"""Training runs: folders with settings, metrics and checkpoints."""
