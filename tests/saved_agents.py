"""Saved agents as tests look into them, and as somebody would write them who wants to do harm."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from rlkit import storage
from rlkit.trees import flat, nested


def tensors_of(saved: Path) -> Path:
    """The file of tensors of a saved agent."""
    (file,) = saved.glob("tensors-*.safetensors")
    return file


def forge(
    saved: Path, change: Callable[[dict[str, Any]], Any], tensors: dict[str, Tensor] | None = None
) -> None:
    """Change agent.json, and the tensors if they are given, and set the checksums right again."""
    meta = json.loads((saved / storage.META).read_text())
    del meta["sha256"]
    if tensors is not None:
        state = nested({**flat(meta["state"]), **tensors})
        storage.write(saved, {k: v for k, v in meta.items() if k not in ("tensors", "state")}, state)
        meta["tensors"] = json.loads((saved / storage.META).read_text())["tensors"]
    change(meta)
    (saved / storage.META).write_text(json.dumps({**meta, "sha256": storage._digest_of(meta)}))


def whole(saved: Path) -> tuple[bytes, bytes]:
    """All that was saved."""
    return tensors_of(saved).read_bytes(), (saved / storage.META).read_bytes()


def dies_at(call: int) -> None:
    """From now on the process is killed before the `call`-th call that changes a file."""
    left = [call]

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapped

    for name in ("replace", "fsync", "unlink", "mkdir", "chmod", "rmdir"):
        setattr(os, name, deadly(getattr(os, name)))
    storage.save_file = deadly(storage.save_file)
