"""Seeds for each use of randomness, so that no two of them share numbers."""

import numpy as np

STREAMS = {
    "network": 0,
    "policy": 1,
    "environment": 2,
    "evaluation": 3,
    "resume": 4,
    "acting": 5,
    "selection": 6,  # evaluations during training
}


def stream(seed: int, use: str, number: int = 0) -> int:
    """A seed for one use of randomness, derived from an agent's."""
    return int(np.random.SeedSequence([seed, STREAMS[use], number]).generate_state(1)[0])
