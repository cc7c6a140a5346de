"""The memory of the process, and how libraries report that there is none left."""

import ctypes
import os
import platform

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Settings of mallopt (3): how much may lie free at the top of the heap (-1: any), and how many arrays are mapped."""


def keep_freed_memory() -> bool:
    """Keep the memory that this process frees for its next arrays; False if the C library is not glibc.

    A step of training on the host makes large arrays and frees them. By default glibc hands their memory back, and the
    system fills new pages with zeros each time: with PyTorch a quarter of the step (docs/decisions/0014). The process
    then keeps the most memory that it ever needed, and this cannot be undone. PyTorch, if it is not imported yet, also
    asks for large pages, unless THP_MEM_ALLOC_ENABLE is set. `ckn train` does all this for supervised training with
    PyTorch on the host; NumPy and JAX gained nothing.

    >>> keep_freed_memory() in (True, False)
    True
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(MMAP_MAX, 0), mallopt(TRIM_THRESHOLD, -1)])


NO_ROOM = ("out of memory", "outofmemory", "allocate memory", "resource_exhausted")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the machine or its accelerator has no room: libraries have their own errors for it.

    >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("CUDA out of memory.")), out_of_memory(ValueError())
    (True, True, False)
    """
    told = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(word in told for word in NO_ROOM))
