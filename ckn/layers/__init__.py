"""Layers of networks: on grids, and on parts of objects."""
