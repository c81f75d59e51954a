"""Where learners' batches come from: stepped environments, rollouts and replay memories."""
