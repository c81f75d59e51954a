"""Films of episodes: by a trained agent, by the optimal policy, or at random."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow, ImageDraw, ImageFont

from rlkit.agents import Agent
from rlkit.core import NoExactModel
from rlkit.core.enumerate import keys
from rlkit.envs.adapters.gym import ModelEnv, action_mask, time_limit
from rlkit.envs.adapters.one_of_batch import OneOfBatch
from rlkit.envs.foreign import action_names, seed_of, table_of
from rlkit.envs.registry import make, resolve
from rlkit.envs.rendering.sheet import INK, PAPER, QUIET
from rlkit.errors import FAILURES, RlkitError, blame, none_of, one_line
from rlkit.experience.environments import CPU
from rlkit.plain import short
from rlkit.registry import RegistryError
from rlkit.run import checkpoint
from rlkit.solvers import solve
from rlkit.storage import put, staged

Image = npt.NDArray[np.uint8]
Act = Callable[[Any, dict[str, Any], bool], Any]  # observation, info and whether an episode begins -> action

POLICIES = ("optimal", "random")
HASTE = 1 - 1e-7  # a discount that breaks ties in favour of the sooner reward
PLANNED = 20_000_000  # states times steps up to which a plan with a time limit is made
LINE, SMALL = 22, 12  # pixels: height of a line of the caption, size of the letters that name the player
LONGEST = 1000  # steps of an episode up to which it is shown
NO_PICTURES = "it does not render rgb_array"
MOST_LETTERS = 20  # of an action's name below a picture
FPS = 4  # pictures a second, where the environment has no render_fps
FASTEST = 50  # pictures a second of a GIF; viewers slow down faster ones


class FilmError(RlkitError, ValueError):
    """The film cannot be made; the message says why."""


def make_film(
    what: str,
    out: Path,
    *,
    policy: str | None = None,
    episodes: int = 1,
    seed: int = 0,
    fps: int | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    trust_env: str | Sequence[str] = (),
) -> int:
    """Film the agent of a run folder, or an environment id under a policy; returns the number of pictures.

    The policy is "optimal", the default, or "random". Without `fps` the film is as fast as `render_fps` of
    the environment, or 4 pictures a second. Raises `FilmError` if there is neither such a run nor such an
    environment, for an unknown policy or suffix, for a policy with a run, and if the environment fails or
    does not render; `NoExactModel` if no optimum is known.
    """
    options = dict(env_kwargs or {})
    if Path(what).is_dir():
        if policy is not None:
            raise FilmError(f"policy {policy!r} does not apply: {what} is a run, which has its own")
        agent = checkpoint.load(Path(what), env_kwargs=options, trust_env=trust_env)
        id = agent.source.check()
        env = _played_by(agent, id)
        seen = ", as the agent sees it" if isinstance(env, OneOfBatch) else ""
        act, player = agent_policy(agent, env), f"{agent.name}, {agent.steps:,} steps{seen}"
    else:
        policy = policy or "optimal"
        try:
            id = resolve(what)
        except RegistryError as error:
            raise FilmError(f"there is no run folder {what}, and {error}") from None
        env = _made(id, options)
        if policy not in POLICIES:
            raise FilmError(none_of("policy", policy, POLICIES))
        try:
            act = optimal_policy(env) if policy == "optimal" else random_policy(env, seed)
        except NoExactModel as error:
            advice = "film the run folder of a trained agent, or use --policy random"
            raise NoExactModel(f"{error}; {advice}") from error
        base = env.unwrapped
        hidden = policy == "optimal" and isinstance(base, ModelEnv) and base.model.partially_observable
        player = f"{policy} play{', sees the state' if hidden else ''}"
    fps = fps or int(env.metadata.get("render_fps") or FPS)
    with _told(id):
        pictures = film(env, act, episodes=episodes, seed=seed, player=player, hold=fps)
    env.close()
    write(pictures, out, fps=fps)
    return len(pictures)


@contextmanager
def _told(id: str) -> Iterator[None]:
    """Turn whatever the environment raises into one FilmError that names it."""
    try:
        yield
    except RlkitError:
        raise
    except FAILURES as error:
        clear = isinstance(error, gym.error.Error | NotImplementedError)
        raise FilmError(f"{id} cannot be filmed: {one_line(error) if clear else blame(error)}") from error


def _made(id: str, options: Mapping[str, Any]) -> gym.Env[Any, Any]:
    """The environment, ready to be filmed."""
    with _told(id):
        env = make(id, **options)
        base = env.unwrapped
        if isinstance(base, ModelEnv):  # of which a user's own registration may take no render_mode
            base.render_mode = "rgb_array"
            return env
        env.close()
        if "rgb_array" not in (env.metadata.get("render_modes") or ()):
            raise NotImplementedError(NO_PICTURES)
        return make(id, render_mode="rgb_array", **options)


def _played_by(agent: Agent, id: str) -> gym.Env[Any, Any]:
    """The environment of an id, or one of its batch where only batches have the agent's spaces."""
    try:
        env = _made(id, agent.env_kwargs)
        agent.source.compare(env.observation_space, env.action_space, id)
    except RlkitError:
        if gym.spec(id.rpartition(":")[2]).vector_entry_point is None:
            raise
        return OneOfBatch(agent.source.make(1, CPU, graded=True))
    return env


