"""Supervised training: accuracy on digits, seconds a step, and what an inexact gradient costs.

    python benchmarks/supervised.py digits
    python benchmarks/supervised.py step --threads 2
    python benchmarks/supervised.py precision cifar10_sub.npz
    python benchmarks/supervised.py strategies cifar10_sub.npz --rows 5000 --epochs 4
    python benchmarks/supervised.py rule cifar10_sub.npz --rows 10000 --seeds 3 --epochs 5

`digits`: the network `small`, trained from its unsupervised filters on 80 % of each class of scikit-learn's digits,
drawn with the seed; the accuracy on the others, before and after. `step`: forward, gradient and update for a batch of
random images of 32x32x3 with PyTorch, the median of a few after two to warm up, with `ckn.keep_freed_memory()`, as
`ckn train` has it, beside the layers' products alone: convolutions and matrix products with their gradients, in turn
with the steps. `strategies`: what becomes of the head, for one network, the same unsupervised filters and learning
rate; the accuracy, epoch by epoch, on 2,000 training rows that were left out, and seconds of the processor. `rule`:
[64, 256] filters on whitened CIFAR-10 rows, from the same unsupervised filters with the same rate, by three inverse
square roots:

    ours    (K + ε)^(-1/2) with its gradient
    right   V diag(1 / (√e + ε)) V' with its gradient
    wrong   the same with -V [(V' G V) / (s_i s_j (s_i + s_j))] V' for s = √e + ε, a common slip: s_i + s_j should be
            √e_i + √e_j

Prints the test accuracies and, over the seeds, the mean of the paired differences with its 95 % interval (Student).
"""

import argparse
import importlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import ckn
from ckn.model import preprocess
from ckn.preprocessing import Scale, Whiten
from ckn.readers import read
from ckn.supervised.data import Data
from ckn.supervised.parameters import spheres
from ckn.supervised.state import TrainingState
from ckn.supervised.strategies import Alternating, Joint, LayerReversal
from ckn.supervised.trainer import Trainer, quality_of, zero_head
from ckn.training import split
from kerneltools import backend
from kerneltools.arrays import namespace
from kerneltools.backend import custom_vjp
from kerneltools.solvers import CrossEntropy, Squared, SquaredHinge

BATCH = 128
LEFT_OUT = 2000
HEADS = {"hinge": SquaredHinge, "softmax": CrossEntropy, "ridge": Squared}


def digits(args: argparse.Namespace) -> None:
    """The accuracy on digits, before and after the labels."""
    parts = split(read("digits"), "digits", args.seed)
    images, held_out = parts.train.images / 16, parts.test.images / 16
    settings = ckn.Supervised(HEADS[args.head](), reg=args.reg, epochs=args.epochs, rate=args.rate)
    for name, supervised in (("unsupervised", False), ("supervised", settings)):
        started = time.perf_counter()
        classifier = ckn.ImageClassifier(supervised=supervised, random_state=args.seed)
        classifier.fit(images, parts.train.labels)
        seconds = time.perf_counter() - started
        accuracy = classifier.score(held_out, parts.test.labels)
        print(f"{name:<13} λ {classifier.reg_:.1e}  test accuracy {accuracy:.4f}  {seconds:6.1f} s")
    rate = chosen_rate(classifier.training_, settings)
    print(f"digits, {len(images)} training and {len(held_out)} test images, seed {args.seed}")
    print(f"{args.head} head, learning rate {rate:g}, {args.epochs} epochs")


def chosen_rate(state: ckn.TrainingState, settings: ckn.Supervised) -> float:
    """The learning rate of a training, without the schedule."""
    return state.history[0].rate / settings.schedule(0.5)


