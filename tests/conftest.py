"""What all tests share: JAX's settings, hypothesis without deadlines."""

import os

# JAX reads these once, when it is first imported. float64 is what the libraries are compared in;
# `make test-gpu` sets JAX_PLATFORMS itself.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# scikit-learn's checks of its array-API face are skipped without it; SciPy reads it once.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

from hypothesis import settings

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
