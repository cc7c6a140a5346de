"""Convolutional kernel networks."""
