"""An environment whose every transition is known, lived into a replay memory."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rlkit.experience.priorities import Priorities
from rlkit.experience.replay import Replay
from rlkit.experience.stepper import Step
from rlkit.nn import Backbone, EpsilonGreedy

GAMMA = 0.5
LENGTHS = ((4, 7), (1, 3, 11))  # of the episodes of each environment, over and over; every second one is cut


class Transition(NamedTuple):
    """What happened once; observations are unique numbers, so that they tell where and when."""

    obs: int
    action: int
    reward: float
    discount: float
    next_obs: int
    goes_on: bool  # the next transition of the record follows on this one


@dataclass
class World:
    """Two environments that write what they do into a replay memory and into a record.

    After an episode's end the one with `late` starts only takes a turn to begin anew, as NEXT_STEP does.
    """

    replay: Replay
    backbone: Backbone | None = None
    late: bool = True
    record: list[list[Transition]] = field(default_factory=lambda: [[], []])
    features: dict[int, Tensor] = field(default_factory=dict)  # [F] of each observation, as it was met

    def __post_init__(self) -> None:
        self.obs, self.reset, self.ended = [0, 1000], [True, True], [False, False]
        self.episode, self.time = [0, 0], [0, 0]
        self.state = () if self.backbone is None else self.backbone.initial_state(2)

    def read(self, obs: list[int], reset: list[bool], *, keep: bool) -> Any:
        """Let the backbone read; its next state, which counts only if `keep`."""
        if self.backbone is None:
            return ()
        with torch.no_grad():
            x, state = self.backbone(embed(torch.tensor(obs)), self.state, torch.tensor(reset))
        self.features |= dict(zip(obs, x, strict=True))
        if keep:
            self.state = state
        return state

    def turn(self, *, drop: tuple[bool, bool] = (False, False)) -> None:
        """All environments step once; what is dropped is lived, but not to be learned from."""
        before, reset, state = list(self.obs), list(self.reset), self.state
        self.read(before, reset, keep=True)
        valid = [not ended for ended in self.ended]
        done, discount = [False, False], [1.0, 1.0]
        following = [obs + 1 for obs in before]
        for b in range(2):
            if not valid[b]:
                continue
            self.time[b] += 1
            length = LENGTHS[b][self.episode[b] % len(LENGTHS[b])]
            done[b] = self.time[b] == length
            discount[b] = 1.0 - (done[b] and self.episode[b] % 2 == 0)
        after, self.reset = list(following), [False, False]
        for b in range(2):
            begins = (self.ended[b] and self.late) or (done[b] and not (self.late and b == 1))
            if done[b]:
                self.episode[b] += 1
                self.time[b] = 0
            self.reset[b] = begins
            after[b] = following[b] + 1 if begins and valid[b] else following[b]
            self.ended[b] = done[b] and not begins
        action = [obs % 3 for obs in before]
        reward = [obs % 7 + 1.0 for obs in before]
        if any(done):  # the final observations, with the state of their own episode
            self.read(following, [False, False], keep=False)
        for b in range(2):
            if not valid[b]:
                continue
            if drop[b]:
                if self.record[b]:
                    self.record[b][-1] = self.record[b][-1]._replace(goes_on=False)
                continue
            self.record[b].append(
                Transition(before[b], action[b], reward[b], discount[b], following[b], not done[b])
            )
        step = Step(
            torch.tensor(following),
            legal(torch.tensor(following)),
            torch.tensor(reward),
            torch.tensor(discount),
            torch.tensor(done),
            torch.tensor(valid),
        )
        self.replay.add(
            obs=torch.tensor(before),
            mask=legal(torch.tensor(before)),
            reset=torch.tensor(reset),
            state=state,
            action=torch.tensor(action),
            step=step,
            learn=torch.tensor(valid) & ~torch.tensor(drop),
        )
        self.obs = after

    def turns(self, n: int, *, dropped: tuple[int, ...] = ()) -> "World":
        for t in range(n):
            self.turn(drop=(t in dropped, t in dropped))
        return self


def legal(obs: Tensor) -> Tensor:
    """A mask that differs from one observation to the next."""
    return torch.arange(3) != obs[:, None] % 3


def embed(obs: Tensor) -> Tensor:
    """Numbers as vectors, [...] -> [..., 4]."""
    return torch.sin(obs[..., None].float() * torch.tensor([0.7, 1.1, 1.9, 0.3]))


def world(
    capacity: int = 60,
    *,
    backbone: Backbone | None = None,
    stride: int = 1,
    span: int = 1,
    alpha: float = 0.0,
) -> World:
    obs = torch.tensor([0, 1000])
    stepper: Any = SimpleNamespace(num_envs=2, obs=obs, mask=legal(obs))
    state = () if backbone is None else backbone.initial_state(2)
    replay = Replay(capacity, stepper=stepper, head=EpsilonGreedy(3), state=state, stride=stride, span=span)
    if alpha:
        replay.prioritise(alpha)
    return World(replay, backbone)


def priorities(w: World) -> Priorities:
    assert w.replay.priorities is not None
    return w.replay.priorities


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
