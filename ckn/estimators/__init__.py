"""Convolutional kernel networks as estimators for scikit-learn, one module for each kind of data."""
