"""A peer for benchmarks.agents: PPO on CartPole whose whole loop JAX compiles, environment included.

It has the sizes of `stepping` there and does what PPO must, no more: no logging, no evaluation, no bootstrap
at the time limit. `python -m benchmarks.compiled` prints how long it compiles, that it learns, and its steps
a second and rlkit's, in turn.

    pip install -e .[bench]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import torch

from benchmarks.agents import CARTPOLE, ITERATION, SAME, our_rate

Array: TypeAlias = jax.Array
GAMMA, LAMBDA, CLIP, RATE, WIDTH, LIMIT = 0.99, 0.95, 0.2, 3e-4, 64, 500
ENVS, STEPS = SAME["num_envs"], SAME["rollout_steps"]
ITERATIONS = 16  # of a timed call


class Loop(NamedTuple):
    """What an iteration hands to the next."""

    key: Array
    parameters: Any
    moments: Any  # of Adam, first and second
    updates: Array
    state: Array  # [B, 4] of the cart
    elapsed: Array  # [B]


def layers(key: Array, outputs: int, gain: float) -> list[tuple[Array, Array]]:
    """Weights and biases of two tanh layers and a linear one."""
    sizes = ((4, WIDTH, 2**0.5), (WIDTH, WIDTH, 2**0.5), (WIDTH, outputs, gain))
    keys = jax.random.split(key, len(sizes))
    orthogonal = jax.nn.initializers.orthogonal
    return [(orthogonal(g)(k, (n, m)), jnp.zeros(m)) for k, (n, m, g) in zip(keys, sizes, strict=True)]


def network(parameters: Any, x: Array) -> Array:
    """[..., 4] -> [..., outputs]."""
    *hidden, (w, b) = parameters
    for v, c in hidden:
        x = jnp.tanh(x @ v + c)
    return x @ w + b


def cart(state: Array, action: Array) -> Array:
    """The next state [B, 4] by Euler's method (Barto, Sutton and Anderson 1983)."""
    x, speed, angle, turning = state.T
    force = 20.0 * action - 10.0
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    push = (force + 0.05 * turning**2 * sine) / 1.1
    turned = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
    moved = push - 0.05 * turned * cosine / 1.1
    return jnp.stack(
        [x + 0.02 * speed, speed + 0.02 * moved, angle + 0.02 * turning, turning + 0.02 * turned], 1
    )


def begin(key: Array) -> Array:
    return jax.random.uniform(key, (ENVS, 4), minval=-0.05, maxval=0.05)


def rollout(loop: Loop) -> tuple[Loop, dict[str, Array]]:
    """STEPS steps of all environments, [T, B, ...]."""
    actor, critic = loop.parameters

    def step(carry: tuple[Array, Array, Array], _: None) -> tuple[Any, dict[str, Array]]:
        key, state, elapsed = carry
        key, sampling, beginning = jax.random.split(key, 3)
        log_probs = jax.nn.log_softmax(network(actor, state))
        action = jax.random.categorical(sampling, log_probs)
        after = cart(state, action)
        ended = (jnp.abs(after[:, 0]) > 2.4) | (jnp.abs(after[:, 2]) > 12 * jnp.pi / 180)
        done = ended | (elapsed + 1 >= LIMIT)
        row = {
            "state": state,
            "action": action,
            "log_prob": jnp.take_along_axis(log_probs, action[:, None], 1)[:, 0],
            "value": network(critic, state)[:, 0],
            "done": done,
        }
        now = jnp.where(done[:, None], begin(beginning), after)
        return (key, now, jnp.where(done, 0, elapsed + 1)), row

    (key, state, elapsed), rows = jax.lax.scan(step, (loop.key, loop.state, loop.elapsed), None, STEPS)

    def back(carry: tuple[Array, Array], row: dict[str, Array]) -> tuple[Any, Array]:
        advantage, following = carry
        going = 1.0 - row["done"]
        delta = 1.0 + GAMMA * following * going - row["value"]
        advantage = delta + GAMMA * LAMBDA * going * advantage
        return (advantage, row["value"]), advantage

    last = network(critic, state)[:, 0]
    _, rows["advantage"] = jax.lax.scan(back, (jnp.zeros_like(last), last), rows, reverse=True)
    return loop._replace(key=key, state=state, elapsed=elapsed), rows


