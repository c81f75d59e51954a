"""Work on a GPU that is launched as one: captured in a CUDA graph, and replayed.

A replay does again, on the same memory, what the device was asked to do at the capture. Python is not run: a
number that it had then stays, and what it would bind anew is written where the capture began.
"""

import gc
from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

from rlkit.errors import UnsupportedError, one_line

T = TypeVar("T")
Held: TypeAlias = dict[str, Tensor]


class Owner(Protocol):
    """What a computation belongs to."""

    generator: torch.Generator

    def held(self) -> Held:
        """The tensors that change with it and are bound anew, by name."""

    def hold(self, tensors: Held) -> None:
        """Go on with these in place of `held`."""


class Captured(Generic[T]):
    """A function that is run at the first call, so that libraries get ready, and replayed from then on.

    What it goes on from and binds anew is what `owner` holds, whose generator it may draw from. Its result
    lies in memory that the next call writes. Raises UnsupportedError if it cannot be captured: if it looks at
    a number of the device, or brings one there.
    """

    def __init__(self, function: Callable[[], T], owner: Owner) -> None:
        self.function, self.owner = function, owner
        self.has_run = False
        self.replay: Callable[[], None] | None = None

    def __call__(self) -> T:
        """What the function gives."""
        if not self.has_run:
            self.has_run = True
            return self.function()
        if self.replay is None:
            self.memory = {name: x.clone() for name, x in self.owner.held().items()}
            self.owner.hold(self.memory)
            try:
                self.replay, self.result = capture(self._run, self.owner.generator)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:  # of the capture's end, where something before made it fail
                why = one_line(error.__context__ or error)
                raise UnsupportedError(
                    f"this training cannot be captured in a CUDA graph, set capture=false: {why}"
                ) from error
        else:
            self._write(self.owner.held())
        self.owner.hold(self.memory)
        self.replay()
        return self.result

    def _run(self) -> T:
        result = self.function()
        self._write(self.owner.held())
        return result

    def _write(self, tensors: Held) -> None:
        for name, x in self.memory.items():
            if tensors[name] is not x:
                x.copy_(tensors[name])


def capture(function: Callable[[], T], generator: torch.Generator) -> tuple[Callable[[], None], T]:
    """What replays the function, and where its result then lies."""
    gc.collect()  # a graph that nobody needs, if it went during the capture, would end it
    with torch.cuda.device(generator.device), torch.cuda.stream(torch.cuda.current_stream(generator.device)):
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=torch.cuda.Stream()):
            result = function()
    return graph.replay, result
