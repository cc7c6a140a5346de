"""Parts of sequences, graphs and sets against numbers of other implementations (data/README.md)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckn import Network, PartLayer
from ckn.layers.embedding import Vectors
from ckn.layers.gapped import GappedLayer, PreparedGappedLayer
from ckn.layers.laid import Runs
from ckn.layers.parts import PreparedPartLayer
from ckn.layers.transport import TransportPool
from kerneltools import backend
from kerneltools.arrays import Array, namespace
from kerneltools.backend import custom_vjp, stop_gradient, to_host
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import (
    Averaged,
    FirstNorm,
    GappedKernel,
    GappedMax,
    GappedMean,
    GaussianWindow,
    Multiplied,
    PartKernel,
    PartMax,
    PartMean,
    PartPool,
    PartSum,
    Paths,
    ProductOfNorms,
    Subsequences,
    Windows,
)
from kerneltools.structures import Graphs, Ragged
from kerneltools.transport import transport_plan, transport_pool
from tests.strict import assert_close, to_strict

DATA = Path(__file__).parent / "data"
SHIFT = 0.01


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"structured_{name}.npz") as file:
        return dict(file)


EXACT, GCKN, CKN, RKN, OTKE = (golden(name) for name in ("exact_grads", "gckn", "ckn1d", "rkn", "otke"))


# The published layers add 0.01 to the roots of the eigenvalues: another function than ours (decision 0003), for which
# this has the exact gradient. D_ij = -1 / (s_i s_j (r_i + r_j)) for the roots r, and s = r + 0.01.
def _root(gram: Array) -> Array:
    xp = namespace(gram)
    values, vectors = xp.linalg.eigh(gram)
    shifted = xp.sqrt(xp.clip(values, min=0.0)) + SHIFT
    return (vectors / shifted) @ xp.matrix_transpose(vectors)


def _pulled(cotangent: Array, output: Array, gram: Array) -> tuple[Array]:
    xp = namespace(gram)
    values, vectors = xp.linalg.eigh(gram)
    root = xp.sqrt(xp.clip(values, min=0.0))
    shifted, symmetric = root + SHIFT, (cotangent + xp.matrix_transpose(cotangent)) / 2
    turned = xp.matrix_transpose(vectors) @ symmetric @ vectors
    slope = -1 / (shifted[:, None] * shifted[None, :] * (root[:, None] + root[None, :]))
    return (vectors @ (slope * turned) @ xp.matrix_transpose(vectors),)


inverse_root = custom_vjp(_root, _pulled)

LIBRARIES = ("numpy", "torch", "jax")


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    return backend(request.param)


def differentiated(
    library: Any, f: Callable[..., Array], cotangent: np.ndarray, *arrays: np.ndarray
) -> tuple[Any, list[Any]]:
    """f of arrays of the library, and the gradient of its inner product with the cotangent in each, on the host."""
    held = [library.asarray(np.ascontiguousarray(array), dtype=_float64(library)) for array in arrays]
    weights = library.asarray(np.ascontiguousarray(cotangent), dtype=_float64(library))

    def loss(arguments: tuple[Array, ...]) -> Array:
        value = f(*arguments)
        return namespace(value, weights).sum(value * weights)

    _, gradients = library.value_and_grad(loss)(tuple(held))
    return to_host(f(*held)), [to_host(gradient) for gradient in gradients]


def _float64(library: Any) -> Any:
    if library.name == "jax":
        jax = pytest.importorskip("jax", reason="jax is not installed")
        if not jax.config.jax_enable_x64:
            pytest.skip("JAX without its 64-bit mode has no float64")
    return library.namespace.float64


class TestPaths:
    """Graph networks: a layer of paths of three nodes."""

    graphs = Graphs(np.concatenate([[0], np.cumsum(GCKN["n_nodes"])]), GCKN["edge_index"].T)
    kernel = PartKernel(Exponential(0.8), Averaged(), FirstNorm())

    @pytest.mark.parametrize("size", [1, 2, 3])
    def test_all_paths_are_found(self, size: int) -> None:
        assert np.array_equal(Paths(size)(self.graphs).index, GCKN[f"paths{size}"])

    def layer(self, features: Array, filters: Array, pool: PartPool, size: int = 3) -> Array:
        parts = Paths(size)(self.graphs)
        return pool(self.kernel(features, parts.index, filters), parts) @ inverse_root(self.kernel.gram(filters))

    @pytest.mark.parametrize("kind", ["real", "onehot"])
    @pytest.mark.parametrize("pool", [PartSum(), PartMean(), PartMax()], ids=["sum", "mean", "max"])
    def test_layer(self, pool: Any, kind: str) -> None:
        case = f"last__{type(pool).__name__[4:].lower()}__{kind}__"
        features = GCKN["features" if kind == "real" else "features_onehot"]
        got = self.layer(features, _filters_first(GCKN[case + "W1"]), pool)
        assert_close(got, GCKN[case + "layer1"][:, 0, :], 1e-10)

    @pytest.mark.parametrize("pool", [PartSum(), PartMean(), PartMax()], ids=["sum", "mean", "max"])
    def test_network_and_its_gradient(self, pool: Any, library: Any) -> None:
        case, nodes = f"last__{type(pool).__name__[4:].lower()}__real__", len(GCKN["features"])
        like = library.asarray(np.zeros((nodes, 4)), dtype=_float64(library))
        graphs = Graphs(self.graphs.offsets, self.graphs.edges, attributes=like)

        def network(features: Array, first: Array, second: Array) -> Array:
            """Of paths of one, two and three nodes; the published numbers are of those of three, the last channel."""
            layers = (
                PartLayer(first, self.kernel, Paths(3), pool, lengths=True),
                PartLayer(second, self.kernel, Paths(1), PartSum()),
            )
            grams = [[self.kernel.gram(first[:, : j + 1, :]) for j in range(3)], [self.kernel.gram(second)]]
            roots = [[inverse_root(gram) for gram in each] for each in grams]
            whitenings = (namespace(first).stack(roots[0]), roots[1][0])
            prepared = tuple(map(PreparedPartLayer, layers, whitenings))
            whole = Network(prepared, Vectors(4, of_graphs=True), PartSum())
            laid = whole.laid(graphs)
            items = namespace(features).concat([features, laid.items[nodes:, :]], axis=0)
            return whole(replace(laid, items=items))

        first = _filters_first(GCKN[case + "W1"])
        second = self.kernel.normalised(_filters_first(GCKN["W2_raw"]))
        cotangent = np.concatenate([np.zeros((3, 10)), GCKN[case + "cot"]], axis=1)
        got, gradients = differentiated(library, network, cotangent, GCKN["features"], first, second)
        assert_close(got[:, 10:], GCKN[case + "graph"], 1e-10)
        names = ("grad_features", "grad_W1", "grad_W2")
        wanted = [EXACT[f"gckn/{case}{name}"] for name in names]
        assert_close(gradients[0], wanted[0], 1e-9)
        assert_close(gradients[1], _filters_first(wanted[1]), 1e-9)
        assert_close(gradients[2], _filters_first(wanted[2]), 1e-9)
        for size in (1, 2):
            assert_close(got[:, 5 * size - 5 : 5 * size], self.by_hand(size, pool, first, second), 1e-10)

    @staticmethod
    def by_hand(size: int, pool: PartPool, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Path by path, with the published tables of paths of `size` nodes."""
        features, paths = GCKN["features"], GCKN[f"paths{size}"]
        how = {"sum": np.sum, "mean": np.mean, "max": np.max}[type(pool).__name__[4:].lower()]
        units = features / np.linalg.norm(features, axis=1, keepdims=True)

        def kappa(cosine: Any) -> Any:
            return np.exp((cosine - 1) / 0.64)

        of_nodes = np.zeros((len(features), 5))
        for node in range(len(features)):
            mine = [np.mean([first[:, j, :] @ units[p[j]] for j in range(size)], axis=0) for p in paths if p[0] == node]
            if mine:
                of_nodes[node] = np.linalg.norm(features[node]) * how([kappa(one) for one in mine], axis=0)
        gram = kappa(np.mean([first[:, j, :] @ first[:, j, :].T for j in range(size)], axis=0))
        of_nodes = of_nodes @ _root(gram)
        norms = np.linalg.norm(of_nodes, axis=1, keepdims=True)
        cosines = of_nodes @ second[:, 0, :].T / np.where(norms > 0, norms, 1)
        of_nodes = norms * kappa(cosines) @ _root(kappa(second[:, 0, :] @ second[:, 0, :].T))
        starts = np.cumsum(GCKN["n_nodes"])[:-1]
        return np.stack([each.sum(axis=0) for each in np.split(of_nodes, starts)])


