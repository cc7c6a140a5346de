"""Parts of sequences and graphs: what is found, what is sampled, what is refused."""

from typing import Any

import numpy as np
import pytest

from kerneltools.kernels import Homogeneous
from kerneltools.kernels.profiles import Exponential
from kerneltools.landmarks import ReducedWarning
from kerneltools.patches import (
    Added,
    Averaged,
    Concatenated,
    Elements,
    FirstNorm,
    GaussianWindow,
    Grid,
    Multiplied,
    Neighbours,
    PartKernel,
    PartMax,
    PartMean,
    Parts,
    PartSum,
    Paths,
    ProductOfNorms,
    Several,
    Subsequences,
    Unscaled,
    Walks,
    Windows,
)
from kerneltools.structures import Graph, Graphs, Ragged, Strings

SERIES = Ragged.of([np.random.default_rng(i).standard_normal((t, 2)) for i, t in enumerate((6, 1, 0, 9))])
STAR = Graphs.of([Graph(2, []), Graph(5, [[0, i] for i in range(1, 5)])])


@pytest.mark.parametrize(("size", "stride", "dilation"), [(1, 1, 1), (3, 1, 1), (3, 2, 1), (2, 1, 3), (2, 3, 2)])
def test_windows_are_patches_of_grids(size: int, stride: int, dilation: int) -> None:
    parts = Windows(size, stride, dilation)(SERIES)
    for i, one in enumerate(SERIES):
        found = SERIES.values[parts.index[parts.offsets[i] : parts.offsets[i + 1]]]
        if len(one) < (size - 1) * dilation + 1:
            assert len(found) == 0
            continue
        grid = Grid(size, stride=stride, dilation=dilation, padding="valid")
        assert np.array_equal(found.reshape(len(found), -1), grid.extract(one[None, ...])[0])


def test_windows_over_the_end_hold_nothing_there() -> None:
    parts = Windows(3, partial=True)(SERIES)
    assert parts.offsets.tolist() == [0, 6, 7, 7, 16]
    assert parts.index[5:8].tolist() == [[5, -1, -1], [6, -1, -1], [7, 8, 9]]


