"""Solvers against their peers, in one run on one machine: python -m benchmarks.solvers [--out FILE].

Every family is solved to a certified error of 1e-6 by rlkit, and by MDPSolver and QuantEcon with that
tolerance; `error` is the largest distance from a solution certified to 1e-8. Times are the median of five
calls (three of the peers) after one that is not counted; building each peer's own form of the model is not
timed. With `--consensus DIR` (the QComp files consensus.4-K4.tra.gz, .lab.gz, .steps.srew.gz) Storm joins
in; with `--device cuda` rlkit sweeps on the GPU; with `--large` one model of 200 million transitions is
solved as well, which takes minutes and about 12 GB to make.
Install the peers with `pip install -e .[bench]`.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.metadata
import itertools
import multiprocessing
import os
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import models
from rlkit.core import MDP, to_pairs
from rlkit.solvers import solve
from rlkit.solvers.backends.backups import CompiledBackup

REPEATS = 5
FAMILIES: dict[str, tuple[Callable[[], MDP], float]] = {
    "maze 300x300": (lambda: models.maze(300), 0.99),
    "maze 300x300, patient": (lambda: models.maze(300), 0.999),
    "maze 1000x1000": (lambda: models.maze(1000), 0.99),
    "maze 1000x1000, patient": (lambda: models.maze(1000), 0.999),
    "random 1e5": (lambda: models.random_sparse(100_000), 0.99),
    "random 1e6": (lambda: models.random_sparse(1_000_000), 0.99),
    "layered DAG 1e6": (lambda: models.layered(100, 10_000), 0.99),
    "chain 1e5 with back edges": (lambda: models.chain(100_000), 0.999),
    "protocol 5e5, many small cycles": (lambda: models.protocol(100_000), 0.999),
}
LISTED = 5_000_000  # transitions that MDPSolver, which takes nested Python lists, is given at most
LIMIT = 60  # seconds in which a peer has to build its model and answer for the first time
Timing = tuple[float, float, np.ndarray]  # seconds of the first call, median of the others, values


def timed(run: Callable[[], np.ndarray], repeats: int = REPEATS) -> Timing:
    """Seconds of the first call, median of the next ones, and the values."""
    return timed_after(lambda: run, repeats)


def timed_after(prepare: Callable[[], Callable[[], np.ndarray]], repeats: int = REPEATS) -> Timing:
    """The same of what `prepare` returns, which is made anew for every call and not timed.

    Slow ones are called less often, and where there was no second call the first one counts.
    """
    seconds: list[float] = []
    while len(seconds) <= repeats and sum(seconds) < LIMIT / 3:
        run = prepare()
        start = time.perf_counter()
        values = run()
        seconds.append(time.perf_counter() - start)
    return seconds[0], statistics.median(seconds[1:] or seconds), values


def within_limit(run: Callable[[], Timing]) -> Timing | None:
    """What `run` returns, from a process of its own that is given up after the time limit."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(run()))
    process.start()
    if receiver.poll(LIMIT):
        answer: Timing = receiver.recv()
        process.join()
        return answer
    process.kill()
    return None


def quantecon(mdp: MDP, gamma: float) -> Callable[[], Callable[[], np.ndarray]]:
    from quantecon.markov import DiscreteDP
    from scipy.sparse import csr_matrix

    reward, transition, state, action = to_pairs(mdp)
    problem = DiscreteDP(reward, csr_matrix(transition), gamma, state, action)

    def run() -> np.ndarray:
        return problem.solve("modified_policy_iteration", epsilon=1e-6, max_iter=1_000_000).v

    return lambda: run