def _filters_first(filters: np.ndarray) -> np.ndarray:
    """(k, m, d) -> (m, k, d)"""
    return filters.transpose(1, 0, 2)


class TestWindows:
    """Sequence networks: windows of four letters."""

    x = CKN["x"].transpose(0, 2, 1)
    filters = CKN["weight_normalized"].transpose(0, 2, 1)
    kernel = PartKernel(Exponential(0.6))
    # Where it is blank, the published layer takes 0.01 for the norm of a window, and we 0 (decision 0004).
    shown = np.lib.stride_tricks.sliding_window_view(np.any(x != 0, axis=2), 4, axis=1).any(axis=2)

    def test_response(self) -> None:
        whole = Ragged.of_padded(self.x)
        got = self.kernel(whole.values, Windows(4)(whole).index, self.filters).reshape(3, 14, 5)
        assert 0 < (~self.shown).sum() < 5
        assert_close(got[self.shown], CKN["s1__conv"].transpose(0, 2, 1)[self.shown], 1e-10)
        assert (got[~self.shown] == 0).all()

    def test_windows_that_hang_over_the_end(self) -> None:
        lengths = CKN["true_lengths"]
        cut = Ragged.of_padded(self.x, np.arange(17) < lengths[:, None])
        parts = Windows(4, partial=True)(cut)
        got = self.kernel(cut.values, parts.index, self.filters)
        counts = np.minimum(lengths, 14)
        starts = parts.offsets[:-1]
        for i, count in enumerate(counts):
            wanted = CKN["s1__conv"][i].T[:count]
            assert_close(got[starts[i] : starts[i] + count], wanted, 1e-10)

    def test_layer_and_its_gradient(self, library: Any) -> None:
        whole = Ragged.of_padded(self.x)
        index, shown = Windows(4)(whole).index, self.shown

        def layer(x: Array, filters: Array) -> Array:
            return self.kernel(x, index, filters) @ inverse_root(self.kernel.gram(filters))

        blank = CKN["s1__cot"].transpose(0, 2, 1) * ~shown[:, :, None]
        cotangent = CKN["s1__cot"].transpose(0, 2, 1) - blank
        got, gradients = differentiated(library, layer, cotangent.reshape(-1, 5), whole.values, self.filters)
        assert_close(got.reshape(3, 14, 5)[shown], CKN["s1__out"].transpose(0, 2, 1)[shown], 1e-10)
        # What blank windows give there, 0.01 κ(0) W, hangs on the filters by W alone.
        constant = SHIFT * np.exp(-1 / 0.36) * np.ones((5, 1))
        of_blank = np.tile(blank.reshape(-1, 5).sum(axis=0), (1, 1))
        _, (rest,) = differentiated(
            library, lambda z: _row(constant, z) @ inverse_root(self.kernel.gram(z)), of_blank, self.filters
        )
        wanted = EXACT["ckn1d/s1__grad_weight"].transpose(0, 2, 1)
        assert_close(gradients[1] + rest, wanted, 1e-9)
        wanted = EXACT["ckn1d/s1__grad_x"].transpose(0, 2, 1)
        # Blank windows have a slope there, of 0.01 κ(<z, p> / 0.01).
        away = np.stack([np.convolve(~row, np.ones(4)) == 0 for row in shown])
        assert_close(gradients[0].reshape(3, 17, 4)[away], wanted[away], 1e-9)

    @pytest.mark.parametrize("s", [2, 3])
    def test_network_with_pooled_positions_and_its_gradient(self, s: int, library: Any) -> None:
        case, pool = f"s{s}__", GaussianWindow(s)
        assert_close(np.asarray(pool.weights), CKN[case + "pool_filter"], 1e-12)
        like = library.asarray(self.x, dtype=_float64(library))
        whole = Ragged.of_padded(like)

        def layer(filters: Array) -> PreparedPartLayer:
            root = inverse_root(self.kernel.gram(filters))
            return PreparedPartLayer(PartLayer(filters, self.kernel, Windows(4), pool), root)

        laid = Network((layer(library.asarray(self.filters, dtype=like.dtype)),), Vectors(4), PartMean()).laid(whole)

        def outputs(x: Array, filters: Array) -> Array:
            items = namespace(x).concat([x, laid.items[51:, :]], axis=0)
            return layer(filters)(items, laid.tables[0])[: 3 * -(-14 // s), :]

        # What blank windows give there, 0.01 κ(0), goes into the positions around them.
        apart = np.arange(14)[None, :] - s * np.arange(-(-14 // s))[:, None]
        weights = np.where(np.abs(apart) < s, np.take(CKN[case + "pool_filter"], apart + s - 1, mode="clip"), 0.0)
        constant = SHIFT * np.exp(-1 / 0.36) * np.ones((5, 1))
        blank = (~self.shown @ weights.T).reshape(-1, 1)
        cotangent = CKN[case + "cot"].transpose(0, 2, 1).reshape(-1, 5)
        got, gradients = differentiated(library, outputs, cotangent, self.x.reshape(51, 4), self.filters)
        root = _root(self.kernel.gram(self.filters))
        assert_close(got + blank * (constant.T @ root), CKN[case + "out"].transpose(0, 2, 1).reshape(-1, 5), 1e-10)
        _, (rest,) = differentiated(
            library,
            lambda z: _row(constant, z) @ inverse_root(self.kernel.gram(z)),
            (blank * cotangent).sum(axis=0, keepdims=True),
            self.filters,
        )
        assert_close(gradients[1] + rest, EXACT[f"ckn1d/{case}grad_weight"].transpose(0, 2, 1), 1e-9)
        away = np.stack([np.convolve(~row, np.ones(4)) == 0 for row in self.shown])
        wanted = EXACT[f"ckn1d/{case}grad_x"].transpose(0, 2, 1)
        assert_close(gradients[0].reshape(3, 17, 4)[away], wanted[away], 1e-9)

    @pytest.mark.parametrize("s", [1, 2, 3])
    @pytest.mark.parametrize("readout", [PartMean(), PartMax()], ids=["mean", "max"])
    def test_features_of_networks(self, readout: Any, s: int) -> None:
        shown = self.shown.all(axis=1)
        root = inverse_root(self.kernel.gram(self.filters))
        layer = PreparedPartLayer(PartLayer(self.filters, self.kernel, Windows(4), GaussianWindow(s)), root)
        got = Network((layer,), Vectors(4), readout)(Ragged.of_padded(self.x[shown]))
        assert_close(got, CKN[f"s{s}__global_{type(readout).__name__[4:].lower()}"][shown], 1e-10)


def _row(column: np.ndarray, like: Array) -> Array:
    xp = namespace(like)
    return xp.asarray(column.T, dtype=like.dtype)


class TestGaps:
    """Recurrent kernel networks: three letters with gaps."""

    @pytest.mark.parametrize(("case", "gap"), [("mean_la", 0.5), ("mean_la_lam0", 0.0), ("max_la", 0.3)])
    @pytest.mark.parametrize(("name", "kind"), [*((name, "x") for name in LIBRARIES), ("numpy", "x_onehot")], ids=str)
    def test_layer_and_its_gradient(self, case: str, gap: float, kind: str, name: str) -> None:
        library = backend(name)
        name, x = f"{case}__{kind}__", Ragged.of_padded(*_padded(kind))

        def layer(items: Array, filters: Array, decay: Array) -> Array:
            pool = GappedMax() if case == "max_la" else GappedMean()
            bare = GappedLayer(filters, GappedKernel(_profile(3), decay[0]), pool)
            root = inverse_root(bare.kernel.gram(filters))
            table, _ = bare.lay(x, stop_gradient(filters))
            xp = namespace(items)
            return PreparedGappedLayer(bare, root)(xp.concat([items, 0 * items[:1, :]], axis=0), table)[:4, :]

        filters = RKN[name + "weight_normalized"]
        got, gradients = differentiated(library, layer, RKN[name + "cot"], x.values, filters, np.asarray([gap]))
        assert_close(got, RKN[name + "out"], 1e-10)
        wanted = Ragged.of_padded(EXACT[f"rkn/{name}grad_x"].transpose(1, 0, 2), _padded(kind)[1])
        assert_close(gradients[0], wanted.values, 1e-9)
        assert_close(gradients[1], EXACT[f"rkn/{name}grad_weight"], 1e-9)
        assert_close(gradients[2], EXACT[f"rkn/{name}grad_gap"], 1e-9)

    def test_all_subsequences_are_those_of_the_published_layer(self) -> None:
        x, filters = Ragged.of_padded(*_padded("x")), RKN["mean_la__x__weight_normalized"]
        parts = Subsequences(3, 0.5)(x)
        kernel = PartKernel(_profile(3), Multiplied(), ProductOfNorms())
        table = PartSum()(kernel(x.values, parts.index, filters), parts)
        assert_close(table, RKN["brute_mean_la_unprojected"], 1e-10)


def _padded(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """(n, T, d), and where there is an item: (n, T)"""
    return RKN[kind].transpose(1, 0, 2), np.arange(9) < RKN["lengths"][:, None]


def _profile(k: int) -> Exponential:
    return Exponential(0.6 * float(np.sqrt(k)))


SETTINGS: dict[str, Any] = {"eps": 0.5, "iterations": 30}


class TestTransport:
    """Pooling of sets by transport to references."""

    case = "eps0.5_it30__nomask__"

    def test_plan(self) -> None:
        plan = transport_plan(OTKE["x"], OTKE["weight"], **SETTINGS)
        assert_close(plan.transpose(0, 3, 1, 2), OTKE[self.case + "attn"], 1e-10)

    def test_pool_and_its_gradient(self, library: Any) -> None:
        sets = Ragged.of_padded(OTKE["x"])

        def readout(items: Array, references: Array) -> Array:
            pool = TransportPool(references, **SETTINGS)
            table = pool.lay(Runs(sets.offsets), stop_gradient(references))
            xp = namespace(items)
            return pool(xp.concat([items, 0 * items[:1, :]], axis=0), table)[:3, :]

        cotangent = OTKE[self.case + "cot"].reshape(3, -1)
        got, gradients = differentiated(library, readout, cotangent, sets.values, OTKE["weight"])
        assert_close(got.reshape(3, 4, 10), OTKE[self.case + "out"], 1e-10)
        assert_close(gradients[0].reshape(3, 8, 5), OTKE[self.case + "grad_x"], 1e-9)
        assert_close(gradients[1], OTKE[self.case + "grad_weight"], 1e-9)

    def test_by_the_standard_alone(self) -> None:
        got = transport_pool(to_strict(OTKE["x"]), to_strict(OTKE["weight"]), OTKE["mask"], **SETTINGS)
        assert_close(np.asarray(got), transport_pool(OTKE["x"], OTKE["weight"], OTKE["mask"], **SETTINGS), 1e-12)

    def test_what_is_masked_makes_no_difference(self) -> None:
        x, mask = OTKE["x"], OTKE["mask"]
        plan = transport_plan(x, OTKE["weight"], mask, **SETTINGS)
        for i in range(3):
            alone = transport_plan(x[i : i + 1, : mask[i].sum()], OTKE["weight"], **SETTINGS)
            assert_close(plan[i, :, : mask[i].sum()], alone[0], 1e-12)
            assert (plan[i, :, mask[i].sum() :] == 0).all()
        nothing = transport_pool(x, OTKE["weight"], np.zeros_like(mask), **SETTINGS)
        assert (nothing == 0).all()