def loss(parameters: Any, b: dict[str, Array]) -> Array:
    """Of a minibatch [N]: L_clip + L_value / 2."""
    actor, critic = parameters
    log_prob = jnp.take_along_axis(jax.nn.log_softmax(network(actor, b["state"])), b["action"][:, None], 1)[
        :, 0
    ]
    advantage = (b["advantage"] - b["advantage"].mean()) / (b["advantage"].std() + 1e-8)
    ratio = jnp.exp(log_prob - b["log_prob"])
    clipped = jnp.minimum(ratio * advantage, ratio.clip(1 - CLIP, 1 + CLIP) * advantage)
    error = network(critic, b["state"])[:, 0] - b["advantage"] - b["value"]
    return -clipped.mean() + 0.25 * (error**2).mean()


def learn(loop: Loop, rows: dict[str, Array]) -> Loop:
    """All epochs, by Adam, gradients clipped at 0.5."""
    batch = {name: x.reshape(ITERATION, *x.shape[2:]) for name, x in rows.items()}
    key, shuffling = jax.random.split(loop.key)
    orders = jax.vmap(lambda k: jax.random.permutation(k, ITERATION))(
        jax.random.split(shuffling, SAME["epochs"])
    )

    def update(carry: Any, index: Array) -> tuple[Any, None]:
        parameters, (m, v), n = carry
        gradient = jax.grad(loss)(parameters, {name: x[index] for name, x in batch.items()})
        norm = jnp.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradient)))
        scale, n = jnp.minimum(1.0, 0.5 / (norm + 1e-6)), n + 1
        m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * scale * g, m, gradient)
        v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * (scale * g) ** 2, v, gradient)
        rate = RATE / (1 - 0.9**n)
        moved = jax.tree.map(
            lambda p, a, c: p - rate * a / (jnp.sqrt(c / (1 - 0.999**n)) + 1e-5), parameters, m, v
        )
        return (moved, (m, v), n), None

    parts = orders.reshape(SAME["epochs"] * SAME["minibatches"], -1)
    (parameters, moments, updates), _ = jax.lax.scan(
        update, (loop.parameters, loop.moments, loop.updates), parts
    )
    return loop._replace(key=key, parameters=parameters, moments=moments, updates=updates)


@jax.jit
def train(loop: Loop) -> tuple[Loop, Array]:
    """ITERATIONS iterations, and the mean length of episodes in each."""

    def iterate(loop: Loop, _: None) -> tuple[Loop, Array]:
        loop, rows = rollout(loop)
        return learn(loop, rows), ITERATION / jnp.maximum(rows["done"].sum(), 1)

    return jax.lax.scan(iterate, loop, None, ITERATIONS)


def first(seed: int) -> Loop:
    key, a, c, s = jax.random.split(jax.random.key(seed), 4)
    parameters = (layers(a, 2, 0.01), layers(c, 1, 1.0))
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return Loop(key, parameters, (zeros, zeros), jnp.zeros(()), begin(s), jnp.zeros(ENVS, jnp.int32))


def their_rate() -> Callable[[], float]:
    """What measures the steps a second of a timed call; the first compiles."""
    loop = first(0)

    def measure() -> float:
        nonlocal loop
        begin = time.perf_counter()
        loop, lengths = train(loop)
        lengths.block_until_ready()
        return ITERATIONS * ITERATION / (time.perf_counter() - begin)

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    begin = time.perf_counter()
    train.lower(first(0)).compile()
    print(f"compiled in {time.perf_counter() - begin:.1f} s")
    _, lengths = train(first(0))
    print("mean length of episodes while it learns:", [round(float(x)) for x in lengths])
    cases = {"jax": their_rate(), "rlkit": our_rate(CARTPOLE, "mlp")}
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(options.repeats + 1):
        for name, measure in cases.items():
            found = measure()
            if turn:
                rates[name].append(found)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    print({name: f"{rate:,.0f} steps/s" for name, rate in middle.items()})
    print("rlkit / jax, pair by pair:", round(statistics.median(map(lambda a, b: b / a, *rates.values())), 2))


if __name__ == "__main__":
    main()