def precision(args: argparse.Namespace) -> None:
    """What bfloat16 products change: features and gradients on some images, the accuracy on digits."""
    like = backend("torch").asarray([0.0], dtype="float32")
    images = preprocess((Scale(255.0), Whiten()), read(args.data).images[:BATCH], like)
    data = Data(images, backend("torch").asarray(np.arange(BATCH) % 10), 10, args.seed)
    for name in args.architectures:
        network = ckn.fit_unsupervised(ckn.architectures[name], images, rng=args.seed, patches=20_000)
        head = zero_head(network, data)
        weights = np.random.default_rng(args.seed).standard_normal(tuple(head.weights.shape))
        head = replace(head, weights=backend("torch").asarray(weights, dtype="float32"))
        found = []
        for products in (None, "bfloat16"):
            trainer = Trainer(data, ckn.Supervised(reg=1e-5, products=products, strategy=Joint()), network, ())
            params = trainer.parameters(TrainingState(network, head, None, ()))
            _, gradient = backend("torch").value_and_grad(trainer.objective)(params, images, data.targets)
            found.append((trainer.features(params, images), *gradient.filters))
        shares = [float((b - a).norm() / a.norm()) for a, b in zip(*found, strict=True)]
        layers = "  ".join(f"gradient {i} {share:.1e}" for i, share in enumerate(shares[1:], start=1))
        print(f"{name:<14} relative error: features {shares[0]:.1e}  {layers}")
    parts = split(read("digits"), "digits", args.seed)
    for products in (None, "bfloat16"):
        settings = ckn.Supervised(epochs=args.epochs, products=products)
        classifier = ckn.ImageClassifier(supervised=settings, random_state=args.seed, backend="torch")
        classifier.fit(parts.train.images / 16, parts.train.labels)
        accuracy = classifier.score(parts.test.images / 16, parts.test.labels)
        print(f"digits, products in {products or 'float32'}: test accuracy {accuracy:.4f}")


def step(args: argparse.Namespace) -> None:
    """The seconds of one step."""
    kept = not args.fresh_memory and ckn.keep_freed_memory()
    import torch

    torch.set_num_threads(args.threads)
    for name in args.architectures:
        seconds, products = _steps(name, args)
        low, high, floor = min(seconds), max(seconds), statistics.median(products)
        median = statistics.median(seconds)
        print(
            f"{name:<14} {median:.3f} s a step ({low:.3f} to {high:.3f}), products alone {floor:.3f} s: "
            f"{median / floor:.2f} times as long"
        )
    where = f"{args.threads} threads" if args.device is None else torch.cuda.get_device_name(args.device)
    print(
        f"batch {args.batch}, products in {args.products or 'float32'}, torch {torch.__version__}, {where}, "
        f"{'kept' if kept else 'fresh'} memory, median of {args.repeats}"
    )


