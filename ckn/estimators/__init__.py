"""The scikit-learn face of convolutional kernel networks, for each kind of data."""
