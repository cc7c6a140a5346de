"""The PyTorch plugin of kerneltools, and trees of tensors as modules.

>>> import torch
>>> from kerneltools.kernels import Gaussian
>>> from kerneltools_torch import Module
>>> module = Module(Gaussian(torch.tensor(2.0)))
>>> [name for name, _ in module.named_parameters()]
['bandwidth']
>>> module(torch.zeros(3, 2), torch.ones(4, 2)).shape
torch.Size([3, 4])
"""

import torch

from kerneltools.backend import backend_of
from kerneltools_torch.module import Module
from kerneltools_torch.plugin import BACKEND, TorchBackend

# torch.compile cannot trace the first search for the plugin of a type: the searches are made here.
backend_of(torch.empty(0), torch.nn.Parameter(torch.empty(0)))

__all__ = ["BACKEND", "Module", "TorchBackend"]