def _picture(env: gym.Env[Any, Any]) -> Image:
    """What `env` looks like now; NotImplementedError if it does not render."""
    picture: Any = None
    with suppress(NotImplementedError):
        picture = env.render()
    if not isinstance(picture, np.ndarray) or picture.ndim != 3:
        raise NotImplementedError(NO_PICTURES)
    return picture


def random_policy(env: gym.Env[Any, Any], seed: int) -> Act:
    """Choose uniformly among the legal actions."""
    env.action_space.seed(seed)
    return lambda observation, info, begins: env.action_space.sample(action_mask(env, info))


def optimal_policy(env: gym.Env[Any, Any]) -> Act:
    """Follow the exact solution, which sees the state; raises `NoExactModel` where there is none."""
    base: Any = env.unwrapped
    limit = time_limit(env)
    mdp = base.mdp() if isinstance(base, ModelEnv) else table_of(env)
    planned = limit is not None and limit * mdp.n_states <= PLANNED
    if mdp.reward_decay and not planned:
        if mdp.n_transitions > mdp.n_choices:
            raise NoExactModel(f"a plan of {limit} steps for {mdp.n_states:,} states is too large")
        mdp = mdp.with_reward_decay(0.0)  # without chance, who earns most earns soonest
    gamma = HASTE if planned else None
    solution = solve(mdp, horizon=limit if planned else None, gamma=gamma)
    plan = itertools.repeat(solution.choice) if solution.plan is None else solution.plan
    marks = keys(base.states()) if isinstance(base, ModelEnv) else range(mdp.n_states)
    number = {mark: i for i, mark in enumerate(marks)}
    steps: Iterator[Any] = iter(())

    def act(observation: Any, info: dict[str, Any], begins: bool) -> int:
        nonlocal steps
        steps = iter(plan) if begins else steps
        mark = keys(base.state)[0] if isinstance(base, ModelEnv) else int(base.s)
        return int(mdp.action[next(steps)[number[mark]]])

    return act


def agent_policy(agent: Agent, env: gym.Env[Any, Any]) -> Act:
    """The agent's greedy choice, with its memory."""
    state: Any = None

    def act(observation: Any, info: dict[str, Any], begins: bool) -> Any:
        nonlocal state
        action, state = agent.act(observation, None if begins else state, mask=action_mask(env, info))
        return action

    return act