def _steps(name: str, args: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Seconds of steps, and of the products in them."""
    torch = backend("torch")
    rng = np.random.default_rng(0)
    images = torch.asarray(rng.random((args.batch, 32, 32, 3)).astype(np.float32), device=args.device)
    network = ckn.fit_unsupervised(ckn.architectures[name], images, rng=0, patches=2000)
    numbers = torch.asarray(np.arange(args.batch) % 10, device=args.device)
    data = Data(images, numbers, 10, 0)
    trainer = Trainer(data, ckn.Supervised(reg=1e-5, products=args.products), network, spheres(network))
    params = trainer.parameters(TrainingState(network, zero_head(network, data), None, trainer.spaces))
    optimiser = trainer.settings.optimiser.start(params)
    products = _products(network, images, args.products)
    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(args.repeats + 2):
        started = time.perf_counter()
        params, optimiser, _ = trainer.step(params, optimiser, images, data.targets, 1e-3)
        torch.synchronize(images)
        between = time.perf_counter()
        products()
        torch.synchronize(images)
        seconds[0].append(between - started)
        seconds[1].append(time.perf_counter() - between)
    return seconds[0][2:], seconds[1][2:]


def _products(network: ckn.Network, images: Any, narrow: str | None) -> Callable[[], None]:
    """The convolutions and products of the layers on random maps, with their gradients (none of the images)."""
    import torch
    from torch.nn.functional import conv2d

    grid, dtype, number = images.shape[1:-1], getattr(torch, narrow or "float32"), len(images)
    work: list[tuple[Any, Any, int]] = []

    def maps(channels: int, **kind: Any) -> Any:
        return torch.rand(number, *grid, channels, device=images.device, **kind).movedim(-1, 1)

    for layer in network.bare_layers:
        m, patch, _, c = layer.filters.shape
        filters = layer.filters.to(dtype).movedim(-1, 1).detach().requires_grad_()
        work.append((maps(c, dtype=dtype).requires_grad_(bool(work)), filters, patch // 2))
        grid = layer.output_shape(tuple(grid))
        work.append((maps(m).requires_grad_(), torch.rand(m, m, 1, 1, device=images.device, requires_grad=True), 0))

    def run() -> None:
        for x, filters, padding in work:
            found = conv2d(x, filters, None, 1, padding)
            torch.autograd.grad(found, [array for array in (x, filters) if array.requires_grad], found.detach())

    return run


def strategies(args: argparse.Namespace) -> None:
    """The accuracy on rows left out, epoch by epoch, of each way with the head."""
    data, like = read(args.data), backend("torch").asarray([0.0], dtype="float32")
    images = preprocess((Scale(255.0), Whiten()), data.images[: args.rows + LEFT_OUT], like)
    train, left_out = slice(0, args.rows), slice(args.rows, args.rows + LEFT_OUT)
    network = ckn.fit_unsupervised(ckn.architectures[args.architecture], images[train], rng=args.seed, patches=50_000)
    for strategy in (Alternating(), LayerReversal(), Joint()):
        settings = ckn.Supervised(epochs=args.epochs, rate=args.rate, strategy=strategy)
        started = time.process_time()
        state = ckn.fit_supervised(
            network,
            images[train],
            data.labels[train],
            10,
            args.seed,
            settings,
            validation=(images[left_out], data.labels[left_out]),
        )
        accuracies = "  ".join(f"{report.validation_accuracy:.4f}" for report in state.history)
        name = type(strategy).__name__
        print(f"{name:<14} {accuracies}  {time.process_time() - started:6.0f} s", flush=True)
    print(
        f"{args.architecture}, {args.rows} whitened rows of {Path(args.data).name}, "
        f"learning rate {args.rate:g}, seed {args.seed}"
    )


def _root(sums: Callable[[Any, Any, float], Any]) -> Callable[[Any, float], Any]:
    """V diag(1 / (√e + ε)) V', whose backward pass divides by these sums of roots."""

    def parts(matrix: Any, epsilon: float) -> tuple[Any, Any, Any]:
        xp = namespace(matrix)
        eigenvalues, vectors = xp.linalg.eigh(matrix)
        roots = xp.sqrt(xp.clip(eigenvalues, min=1e-12))
        return roots, roots + epsilon, vectors

    def root(matrix: Any, epsilon: float) -> Any:
        def forward(k: Any) -> Any:
            _, shifted, v = parts(k, epsilon)
            return (v / shifted[None, :]) @ namespace(k).matrix_transpose(v)

        def backward(cotangent: Any, value: Any, k: Any) -> tuple[Any]:
            roots, shifted, v = parts(k, epsilon)
            v_t = namespace(k).matrix_transpose(v)
            factor = 1 / (shifted[:, None] * shifted[None, :] * sums(roots, shifted, epsilon))
            return (-v @ ((v_t @ cotangent @ v) * factor) @ v_t,)

        wide = namespace(matrix).astype(matrix, namespace(matrix).float64)
        return namespace(matrix).astype(custom_vjp(forward, backward)(wide), matrix.dtype)

    return root


RULES = {
    "ours": None,
    "right": _root(lambda roots, shifted, epsilon: roots[:, None] + roots[None, :]),
    "wrong": _root(lambda roots, shifted, epsilon: shifted[:, None] + shifted[None, :]),
}


@contextmanager
def replaced_root(name: str) -> Iterator[None]:
    """Layers take this inverse square root, for as long as the context lasts."""
    module: Any = importlib.import_module("kerneltools.maps.nystrom")
    own = module.inverse_sqrt
    module.inverse_sqrt = RULES[name] or own
    try:
        yield
    finally:
        module.inverse_sqrt = own


def rule(args: argparse.Namespace) -> None:
    """The accuracy that each gradient leads to."""
    data = read(args.data)
    assert data.test is not None, "the file has no test rows"
    like = backend("torch").asarray([0.0], dtype="float32")
    steps = (Scale(255.0), Whiten())
    train = preprocess(steps, data.images[: args.rows], like)
    test = preprocess(steps, data.test.images[: args.rows], like)
    settings = ckn.Supervised(
        reg=args.reg,
        epochs=args.epochs,
        batch=min(BATCH, len(train)),
        rate=args.rate,
        strategy=Alternating(exact_every=args.epochs),
    )
    found = accuracies(
        ckn.architectures["unsup-64-256"],
        (train, data.labels[: args.rows]),
        (test, data.test.labels[: args.rows]),
        settings,
        rules=args.rules,
        seeds=args.seeds,
        patches=args.patches,
    )
    for name in found.keys() - {"wrong"}:
        mean, half = interval(found[name], found["wrong"])
        print(f"{name} - wrong: {mean:+.4f}, 95 % in [{mean - half:+.4f}, {mean + half:+.4f}], {args.seeds} seeds")
    print(f"{Path(args.data).name}, {len(train)} training and {len(test)} test rows, whitened, {args.epochs} epochs")


def accuracies(
    architecture: ckn.Architecture,
    train: tuple[Any, Any],
    test: tuple[Any, Any],
    settings: ckn.Supervised,
    *,
    rules: Sequence[str],
    seeds: int,
    patches: int,
) -> dict[str, list[float]]:
    """The test accuracy of each rule from the same filters with the same rate, for each seed."""
    found: dict[str, list[float]] = {name: [] for name in rules}
    for seed in range(seeds):
        network = ckn.fit_unsupervised(architecture, train[0], rng=seed, patches=patches)
        chosen = settings
        for name in rules:
            with replaced_root(name):
                state = ckn.fit_supervised(network, *train, 10, rng=seed, settings=chosen)
                found[name].append(quality_of(state, *test))
            # The rate that the first chose is everyone's.
            chosen = replace(settings, rate=chosen_rate(state, settings))
            first, *_, last = state.history
            print(
                f"seed {seed}  {name:<6} rate {chosen.rate:g}  loss {first.loss:.3f} to {last.loss:.3f}  "
                f"training accuracy {last.train_accuracy:.4f}  test accuracy {found[name][-1]:.4f}",
                flush=True,
            )
    return found


def interval(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """The mean of the paired differences, and half the width of its 95 % interval (Student); infinite for one pair."""
    from scipy.stats import t

    differences = [a - b for a, b in zip(one, other, strict=True)]
    k, mean = len(differences), statistics.mean(differences)
    return mean, float("inf") if k < 2 else t.ppf(0.975, k - 1) * statistics.stdev(differences) / k**0.5


def main() -> None:
    """Read the arguments and run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    of_digits = commands.add_parser("digits")
    of_digits.add_argument("--seed", type=int, default=0)
    of_digits.add_argument("--epochs", type=int, default=10)
    of_digits.add_argument("--head", choices=list(HEADS), default="ridge")
    of_digits.add_argument("--reg", type=float, default=None, help="λ [default: by leave-one-out]")
    of_digits.add_argument("--rate", type=float, default=None, help="learning rate [default: tried]")
    of_precision = commands.add_parser("precision")
    of_precision.add_argument("data")
    of_precision.add_argument("--seed", type=int, default=0)
    of_precision.add_argument("--epochs", type=int, default=10)
    of_precision.add_argument("--architectures", nargs="+", default=["ckn-5", "unsup-64-256"])
    of_step = commands.add_parser("step")
    of_step.add_argument("--threads", type=int, default=2)
    of_step.add_argument("--repeats", type=int, default=10)
    of_step.add_argument("--batch", type=int, default=BATCH)
    of_step.add_argument("--device", default=None, help="such as cuda:0 [default: the host]")
    of_step.add_argument("--fresh-memory", action="store_true", help="give freed memory back, as C libraries do")
    of_step.add_argument("--products", choices=["bfloat16", "float16"], default=None)
    of_step.add_argument("--architectures", nargs="+", default=["ckn-5", "unsup-64-256"])
    of_strategies = commands.add_parser("strategies")
    of_strategies.add_argument("data")
    of_strategies.add_argument("--architecture", default="ckn-5")
    of_strategies.add_argument("--rows", type=int, default=5000)
    of_strategies.add_argument("--epochs", type=int, default=4)
    of_strategies.add_argument("--rate", type=float, default=3e-3)
    of_strategies.add_argument("--seed", type=int, default=0)
    of_rule = commands.add_parser("rule")
    of_rule.add_argument("data")
    of_rule.add_argument("--rows", type=int, default=10_000)
    of_rule.add_argument("--seeds", type=int, default=3)
    of_rule.add_argument("--epochs", type=int, default=5)
    of_rule.add_argument("--rules", nargs="+", choices=list(RULES), default=list(RULES), help="ours comes first")
    of_rule.add_argument("--patches", type=int, default=100_000)
    of_rule.add_argument("--rate", type=float, default=None, help="learning rate [default: tried, for each seed]")
    of_rule.add_argument("--reg", type=float, default=None, help="λ [default: by leave-one-out]")
    parsers = (of_digits, of_precision, of_step, of_strategies, of_rule)
    for command, run in zip(parsers, (digits, precision, step, strategies, rule), strict=True):
        command.set_defaults(run=run)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
