"""Colours of nodes, refined by those of their neighbours: 64-bit hashes that mean the same for all graphs."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kerneltools.kernels.counting import CountingKernel, mixed
from kerneltools.structures import Graphs
from kerneltools.structures.base import Collection, Host

# Digits of π, so that a colour, a neighbour's colour and an edge's label have hashes of their own.
NODE, NEIGHBOUR, EDGE, ROUND = (
    np.uint64(digits) for digits in (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89)
)


class GraphCounting(CountingKernel):
    """A kernel that counts features of graphs."""

    @property
    def structure(self) -> type[Collection]:
        return Graphs

    def load(self, x: Any) -> Host:
        return x.sizes


def labels_of(x: Graphs) -> Host:
    """The label of each node, 0 if graphs have no labels: (N,)"""
    return np.zeros(int(x.offsets[-1]), dtype=np.int64) if x.labels is None else x.labels


def hashed(values: Host, salt: Any) -> Host:
    """Integers as hashes; hashes of different salts are unrelated."""
    # Mixed before, for whole numbers and salts that are small: 2 and salt 0 are not 0 and salt 2.
    return mixed(mixed(values.view(np.uint64)) ^ salt)


def colours(x: Graphs, iterations: int) -> Iterator[Host]:
    """The colours of all nodes, (N,) int64, first by labels, then `iterations` times by those of their neighbours.

    Two colours of one round are equal if the nodes' colours of the round before are equal, and so are the multisets of
    the neighbours' colours with the labels of the edges to them (Shervashidze et al. 2011); others are equal with a
    probability of 2^-64. A neighbour is a node that an arc leads to.
    """
    ends: Host = np.searchsorted(x.edges[:, 0], np.arange(int(x.offsets[-1]) + 1))
    now = hashed(labels_of(x), NODE)
    yield now.view(np.int64)
    for _ in range(iterations):
        heard = hashed(now, NEIGHBOUR)[x.edges[:, 1]]
        if x.edge_labels is not None:
            heard = mixed(heard + hashed(x.edge_labels, EDGE))
        # Sums of hashes name a multiset, whatever its order; modulo 2^64, differences of running sums are exact.
        running = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(heard)])
        now = mixed(hashed(now, NODE) + running[ends[1:]] - running[ends[:-1]])
        yield now.view(np.int64)
