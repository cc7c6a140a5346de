"""Solvers of learning problems on features."""

from kerneltools.solvers.ridge import LinearModel, RidgePath, ridge, ridge_path

__all__ = ["LinearModel", "RidgePath", "ridge", "ridge_path"]
