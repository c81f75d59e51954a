"""Work on a GPU that is launched as one: captured in a CUDA graph, and replayed.

A replay does again, on the same memory, what the device was asked to do at the capture. Python is not run: a
number that it had then stays, and what it would rebind is written where the capture began.
"""

import gc
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import torch

from rlkit.errors import UnsupportedError, one_line
from rlkit.trees import flat, nested

T = TypeVar("T")


class Owner(Protocol):
    """What a computation belongs to."""

    def state_dict(self) -> dict[str, Any]:
        """The tensors that change with it and are rebound, in a tree."""

    def load_state_dict(self, saved: dict[str, Any]) -> Any:
        """Continue with these in place of those of `state_dict`."""


class Captured(Generic[T]):
    """A function that is run at the first call, so that libraries get ready, and replayed from then on.

    What it reads and rebinds is the state of `owner`; it may draw from `generator`. Its result lies
    in memory that the next call writes. Raises UnsupportedError if it cannot be captured: if it looks at
    a number of the device, or brings one there.
    """

    def __init__(self, function: Callable[[], T], owner: Owner, generator: torch.Generator) -> None:
        self.function, self.owner, self.generator = function, owner, generator
        self.has_run = False
        self.replay: Callable[[], None] | None = None

    def __call__(self) -> T:
        """What the function gives."""
        if not self.has_run:
            self.has_run = True
            return self.function()
        if self.replay is None:
            self.memory = {name: x.clone() for name, x in flat(self.owner.state_dict()).items()}
            self.owner.load_state_dict(nested(self.memory))
            try:
                self.replay, self.result = capture(self._run, self.generator)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:  # of the capture's end, where something before made it fail
                why = one_line(error.__context__ or error)
                raise UnsupportedError(
                    f"this training cannot be captured in a CUDA graph, set capture=false: {why}"
                ) from error
        else:
            self._write()
        self.owner.load_state_dict(nested(self.memory))
        self.replay()
        return self.result

    def _run(self) -> T:
        result = self.function()
        self._write()
        return result

    def _write(self) -> None:
        tensors = flat(self.owner.state_dict())
        for name, x in self.memory.items():
            if tensors[name] is not x:
                x.copy_(tensors[name])


def capture(function: Callable[[], T], generator: torch.Generator) -> tuple[Callable[[], None], T]:
    """What replays the function, and where its result then lies."""
    gc.collect()  # freeing an old graph during the capture would abort it
    with torch.cuda.device(generator.device), torch.cuda.stream(torch.cuda.current_stream(generator.device)):
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=torch.cuda.Stream()):
            result = function()
    return graph.replay, result
