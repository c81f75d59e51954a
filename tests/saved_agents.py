"""Saved agents as tests look into them, and as somebody would write them who wants to do harm."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from rlkit.agents import storage


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
        storage.write(saved, tensors, {k: v for k, v in meta.items() if k != "tensors"})
        meta["tensors"] = json.loads((saved / storage.META).read_text())["tensors"]
    change(meta)
    (saved / storage.META).write_text(json.dumps({**meta, "sha256": storage._digest_of(meta)}))


def whole(saved: Path) -> tuple[bytes, bytes]:
    """All that was saved."""
    return tensors_of(saved).read_bytes(), (saved / storage.META).read_bytes()
