"""The CuPy plugin of kerneltools. Its gradients come from the tape, kerneltools.autodiff.

Not run: no number of this plugin has been computed on a CUDA device so far. Tested without one: that it is imported,
found and follows the protocol, its errors if there is no device, and the names it uses from CuPy.

cuSOLVER (eigh, cholesky, solve, svd) reports a failure only on request, and by default CuPy does not ask: it silently
returns wrong numbers. Importing this plugin therefore calls `cupyx.seterr(linalg="raise")`: a failed factorisation then
raises numpy.linalg.LinAlgError, at the price of waiting for each one. CuPy keeps this setting for each thread; other
threads that compute must call it too.
"""

import cupyx

from kerneltools_cupy.plugin import BACKEND, CupyBackend

cupyx.seterr(linalg="raise")

__all__ = ["BACKEND", "CupyBackend"]
