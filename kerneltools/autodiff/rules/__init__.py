"""The tables of derivatives: one entry for each function of the array API standard."""

from kerneltools.autodiff.rules import elementwise, linear_algebra, products, reductions, shaping

__all__ = ["COMPOSITES", "CONSTANTS", "REFUSED", "RULES"]

# Functions with a derivative rule of their own.
RULES = elementwise.RULES | reductions.RULES | shaping.RULES | products.RULES | linear_algebra.RULES

# Functions written with functions that have one.
COMPOSITES = (
    elementwise.COMPOSITES
    | reductions.COMPOSITES
    | shaping.COMPOSITES
    | products.COMPOSITES
    | linear_algebra.COMPOSITES
)

# Functions whose derivative is zero or without meaning: they take the values and give constants.
CONSTANTS = frozenset(
    [
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
        *("isfinite", "isinf", "isnan", "signbit", "isin", "all", "any", "nonzero", "count_nonzero"),
        *("logical_and", "logical_not", "logical_or", "logical_xor"),
        *("bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor"),
        *("ceil", "floor", "floor_divide", "round", "sign", "trunc", "imag"),
        *("argmax", "argmin", "argsort", "searchsorted", "linalg.matrix_rank"),
        *("empty_like", "ones_like", "zeros_like"),
        *("broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type", "__array_namespace_info__"),
    ]
)

_CREATION = "an array cannot be made out of a traced number; multiply a constant array by it instead"
_UNIQUE = "the result's size depends on the values; use kerneltools.autodiff.stop_gradient(x)"
_NO_RULE = "no rule for it"

# Functions that have a derivative, or may hide one, but no rule here: traced arrays are refused.
REFUSED = {
    **dict.fromkeys(("arange", "linspace", "empty", "eye", "full", "ones", "zeros", "from_dlpack"), _CREATION),
    **dict.fromkeys(("unique_all", "unique_counts", "unique_inverse", "unique_values"), _UNIQUE),
    **dict.fromkeys(("nextafter", "linalg.cross", "linalg.matrix_power", "linalg.pinv"), _NO_RULE),
    **dict.fromkeys(("linalg.eig", "linalg.eigvals"), "eigenvalues of a general matrix are complex"),
    **dict.fromkeys(("fft.fft", "fft.ifft", "fft.fftn", "fft.ifftn", "fft.rfft", "fft.irfft"), _NO_RULE),
    **dict.fromkeys(("fft.rfftn", "fft.irfftn", "fft.hfft", "fft.ihfft", "fft.fftshift", "fft.ifftshift"), _NO_RULE),
    **dict.fromkeys(("fft.fftfreq", "fft.rfftfreq"), _CREATION),
}
