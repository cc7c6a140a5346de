"""How to train with labels."""

from dataclasses import dataclass, field, fields
from math import inf
from numbers import Integral, Real
from typing import Any

from ckn.bounds import check_products
from ckn.supervised.augmentation import Augmentation
from ckn.supervised.strategies import Alternating, Strategy
from kerneltools.optimisers import Adam, Constant, Optimiser, Schedule, WarmUp
from kerneltools.solvers import Loss, Squared

USUAL_BATCH = 128
"""Images per step, if no number is given and there are as many."""


@dataclass(frozen=True)
class Supervised:
    """How to train: the filters by stochastic gradient steps on the sphere, with a linear head.

    `loss`: Squared (ridge regression), SquaredHinge (one-vs-rest) or CrossEntropy, of `kerneltools.solvers`.
    `reg` > 0: λ of the head, on the weights of features of norm 1. None: for Squared, the λ of least leave-one-out
    error of ridge regression on the features at the start (or the least generalised cross-validation error, if they
    exceed `memory`); for other losses, the multiple of it, up to 10^4, with the least loss on images left out.
    `epochs`: passes over the data; `batch`: images per step, None: 128, or all if there are fewer.
    `rate`: the learning rate. None: several are tried for some steps, and the one is kept that leads to the best
    features of images that those steps did not see. `schedule(epoch)` multiplies it: by default it rises in the first
    epoch, since the head is the best one for the filters at the start, and full steps would leave it far behind.
    `halve`: halve it after an epoch that did not lower the loss.
    `optimiser`: Adam or SGD of `kerneltools.optimisers`; `precondition`: steps in the metric of each layer's
    patches, so that one rate serves all layers (SGD needs it, Adam has a scale for each filter).
    `strategy`: how the head is trained, Alternating, LayerReversal or Joint of `ckn.supervised`.
    `clip_norm`: the greatest norm of a gradient. `augmentation`: random changes of each batch's images.
    `learn_kernels`: train the kernels' parameters too. `memory`: bytes of features that are kept for the exact head; if
    they need more, they are computed anew for each pass over them.
    `products`: "bfloat16" or "float16", the type in which steps multiply patches with filters (mixed precision);
    norms, kernels, inverse square roots and the exact head stay in the images' type.
    `jit`: compile the step, if the library can. `at_once`: images of a batch that go through the network at a
    time, with their gradients added: fewer need less memory. None: on the host as many as make no array of more than 36
    million numbers, elsewhere all.

    Raises ValueError for numbers out of range, TypeError for objects that are no loss, schedule, optimiser, strategy or
    augmentation.

    >>> settings = Supervised(epochs=5, batch=32)
    >>> settings.epochs, settings.batch
    (5, 32)
    """

    loss: Loss = field(default_factory=Squared)
    reg: float | None = None
    epochs: int = 20
    batch: int | None = None
    rate: float | None = None
    schedule: Schedule = field(default_factory=lambda: WarmUp(1.0, Constant()))
    halve: bool = True
    optimiser: Optimiser = field(default_factory=Adam)
    precondition: bool = False
    strategy: Strategy = field(default_factory=Alternating)
    clip_norm: float | None = None
    augmentation: tuple[Augmentation, ...] = ()
    learn_kernels: bool = False
    memory: int = 2 * 2**30
    products: str | None = None
    jit: bool = False
    at_once: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch", 1), ("memory", 0), ("at_once", 1)):
            number = getattr(self, name)
            if name in ("batch", "at_once") and number is None:
                continue
            if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
                raise ValueError(f"{name}: expected an integer >= {least}, got {number!r}")
        self._check_parts()
        check_products(self.products)
        for name in ("reg", "rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Real) and 0 < float(value) < inf):
                raise ValueError(f"{name}: expected a finite number > 0, got {value!r}")

    def batch_of(self, n: int) -> int:
        """How many of n images a step takes."""
        return min(USUAL_BATCH, n) if self.batch is None else self.batch

    def _check_parts(self) -> None:
        kinds = (("loss", Loss), ("schedule", Schedule), ("optimiser", Optimiser), ("strategy", Strategy))
        for name, kind in kinds:
            part = getattr(self, name)
            # A class has all that its instances have.
            if isinstance(part, type) or not isinstance(part, kind):
                raise TypeError(f"{name}: expected an object such as {self._default(name)!r}, got {part!r}")
        steps: Any = self.augmentation
        if not isinstance(steps, tuple) or not all(isinstance(step, Augmentation) for step in steps):
            raise TypeError(f"augmentation: expected a tuple such as (Flip(), Crop(4)), got {steps!r}")

    def _default(self, name: str) -> Any:
        (made,) = (f.default_factory for f in fields(self) if f.name == name)
        return made() if callable(made) else None