def film(
    env: gym.Env[Any, Any],
    act: Act,
    *,
    episodes: int = 1,
    seed: int = 0,
    width: int | None = None,
    player: str = "",
    hold: int = FPS,
    longest: int = LONGEST,
) -> list[Image]:
    """Pictures of whole episodes, `width` pixels wide, captioned with action, return and player.

    The last picture of an episode is held `hold` times; an episode longer than `longest` steps is cut.
    """
    pictures: list[Image] = []
    for episode in range(episodes):
        observation, info = env.reset(seed=seed_of(seed, env) if episode == 0 else None)
        pictures.append(_captioned(_picture(env), "start", player, width))
        over, begins, earned = False, True, 0.0
        for step in range(1, longest + 1):
            action = act(observation, info, begins)
            observation, reward, terminated, truncated, info = env.step(action)
            begins, over, earned = False, terminated or truncated, earned + float(reward)
            cut = "  cut" if step == longest else ""
            end = "  end" if terminated else "  time limit" if truncated else cut
            words = f"{step}  {_name(env, action)}  return {earned:,.6g}{end}"
            pictures += [_captioned(_picture(env), words, player, width)] * (hold if over else 1)
            if over:
                break
    return _same_size(pictures)


def write(pictures: Sequence[Image], path: Path, *, fps: int = FPS) -> None:
    """Write pictures as .gif or .mp4, in one step; a GIF of more than 50 a second drops some.

    Raises `FilmError` for another suffix or a missing encoder.
    """
    with staged(path) as unfinished:
        if path.suffix == ".gif":
            every = -(-fps // FASTEST)
            first, *rest = (
                Pillow.fromarray(p).quantize(colors=128, method=Pillow.Quantize.FASTOCTREE)
                for p in [*pictures[:-1:every], pictures[-1]]
            )
            pause = 1000 * every // fps
            first.save(unfinished, save_all=True, append_images=rest, duration=pause, loop=0, optimize=True)
        elif path.suffix == ".mp4":
            try:
                import imageio_ffmpeg
            except ImportError:
                raise FilmError(".mp4 needs an encoder: pip install 'rlkit-suite[video]'") from None
            height, width = (size - size % 2 for size in pictures[0].shape[:2])
            writer = imageio_ffmpeg.write_frames(
                str(unfinished), (width, height), fps=fps, macro_block_size=2
            )
            writer.send(None)
            for picture in pictures:
                writer.send(np.ascontiguousarray(picture[:height, :width]))
            writer.close()
            if b"moov" not in unfinished.read_bytes():  # the index, which is written last
                raise FilmError(f"{path}: the encoder failed; is there space left?")
        else:
            raise FilmError(f"{path} must end in .gif or .mp4")
        put(unfinished, path)


def _captioned(picture: Any, words: str, player: str, width: int | None) -> Image:
    drawn = Pillow.fromarray(picture)
    if width is not None:
        height = round(drawn.height * width / drawn.width)
        drawn = drawn.resize((width, height), Pillow.Resampling.LANCZOS)
    strip = Pillow.new("RGB", (drawn.width, 2 * LINE), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.text((8, 4), words, fill=INK, font=ImageFont.load_default(size=14))
    draw.text((8, LINE + 2), player, fill=QUIET, font=ImageFont.load_default(size=SMALL))
    return np.concatenate([np.asarray(drawn), np.asarray(strip)])


def _same_size(pictures: list[Image]) -> list[Image]:
    height, width = (max(p.shape[axis] for p in pictures) for axis in (0, 1))
    padded = []
    for p in pictures:
        canvas = np.full((height, width, 3), PAPER, dtype=np.uint8)
        canvas[: p.shape[0], : p.shape[1]] = p
        padded.append(canvas)
    return padded


def _name(env: gym.Env[Any, Any], action: Any) -> str:
    base: Any = env.unwrapped
    if isinstance(base, ModelEnv):
        names, number = base.model.action_names, base.last_action
    else:
        names, number = action_names(env), action
    return short(str(action) if names is None or number is None else names[int(number)], MOST_LETTERS)
