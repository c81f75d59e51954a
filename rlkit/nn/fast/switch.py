"""Whether, and from which size on, something other than torch computes; `RLKIT_FAST=0` says never."""

import os
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

FAST = os.environ.get("RLKIT_FAST") != "0"
MANY = 24_576  # numbers, from which on loading compiled loops pays in learning
VERY_MANY = 8 * MANY  # and where nothing is learned


def of_amd(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor is one of AMD's, as far as Linux says."""
    with suppress(OSError), cpuinfo.open() as lines:
        return "AuthenticAMD" in lines.read(200)
    return False


AMD = of_amd()  # where MKL, to which torch leaves products and functions, is slow


def eager_on_cpu(x: Tensor) -> bool:
    """Whether `x` is float32 on a CPU and no compiler of torch is reading along; never if not `FAST`."""
    return FAST and x.device.type == "cpu" and x.dtype == torch.float32 and not torch.compiler.is_compiling()


def for_loops(x: Tensor) -> bool:
    """Whether loops compiled by numba are to compute what is made of `x`: many numbers on a CPU."""
    return x.numel() >= (MANY if torch.is_grad_enabled() else VERY_MANY) and eager_on_cpu(x)