@pytest.mark.parametrize("stride", [1, 2])
def test_windows_by_item_are_those_of_the_items_they_begin_at(stride: int) -> None:
    tables = [Windows(2, stride, dilation, by_item=True)(SERIES) for dilation in (1, 3)]
    for dilation, parts in zip((1, 3), tables, strict=True):
        bare = Windows(2, stride, dilation)(SERIES)
        begins = np.concatenate(
            [np.arange(a, b, stride) for a, b in zip(SERIES.offsets[:-1], SERIES.offsets[1:], strict=True)]
        )
        assert np.array_equal(parts.index, bare.index)
        assert np.array_equal(begins[parts.owner], bare.index[:, 0])
        assert parts.owners == len(begins)
    assert np.array_equal(tables[0].offsets, tables[1].offsets)
    assert tables[0].offsets.tolist() == [0, *np.cumsum([-(-t // stride) for t in (6, 1, 0, 9)])]


def test_subsequences_are_weighted_by_their_gaps() -> None:
    parts = Subsequences(2, 0.5)(Strings.of(["ACGT", "A", "AC"]))
    assert parts.index.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3], [5, 6]]
    assert parts.owner.tolist() == [0] * 6 + [2]
    assert parts.weight is not None
    assert parts.weight.tolist() == [1.0, 0.5, 0.25, 1.0, 0.5, 1.0, 1.0]
    with pytest.raises(ValueError, match="take the recursion over gaps"):
        Subsequences(10)(Strings.of(["A" * 200]))


def test_walks_go_back_and_paths_do_not() -> None:
    paths, walks = Paths(3)(STAR), Walks(3)(STAR)
    assert len(paths) == 4 * 3
    assert len(walks) == 4 * 4 + 4  # from a leaf to any, and from the centre there and back
    assert {tuple(row) for row in paths.index.tolist()} < {tuple(row) for row in walks.index.tolist()}
    assert Paths(1)(STAR).index[:, 0].tolist() == list(range(7))
    assert Paths(2)(Graphs.of([Graph(3, [])])).index.shape == (0, 2)


@pytest.mark.parametrize("walked", [Paths, Walks])
def test_shorter_ones_are_those_of_their_size(walked: Any) -> None:
    for size, parts in enumerate(walked(3).prefixes(STAR), start=1):
        wanted = walked(size)(STAR)
        assert np.array_equal(parts.index, wanted.index)
        assert np.array_equal(parts.owner, wanted.owner)
        assert parts.owners == 7


@pytest.mark.parametrize("extractor", [Paths(2), Walks(2), Neighbours(1), Windows(2), Subsequences(2)], ids=str)
def test_objects_of_another_kind_are_refused(extractor: Any) -> None:
    wrong, right = (STAR, "sequences") if isinstance(extractor, Windows | Subsequences) else (SERIES, "graphs")
    with pytest.raises(TypeError, match=rf"x: expected {right}, for .*, got .*; parts of .* are those of kernelt"):
        extractor(wrong)


def test_neighbours_by_distance() -> None:
    line = Graphs.of([Graph(4, [[0, 1], [1, 2], [2, 3]])])
    assert Neighbours(1)(line).index.tolist() == line.edges.tolist()
    assert [row for row in Neighbours(2)(line).index.tolist() if row[0] == 0] == [[0, 1], [0, 2]]
    with pytest.raises(ValueError, match="more than the limit"):
        Neighbours(2, limit=3)(line)


def test_sampled_paths_have_the_right_sums_in_the_mean() -> None:
    star = Graphs.of([Graph(41, [[0, i] for i in range(1, 41)])])
    values = np.random.default_rng(0).standard_normal(41)
    everything = Paths(3)(star)
    wanted = (values[everything.index[:, 0]] * values[everything.index[:, 2]]).sum()
    found = []
    for seed in range(200):
        with pytest.warns(ReducedWarning, match="more than the limit"):
            parts = Paths(3, limit=300)(star, seed)
        assert len(parts) <= 300
        assert parts.weight is not None
        found.append((parts.weight * values[parts.index[:, 0]] * values[parts.index[:, 2]]).sum())
    # Five standard errors of the mean of 200.
    assert abs(np.mean(found) - wanted) < 5 * np.std(found) / 200**0.5


def test_a_great_star_is_no_trouble() -> None:
    star = Graphs.of([Graph(10_001, [[0, i] for i in range(1, 10_001)])])
    with pytest.warns(ReducedWarning, match=r"1\.0e\+08 paths of 3 nodes"):
        assert 9_000 < len(Paths(3, limit=10_000)(star)) <= 10_000


@pytest.mark.parametrize("positions", [Concatenated(), Averaged(), Multiplied(), Added()], ids=str)
@pytest.mark.parametrize("scale", [None, FirstNorm(), ProductOfNorms(), Unscaled()], ids=str)
def test_kernels_between_parts_are_positive(positions: Any, scale: Any) -> None:
    kernel = PartKernel(Exponential(0.7), positions, *([] if scale is None else [scale]))
    filters = kernel.normalised(np.random.default_rng(0).standard_normal((7, 3, 2)))
    gram = kernel.gram(filters)
    assert np.allclose(np.diagonal(gram), 1.0)
    assert np.linalg.eigvalsh(gram).min() > 0
    index = np.arange(21).reshape(7, 3)
    of_parts = kernel(filters.reshape(21, 2), index, filters)
    scales = kernel.scale(np.linalg.norm(filters, axis=2))
    assert np.allclose(of_parts, scales[:, None] * gram)


def test_one_item_is_the_kernel_of_rows() -> None:
    x = SERIES.values
    filters = PartKernel(Exponential(0.7)).normalised(np.random.default_rng(0).standard_normal((4, 1, 2)))
    got = PartKernel(Exponential(0.7))(x, Elements()(SERIES).index, filters)
    assert np.allclose(got, Homogeneous(Exponential(0.7))(x, filters[:, 0, :]))


def test_centred_windows_do_not_see_a_level() -> None:
    kernel = PartKernel(Exponential(0.7), centred=True)
    filters = kernel.normalised(np.random.default_rng(0).standard_normal((4, 3, 2)))
    index, x = Windows(3)(SERIES).index, SERIES.values
    values = kernel(x, index, filters)
    assert np.allclose(kernel(x + np.asarray([5.0, -3.0]), index, filters), values)
    less = x[index] - x[index].mean(axis=1, keepdims=True)
    plain = PartKernel(Exponential(0.7))
    assert np.allclose(values, plain(less.reshape(-1, 2), np.arange(index.size).reshape(index.shape), filters))
    assert np.allclose(kernel.scales(x, index), np.linalg.norm(less.reshape(len(less), -1), axis=1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_constant_window_is_nothing_once_it_is_centred(dtype: str) -> None:
    kernel = PartKernel(Exponential(0.7), centred=True)
    filters = kernel.normalised(np.random.default_rng(0).standard_normal((4, 3, 1))).astype(dtype)
    level = np.full((4, 1), 1234.567, dtype=dtype)
    assert (kernel(level, np.asarray([[0, 1, 2]]), filters) == 0).all()


def test_several_kinds_of_parts_have_the_same_owners() -> None:
    both = Several((Paths(2), Neighbours(1)))
    assert len(both(STAR)) == len(Paths(2)(STAR)) + len(Neighbours(1)(STAR))
    assert both(STAR).weight is None
    with pytest.warns(ReducedWarning):
        sampled = Several((Paths(2), Paths(2, limit=4)))(STAR)
    assert sampled.weight is not None
    assert sampled.weight.tolist() == [1.0] * 8 + [2.0] * 4
    for wrong in ((Paths(2), Paths(3)), (Windows(2), Windows(2, stride=2))):
        with pytest.raises(ValueError, match="parts of one size and of the same owners"):
            Several(wrong)(SERIES if isinstance(wrong[0], Windows) else STAR)
    with pytest.raises(ValueError, match="at least two"):
        Several((Paths(2),))
    with pytest.raises(TypeError, match="expected objects such as"):
        Several((Paths(2), 2))  # type: ignore[arg-type]


@pytest.mark.parametrize("s", [1, 2, 5])
def test_windows_around_each_position_are_weighted(s: int) -> None:
    parts = Windows(2)(SERIES)  # 5, 0, 0 and 8 of them
    values = np.random.default_rng(0).standard_normal((len(parts), 2))
    found = GaussianWindow(s)(values, parts)
    distances = np.arange(13)[:, None] - np.arange(13)
    weights = np.where(np.abs(distances) < s, np.exp(-((distances / max(s - 1, 1)) ** 2)), 0.0)
    weights /= weights[6, max(0, 7 - s) : 6 + s].sum()
    apart = (np.arange(13) < 5)[:, None] == (np.arange(13) < 5)
    centres = [*range(0, 5, s), *range(5, 13, s)]
    assert np.allclose(found, ((weights * apart) @ values)[centres])
    with pytest.raises(ValueError, match="a readout of whole"):
        GaussianWindow(s)(values, parts.table(values, 0))


@pytest.mark.parametrize(
    ("pool", "wanted"),
    [(PartSum(), [7.0, 0.0, 4.0]), (PartMean(), [7 / 3, 0.0, 4.0]), (PartMax(), [3.0, 0.0, 4.0])],
)
def test_owners_without_parts_have_nothing(pool: Any, wanted: list[float]) -> None:
    parts = Parts(np.zeros((3, 1), dtype=int), np.asarray([0, 0, 2]), np.asarray([0, 3]), np.asarray([2.0, 1.0, 1.0]))
    assert np.allclose(pool(np.asarray([[2.0], [3.0], [4.0]]), parts)[:, 0], wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Windows(0), "size: expected an integer >= 1"),
        (lambda: PartKernel(Exponential(1.0), Averaged(), centred=True), "centred: expected True or False"),
        (lambda: Paths(3, limit=0), "limit"),
        (lambda: Subsequences(2, 1.5), r"decay: expected a number in \[0, 1\]"),
        (lambda: Parts(np.zeros((2, 1), int), np.asarray([0, 3]), np.asarray([0, 2])), "owner: expected 0 to 1"),
        (lambda: Parts(np.zeros((2, 1), int), np.asarray([0]), np.asarray([0, 2])), "as many of each, got 2 and 1"),
        (
            lambda: PartKernel(Exponential(1.0))(np.ones((2, 3)), np.zeros((1, 2), int), np.ones((4, 1, 3))),
            "items, index",
        ),
    ],
)
def test_what_is_wrong_is_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
