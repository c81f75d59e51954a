"""Make `rlkit/figures.json` and docs/environments: figures by the solvers, films of episodes, options.

    python docs/gallery.py [--pages] [--films] [ID ...]

Figures of the ids given (all without) are computed anew, except with `--pages`; with `--films`, films too.
The pages are always written for all.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

from rlkit.catalogue import FIGURE_NAMES, FIGURES, describe, ids
from rlkit.core import NoExactModel
from rlkit.envs.registry import make
from rlkit.envs.suite import FAMILIES
from rlkit.films import LONGEST, film, optimal_policy, random_policy, write

PAGES = Path(__file__).parent / "environments"
KEPT = ("id", "observation", "action_space", "actions", "max_episode_steps", "exact_options", *FIGURE_NAMES)
WIDTH = 280  # pixels of a film
ENDLESS = 30  # steps shown of an episode that only a time limit ends
INTRODUCTIONS = {
    "chains": "Chains, stocks and cards: textbook problems whose states have numbers.",
    "grids": "Grid worlds whose state is the cell: maps, slip and wind.",
    "rooms": "Grid worlds with things in them, seen from within: doors, keys, lava, boxes and corridors.",
    "memory": "Partially observable problems, each with its optimum with memory and without.",
    "games": "Board games against a given opponent, or against oneself.",
}
TITLES = {
    "states": "states",
    "observations": "different observations",
    "optimum": "optimum",
    "optimum_in_limit": "optimum within the limit",
    "full_information": "with full observability",
    "memoryless": "best known without memory",
    "random": "uniformly random policy",
}


def shot(id: str, path: Path) -> None:
    """A film of one episode, under the optimal policy where that can be known."""
    one_level = {"levels": 1, "observation": "grid"}
    options = one_level if id in {entry.id for entry in FAMILIES["rooms"]} else {}
    env = make(id, render_mode="rgb_array", **options)
    act, player, longest = random_policy(env, 0), "random play", LONGEST
    if not env.unwrapped.model.partially_observable:
        with suppress(NoExactModel):
            act, player = optimal_policy(env), "optimal play"
    with suppress(NoExactModel):
        longest = LONGEST if env.unwrapped.mdp().terminal.any() else ENDLESS
    write(film(env, act, seed=0, width=WIDTH, player=player, longest=longest), path)


def page(family: str) -> str:
    lines = [f"# {family.capitalize()}", "", INTRODUCTIONS[family], ""]
    for entry in FAMILIES[family]:
        if entry.needs:
            continue
        record = describe(entry.id)
        film_of = f"films/{entry.id.removeprefix('rlkit/')}.gif"
        lines += [
            f"## `{entry.id}`",
            "",
            f"![{entry.summary}]({film_of})",
            "",
            "\n\n".join(record["doc"]),
            "",
        ]
        lines += ["| | |", "|---|---|"]
        lines += [f"| observation | `{record['observation']}` |", f"| actions | {actions(record)} |"]
        if record["max_episode_steps"]:
            lines += [f"| time limit | {record['max_episode_steps']} steps |"]
        if record["exact_options"]:
            given = ", ".join(f"`{k}={v}`" for k, v in record["exact_options"].items())
            lines += [f"| figures below are for | {given} |"]
        lines += [
            f"| {title} | {shown(record[name])} |"
            for name, title in TITLES.items()
            if record[name] is not None
        ]
        if record["states"] is None:
            lines += ["| states | too many to be listed |"]
        if record["options"]:
            options = ", ".join(f"`{name}={value}`" for name, value in record["options"].items())
            lines += [f"| options | {options} |"]
        lines += [""]
    return "\n".join(lines)


def actions(record: dict) -> str:
    names = record["action_names"]
    listed = f": {', '.join(names)}" if names and len(names) <= 8 else ""
    return f"{record['actions']}{listed}"


def shown(x: float) -> str:
    return f"{x:,}" if isinstance(x, int) else f"{x:.6g}".replace("-", "−")


def index(figures: dict) -> str:
    lines = [
        "# Environments",
        "",
        "Every figure was computed by the solvers from the same description that is stepped:",
        "`python docs/gallery.py` makes this page, and the tests compare it with the solvers.",
        "",
        "*optimum*: the best expected return without a time limit, at the problem's own discount.",
        "*within its limit*: the best undiscounted return within the time limit, as agents are graded. In",
        "partially observable environments both are those of an agent that remembers what it saw, and",
        "*without memory* is the best known policy that acts on the present observation alone. *random*: the",
        "uniformly random policy over legal actions, within the time limit where there is one. Some figures",
        "are for options that the page of the id names, since the whole is too large; a few ids are too",
        "large for any.",
        "",
        "Every id also accepts `sticky` (probability that the last action is repeated), `reward_noise`",
        "(added or subtracted, each half the time), `reward_delay` (steps between payments) and",
        "`time_aware` (a time limit that is part of the observation); those that observe a single number or",
        "array accept `frame_stack` (how many observations are seen together), and those that observe a",
        "single number `observation_noise` (probability of a random one).",
        "",
        "Rooms and games show indicators, 0 or 1, as bytes in `Box(0, 1, shape, uint8)`, which other",
        "programs take; with `multi_binary=True` they are int8 in Gymnasium's `MultiBinary(shape)`, which",
        "TorchRL and the frame stack of Stable-Baselines3 do not take. The checker of Stable-Baselines3",
        "warns of the former that they might be pictures; its networks do not read them as such.",
        "",
        "In the games, in Gambler and Inventory, and in Taxi with `masked`, not every action is legal, and",
        "an illegal one is an error. For a program that knows no masks (Stable-Baselines3's own agents,",
        "CleanRL, Tianshou, RLlib and TorchRL without their masks, the `action_space.sample()` of another",
        "vector environment) `illegal` makes every action legal and leaves the mask out. `illegal='random'`",
        "takes a legal action in its place, each equally likely. `illegal='lose'` ends the episode there",
        "with a reward that no policy's return falls below: a game is lost (−1); a table pays its least",
        "reward / (1 − discount), or 0 where no reward is negative, so that Inventory pays −130 and",
        "Gambler nothing. It is refused where negative rewards are not discounted. The optimum stays the",
        "same in both, and the value of random play with `'random'`.",
        "",
        "| id | what it is | states | optimum | within its limit | without memory | random |",
        "|---|---|---|---|---|---|---|",
    ]
    for family, entries in FAMILIES.items():
        for entry in entries:
            if entry.needs:
                continue
            r = figures.get(entry.id) or describe(entry.id)
            bare = entry.id.removeprefix("rlkit/")
            anchor = entry.id.lower().replace("/", "")
            limit = f" ({r['max_episode_steps']})" if r["max_episode_steps"] else ""
            cells = [
                "—" if r[name] is None else shown(r[name])
                for name in ("states", "optimum", "optimum_in_limit", "memoryless", "random")
            ]
            cells[2] += limit if r["optimum_in_limit"] is not None else ""
            lines.append(f"| [`{bare}`]({family}.md#{anchor}) | {entry.summary} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    films = "--films" in sys.argv
    pages = "--pages" in sys.argv
    chosen = [name for name in sys.argv[1:] if not name.startswith("--")] or ids()
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for id in [] if pages else chosen:
        record = describe(id, anew=True)
        figures[record["id"]] = {name: record[name] for name in KEPT}
        print(id, flush=True)
    figures = {id: figures[id] for id in ids() if id in figures}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    (PAGES / "films").mkdir(parents=True, exist_ok=True)
    for id in chosen if films else []:
        shot(id, PAGES / "films" / f"{id.removeprefix('rlkit/')}.gif")
    for family in FAMILIES:
        if FAMILIES[family]:
            (PAGES / f"{family}.md").write_text(page(family))
    (PAGES / "README.md").write_text(index(figures))


if __name__ == "__main__":
    main()