def mdpsolver(mdp: MDP, gamma: float) -> Callable[[], Callable[[], np.ndarray]]:
    """A new model for every call: one that was solved starts from its solution."""
    import mdpsolver as peer

    reward, transition, state, _ = to_pairs(mdp)
    first = np.searchsorted(state, np.arange(mdp.n_states + 1))
    probability, columns, rewards = [], [], []
    for begin, end in itertools.pairwise(first):
        spans = [slice(transition.indptr[c], transition.indptr[c + 1]) for c in range(begin, end)]
        probability.append([transition.data[span].tolist() for span in spans])
        columns.append([transition.indices[span].tolist() for span in spans])
        rewards.append(reward[begin:end].tolist())

    def prepare() -> Callable[[], np.ndarray]:
        problem = peer.model()
        problem.mdp(discount=gamma, rewards=rewards, tranMatProbs=probability, tranMatColumns=columns)

        def run() -> np.ndarray:
            problem.solve(algorithm="mpi", tolerance=1e-6)
            return np.array(problem.getValueVector())

        return run

    return prepare


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Keep this process to so many cores."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(every)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def sweep_rows() -> list[str]:
    """Nanoseconds a transition of one compiled sweep, beside those of reading as many bytes."""
    rows = []
    for name, mdp in (("maze 1000x1000", models.maze(1000)), ("random 1e6", models.random_sparse(1_000_000))):
        v = np.random.default_rng(0).random(mdp.n_states)
        words = np.ones(12 * mdp.n_transitions // 8)
        for cores in (1, 2):
            with on_cores(cores), ThreadPoolExecutor(cores) as pool:
                backup = CompiledBackup(mdp.state_ptr, mdp.matrix, mdp.reward, 0.99)
                halves = np.array_split(words, cores)
                _, sweeping, _ = timed(lambda backup=backup, v=v: backup(v).value, 9)
                _, reading, _ = timed(lambda pool=pool, halves=halves: list(pool.map(np.sum, halves)), 9)
            ours, floor = (x / mdp.n_transitions * 1e9 for x in (sweeping, reading))
            rows.append(f"| {name} | {cores} | {ours:.2f} ns | {floor:.2f} ns | {sweeping / reading:.1f}x |")
            print(rows[-1], flush=True)
    return rows


def resident() -> tuple[int, int]:
    """Bytes of memory that this process holds, and the most it has held since the peak was reset."""
    status = Path("/proc/self/status").read_text()
    held, peak = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) * 1024 for name in ("VmRSS", "VmHWM"))
    return held, peak


def memory_row(make: Callable[[], MDP], gamma: float) -> str:
    """What solving adds to memory at its peak, the model included, after everything is compiled."""
    solve(models.random_sparse(100_000), gamma=gamma)
    before, _ = resident()
    mdp = make()
    ctypes.CDLL(None).malloc_trim(0)  # what making the model has freed
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    started = time.perf_counter()
    solution = solve(mdp, gamma=gamma)
    seconds = time.perf_counter() - started
    _, peak = resident()
    used = peak - before
    assert solution.converged
    return (
        f"{mdp.n_states:,} states, {mdp.n_transitions:,} transitions: {seconds:.3g} s by {solution.method}, "
        f"{used / 1e9:.2f} GB at the peak, {(used - 40 * mdp.n_states) / mdp.n_transitions:.1f} bytes a "
        "transition beside 40 bytes a state."
    )


