"""The CuPy plugin of kerneltools. Its gradients come from the tape, kerneltools.autodiff.

Not run: no number of this plugin has been computed on a CUDA device so far. Checked without one: that it is
imported, found and follows the protocol, its errors where there is no device, and the names it takes from CuPy.

cuSOLVER (eigh, cholesky, solve, svd) tells of a failure only when it is asked, and CuPy does not ask unless
told to: wrong numbers come back in silence. So importing this plugin calls `cupyx.seterr(linalg="raise")`: a
failed factorisation is then numpy.linalg.LinAlgError, at the price of waiting for each one. CuPy holds that
setting for each thread; another thread that computes calls it too.
"""

import cupyx

from kerneltools_cupy.plugin import BACKEND, CupyBackend

cupyx.seterr(linalg="raise")

__all__ = ["BACKEND", "CupyBackend"]
