"""What a type checker tells a user: arrays go in and come out, and none becomes Any on its way."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
USER = """
import jax
import numpy as np
import numpy.typing as npt
import torch

import ckn
from kerneltools import maps, structures
from kerneltools.kernels import Exponential, Gaussian, Linear, Matern
from kerneltools.solvers import KernelModel, LinearModel


def use(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float64], tensor: torch.Tensor, array: jax.Array,
    phi: maps.Nystrom, any_map: maps.Map, model: LinearModel, kernel_model: KernelModel, network: ckn.Network,
    layer: ckn.Layer,
) -> None:
    reveal_type(x)
    reveal_type(tensor)
    reveal_type(array)
    reveal_type(phi(x))
    reveal_type(any_map(x))
    reveal_type(phi.residual(x))
    reveal_type(model(x))
    reveal_type(kernel_model(x, block=100))
    reveal_type(network(x))
    reveal_type(layer(x))
    reveal_type(network.encode(x, batch=10))
    reveal_type(Gaussian(1.0)(x, y))
    reveal_type(Linear()(x, x))
    reveal_type(Matern(1.5, 1.0).diag(x))
    reveal_type(phi(tensor))
    reveal_type(Exponential(1.0)(tensor, tensor))
    reveal_type(model(array))


def objects(strings: structures.Strings, phi: maps.Nystrom, model: KernelModel) -> None:
    phi(strings)
    phi.residual(strings)
    model(strings)
"""


def test_arrays_come_out_as_they_went_in(tmp_path: Path) -> None:
    user = tmp_path / "user.py"
    user.write_text(USER)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(user)]
    path = os.environ | {"MYPYPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])}
    found = subprocess.run(command, cwd=ROOT, env=path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    numpy, torch, jax, *results = re.findall(r'Revealed type is "(.*)"', found.stdout)
    assert [name.partition(".")[0] for name in (numpy, torch, jax)] == ["numpy", "torch", "jax"]
    assert results == [numpy] * 11 + [torch] * 2 + [jax]