def apart(run: Callable[[], str]) -> str:
    """What `run` returns, from a process of its own."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(run()))
    process.start()
    text: str = receiver.recv()
    process.join()
    print(text, flush=True)
    return text


def family_rows(device: str) -> list[str]:
    rows = []
    for name, (make, gamma) in FAMILIES.items():
        mdp = make()
        reference = solve(mdp, gamma=gamma, epsilon=1e-8)
        assert reference.converged
        peers = {"QuantEcon": quantecon, "MDPSolver": mdpsolver}
        cells, best = [], np.inf
        for peer in peers.values():
            if peer is mdpsolver and mdp.n_transitions > LISTED:
                cells.append("–")
                continue
            answer = within_limit(lambda peer=peer, mdp=mdp, gamma=gamma: timed_after(peer(mdp, gamma), 3))
            if answer is None:
                cells.append(f"> {LIMIT} s")
                best = min(best, LIMIT)
                continue
            _, seconds, values = answer
            best = min(best, seconds)
            cells.append(f"{seconds:.3g} s, {np.abs(values - reference.value).max():.1e}")
        first, seconds, values = timed(
            lambda mdp=mdp, gamma=gamma: solve(mdp, gamma=gamma, device=device).value
        )
        method = solve(mdp, gamma=gamma, device=device).method
        ratio = f"{'> ' * (best == LIMIT)}{best / seconds:.1f}x"
        own = f"{seconds:.3g} s ({first:.3g}), {np.abs(values - reference.value).max():.1e}"
        cells = [f"{name}, gamma {gamma}", f"{mdp.n_transitions:,}", own, method, *cells, ratio]
        rows.append(f"| {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    return rows


def consensus_rows(folder: Path) -> list[str]:
    from rlkit.core.files import read_model

    files = {kind: folder / f"consensus.4-K4.{kind}.gz" for kind in ("tra", "lab", "steps.srew")}
    mdp = read_model(files["tra"], labels=files["lab"], rewards=[files["steps.srew"]])
    rows = []
    for direction in ("max", "min"):
        minimize = direction == "min"
        query = {"objective": "reach-reward", "target": "finished", "minimize": minimize}
        first, seconds, _ = timed(lambda query=query: solve(mdp, **query).value)
        peer, value = storm(mdp, direction)
        rows.append(
            f"| consensus.4 K=4, {direction} | {mdp.n_transitions:,} | {seconds:.3g} s ({first:.3g}) | "
            f"{peer:.3g} s | {peer / seconds:.1f}x | {value:.6g} |"
        )
        print(rows[-1], flush=True)
    return rows


def storm(mdp: MDP, direction: str) -> tuple[float, float]:
    """Storm's certified check of the same model: median seconds of the check, and its value."""
    import stormpy

    from rlkit.core.files import write_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.drn"
        write_model(mdp, path)
        model = stormpy.build_model_from_drn(str(path))
    formula = stormpy.parse_properties(f'R{direction}=? [F "finished"]')[0].get_raw_formula()
    environment = stormpy.environments.sound()
    environment.solver().min_max().precision = stormpy.Rational(1e-6)

    def run() -> np.ndarray:
        found = stormpy.model_checking(model, formula, only_initial_states=True, environment=environment)
        return np.array([found.get_value(model.initial_states[0])])

    _, seconds, values = timed(run)
    return seconds, float(values[0])


def machine() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    cpu = next((x.split(":")[1].strip() for x in lines if "model name" in x), platform.processor())
    peers = ("numpy", "scipy", "numba", "quantecon", "mdpsolver", "stormpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in peers)
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}."


def report(consensus: Path | None, device: str, large: bool) -> str:
    columns = ("family", "transitions", "rlkit (first call), error", "by", "QuantEcon, error")
    columns = (*columns, "MDPSolver, error", "against the faster")
    memory = [(lambda: models.random_sparse(1_000_000), 0.99), (lambda: models.maze(1000), 0.99)]
    memory += [(lambda: models.random_sparse(10_000_000), 0.99)] if large else []
    lines = [
        machine(),
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
        *family_rows(device),
        "",
        "| one sweep | cores | a transition | reading 12 bytes | ratio |",
        "|---|---|---|---|---|",
        *sweep_rows(),
        "",
        *(apart(lambda make=make, gamma=gamma: memory_row(make, gamma)) + "\n" for make, gamma in memory),
    ]
    if consensus is not None:
        columns = ("model", "transitions", "rlkit (first call)", "Storm, sound", "ratio", "value")
        lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *consensus_rows(consensus)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the table here as well")
    parser.add_argument("--consensus", type=Path, help="folder of the QComp consensus files")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="where rlkit sweeps")
    parser.add_argument("--large", action="store_true", help="solve 200 million transitions as well")
    given = parser.parse_args()
    text = report(given.consensus, given.device, given.large)
    print(text)
    if given.out is not None:
        given.out.write_text(text)
