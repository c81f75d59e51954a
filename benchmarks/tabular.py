"""Every tabular agent on four small tasks: percent of the optimum over five seeds, and steps a second.

python benchmarks/tabular.py [AGENT ...]   prints the table of docs/algorithms/tabular.md

The percentage is exact, of the discounted objective with the agent's own gamma. Seconds are those of the
processor, on one core, with everything that training does: stepping the environments, acting and learning.
"""

import statistics
import sys
import time

from rlkit.agents import Agent, default_steps, tabular
from rlkit.evaluate import grade

AGENTS = (
    *(tabular.MC, tabular.Sarsa, tabular.ExpectedSarsa, tabular.NStepSarsa, tabular.TDLambda),
    *(tabular.QLearning, tabular.DoubleQ, tabular.QLambda, tabular.DynaQ, tabular.PrioritizedSweeping),
)
TASKS = ("rlkit/Exam-v0", "rlkit/FrozenLake-v0", "rlkit/CliffWalking-v0", "rlkit/Taxi-v0")
SEEDS = range(5)


def row(agent: type[Agent], env_id: str) -> str:
    steps = default_steps(agent.name, env_id)
    agent(env_id).train(1_024)  # loads what is compiled
    percents, rates = [], []
    for seed in SEEDS:
        learner = agent(env_id, seed=seed)
        began = time.process_time()
        learner.train(steps)
        rates.append(steps / (time.process_time() - began))
        percents.append(grade(learner).objectives["discounted"].percent_of_optimum)
    found = f"{statistics.median(percents):.2f} | {min(percents):.2f}"
    return f"| {agent.name} | {env_id} | {found} | {steps:,} | {statistics.median(rates) / 1e6:.2f} M |"


if __name__ == "__main__":
    print("| agent | task | median % | worst % | steps | steps/s |\n|---|---|---:|---:|---:|---:|")
    for agent in AGENTS:
        if not sys.argv[1:] or agent.name in sys.argv[1:]:
            for env_id in TASKS:
                print(row(agent, env_id), flush=True)
