"""The loop of every agent: a budget of environment steps, schedules, evaluations and early stopping."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch

from rlkit.errors import DAMAGE, EnvironmentFault, LoadError, NonFiniteError, NothingLearned, one_line
from rlkit.experience import environments
from rlkit.experience.environments import AnyVectorEnv
from rlkit.experience.experience import Experience, Metrics, StateDict
from rlkit.experience.source import Source
from rlkit.experience.torch_stepper import stepper_for
from rlkit.nn.devices import cpu_threads, keep_freed_memory
from rlkit.trees import cloned

from .config import MAX_NUM_ENVS
from .learner import Learner
from .seeds import stream

OnIteration: TypeAlias = Callable[[Metrics], None]


@dataclass
class EarlyStopping:
    """The highest mean return that evaluations have found, and the policy that earned it (Def 6.17).

    Training has `stopped` after `patience` evaluations in a row without a higher one; never if that is 0.
    """

    patience: int
    best_return: float | None = None
    best_step: int = 0
    waited: int = 0  # evaluations since the best one
    best: StateDict = field(default_factory=dict)

    @property
    def stopped(self) -> bool:
        """Whether the training has been given up."""
        return 0 < self.patience <= self.waited

    def judge(self, mean_return: float, policy: Mapping[str, Any], *, step: int) -> None:
        """Take note of an evaluation, and keep a copy of the policy's state if it is the best so far."""
        if self.best_return is not None and mean_return <= self.best_return:
            self.waited += 1
            return
        self.best_return, self.best_step, self.waited = mean_return, step, 0
        self.best = cloned(policy)

    def state_dict(self) -> StateDict:
        """The best so far, and how long ago that was."""
        return {name: getattr(self, name) for name in ("best_return", "best_step", "waited", "best")}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Undo `state_dict`."""
        score = saved["best_return"]
        self.best_return = None if score is None else float(score)
        self.best_step, self.waited = int(saved["best_step"]), int(saved["waited"])
        self.best = saved.get("best", {})


class Loop:
    """Trains a learner on the experience that it asks for.

    `evaluate` gives the mean return of the present policy, for early stopping. `pending` is what a saved
    training stood in, which is taken up when it resumes, and `place` where it was read.
    """

    def __init__(self, learner: Learner, source: Source, *, evaluate: Callable[[int], float]) -> None:
        self.learner, self.source, self.evaluate = learner, source, evaluate
        self.config, self.clock, self.seed = learner.config, learner.clock, learner.seed
        self.early_stopping = EarlyStopping(self.config.patience)
        self.experience: Experience | None = None
        self.pending: Callable[[], StateDict] | None = None
        self.place = ""

    @property
    def finished(self) -> bool:
        """Whether the present training is over: all its steps are taken, or it was stopped early."""
        return self.clock.steps >= self.clock.horizon or self.early_stopping.stopped

    def run(self, horizon: int, on_iteration: OnIteration, *, anew: bool = False) -> None:
        """Learn until the clock is at `horizon`, or early stopping gives up.

        `anew` it counts evaluations from the start, and is in new episodes of a given environment.
        """
        clock, since = self.clock, self.clock.steps
        experience = self.ready(horizon - since, anew=anew and self.source.given is not None)
        if anew or horizon != clock.horizon:
            self.early_stopping.waited = 0
        clock.horizon = horizon
        keep_freed_memory()
        with cpu_threads(self.learner.threads):
            while not self.finished:
                on_iteration(self._iterate())
        if (why := experience.idle(since)) is not None:
            steps = f"steps {since + 1:,} to {clock.steps:,}"
            warnings.warn(
                f"{self.learner.name} learned nothing in {steps}: {why}", NothingLearned, stacklevel=5
            )

    def _iterate(self) -> Metrics:
        """One iteration, and an evaluation if it is time for one."""
        clock, before, name = self.clock, self.clock.steps, self.learner.name
        try:
            experience = self.ready(clock.horizon - before)
            metrics = self.learner.learn(experience, clock.horizon - before)
        except (EnvironmentFault, NonFiniteError) as error:
            raise type(error)(f"{error}, in the iteration of {name} after step {before}") from error.__cause__
        for key, value in metrics.items():
            if not np.isfinite(value):
                raise NonFiniteError(f"{key} of {name} is {value} at step {clock.steps}")
        every = self.config.evaluate_every
        if every and (clock.steps // every > before // every or self.finished):
            metrics |= self._select()
        return metrics

    def _select(self) -> Metrics:
        """Evaluate, always on the same episodes, and in the end go back to the best policy."""
        early, policy, steps = self.early_stopping, self.learner.policy, self.clock.steps
        found = self.evaluate(stream(self.seed, "selection"))
        early.judge(found, policy.state_dict(), step=steps)
        if self.finished:
            policy.load_state_dict(early.best)
        return {
            "eval_return": found,
            "best_return": early.best_return or 0.0,
            "best_step": early.best_step,
            "stopped_early": float(early.stopped and steps < self.clock.horizon),
        }

    def ready(self, steps: int, *, anew: bool = False) -> Experience:
        """Experience whose environments can take exactly `steps` more, in new episodes if `anew`."""
        if self.pending is not None:
            self._take_up(self.pending())
            self.pending = None
        if self.experience is not None and environments.fits(self.experience.stepper.env, steps):
            if anew or not self.experience.stepper.stands:
                self.experience.restart(stream(self.seed, "environment", self.clock.steps))
            return self.experience
        env = self.source.given
        if env is None:
            env = self.source.make_for_steps(self.config.num_envs, steps=steps, device=self.learner.device)
        environments.check_fits(env, steps)
        return self._step_in(env, use="environment")

    def _step_in(self, env: AnyVectorEnv, *, use: str) -> Experience:
        seed = stream(self.seed, use, self.clock.steps)
        stepper = stepper_for(env, self.learner.policy.encoder, seed=seed, device=self.learner.device)
        self.experience = self.learner.experience(stepper)
        return self.experience

    # Saving

    def state_dict(self) -> StateDict:
        """How far the training is."""
        clock, early = self.clock, self.early_stopping
        return {"steps": clock.steps, "horizon": clock.horizon, "early_stopping": early.state_dict()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Undo `state_dict`."""
        self.clock.steps, self.clock.horizon = saved["steps"], saved["horizon"]
        self.early_stopping.load_state_dict(saved["early_stopping"])

    def standing(self) -> StateDict | None:
        """Where the training stands, if it has begun: episodes, buffers, the number of environments."""
        if self.pending is not None:
            return self.pending()
        if self.experience is None:
            return None
        stepper = self.experience.stepper
        counts = {"episodes": stepper.episodes, "finished": [list(x) for x in stepper.finished]}
        return {"num_envs": stepper.num_envs, **counts, **self.experience.state_dict()}

    def _take_up(self, saved: StateDict) -> None:
        """Stand where the training stood: in the same steps of the same episodes, with the same buffers.

        A warning says what starts over: episodes where the environment cannot give its state, and all of it
        on another number of environments. LoadError says what is damaged.
        """
        try:
            before = self.check(saved)
        except DAMAGE as error:
            raise LoadError(f"{self.place} is damaged: {one_line(error)}") from None
        number = min(before, self.config.num_envs)
        env = self.source.given or self.source.make(number, self.learner.device)
        experience = self._step_in(env, use="resume")
        stepper = experience.stepper
        if env.num_envs != before:
            self._warn(f"{before} environments are now {env.num_envs}; their episodes and buffers")
            return
        try:
            stepper.recount(saved["finished"], saved["episodes"])
            if not experience.load_state_dict(saved):
                self._warn(f"the checkpoint has no state of {self.source.env_id or env}; its episodes")
            experience.interrupted()  # where loading started new episodes
        except DAMAGE as error:
            self.experience = None
            raise LoadError(f"{self.place} is damaged: {one_line(error)}") from None

    def check(self, standing: Mapping[str, Any]) -> int:
        """In how many environments a saved training stood; ValueError for none, or other observations."""
        number: int = standing["num_envs"]
        if not 1 <= number <= MAX_NUM_ENVS:
            raise ValueError(f"num_envs must be from 1 to {MAX_NUM_ENVS}, not {number}")
        obs = torch.as_tensor(standing["stepper"]["obs"]).numpy(force=True)
        self.learner.policy.encoder.check_packed(obs, number)
        return number

    def _warn(self, what: str) -> None:
        warnings.warn(
            f"{what} start over at step {self.clock.steps}, unlike in a training that was never interrupted",
            stacklevel=2,
        )
