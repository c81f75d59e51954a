"""What agents with networks share: optimisers, normalisation, dropout, and a watch over gradients."""

from collections.abc import Mapping
from typing import cast

from torch import Tensor

from rlkit import storage
from rlkit.experience.stepper import Stepper, Watched
from rlkit.nn.monitor import GradientMonitor, warnings
from rlkit.nn.normalisation import NormalisingEncoder, Statistics
from rlkit.nn.optimization import Descent

from ..nn import Encoder, resolve
from ..nn.layers import Dropout
from .base import Agent, Metrics
from .config import NeuralConfig


class NeuralAgent(Agent):
    """An agent whose network goes down a loss."""

    config: NeuralConfig
    descents: dict[str, Descent]

    @property
    def threads(self) -> int:
        """As configured."""
        return self.config.threads

    def _prepare(self) -> None:
        super()._prepare()
        for module in self.network.modules():
            if isinstance(module, Dropout):
                module.generator = self.generator
        self.statistics = Statistics(
            self.encoder, gamma=self.config.gamma, rewards=self.config.normalize_reward
        ).to(self.device)
        self.descents = self._descents()
        self.monitor = GradientMonitor(self.network) if self.config.monitor else None

    def _encoder(self) -> Encoder:
        kind = NormalisingEncoder if self.config.normalize_obs else Encoder
        return kind(self.observation_space)

    def _descents(self) -> dict[str, Descent]:
        """What takes the network's parameters down losses, by name."""
        return {"network": Descent(self.network.parameters(), self.config, rate=self.config.learning_rate)}

    def _watched(self, stepper: Stepper) -> Stepper:
        return cast(Stepper, Watched(stepper, self.statistics)) if self.statistics.sees else stepper

    def _learn(self, budget: int) -> Metrics:
        rate = self.config.rate(self.progress)
        for descent in self.descents.values():
            descent.rate = rate
        metrics = self._iterate(budget)
        watched = {} if self.monitor is None else self.monitor.metrics()
        return {**metrics, "learning_rate": rate, **watched}

    def _descend(self, loss: Tensor, name: str = "network") -> Tensor:
        """One step down a loss; the gradient's norm before clipping."""
        return self.descents[name].step(loss)

    def describe(self) -> str:
        """Which network it has, and why."""
        return resolve(self.config.backbone, self.encoder)[1]

    def warnings(self, metrics: Metrics, *, rising: bool = False) -> list[str] | None:
        """What is wrong with the gradients, and how to mend it; None if they are not watched."""
        return None if self.monitor is None else warnings(metrics, rising=rising)

    # Saving

    def _buffers(self) -> dict[str, Tensor]:
        return {"ongoing": self.statistics.ongoing}

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        self.statistics.ongoing.copy_(tensors["ongoing"])

    def parameters(self) -> dict[str, Tensor]:
        """What acting goes by, as named tensors: the network, and how observations are normalised."""
        moments = {k: v for k, v in self.statistics.state_dict().items() if k.startswith("obs.")}
        return super().parameters() | storage.with_prefix("statistics", moments)

    def load_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        """Undo `parameters`."""
        super().load_parameters(tensors)
        self.statistics.load_state_dict(storage.under("statistics", tensors), strict=False)
        self.statistics.update()

    def training_tensors(self) -> dict[str, Tensor]:
        """What learning goes by beside the parameters: moments of the optimisers, statistics of returns."""
        tensors = storage.with_prefix("statistics", self.statistics.state_dict())
        for name, descent in self.descents.items():
            tensors |= storage.with_prefix(f"descent/{name}", descent.state())
        return tensors

    def load_training_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Undo `training_tensors`."""
        self.statistics.load_state_dict(storage.under("statistics", tensors))
        for name, descent in self.descents.items():
            descent.set_state(storage.under(f"descent/{name}", tensors))
