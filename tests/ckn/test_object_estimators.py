"""Estimators of sequences, graphs, series and sets: what each takes, its defaults, its files, and what it refuses."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

import ckn
from ckn import (
    Architecture,
    GraphClassifier,
    GraphRegressor,
    Joined,
    LayerSpec,
    PartSpec,
    SequenceClassifier,
    SequenceRegressor,
    SeriesClassifier,
    SeriesRegressor,
    SetClassifier,
    SetRegressor,
    Supervised,
    Transport,
)
from ckn.estimators.objects import ShortWarning
from ckn.preprocessing import DegreeLabels, LabelColumns, Scale, Standardise
from kerneltools.files import FileFormatError, save_tree
from kerneltools.kernels.profiles import Exponential
from kerneltools.landmarks import ReducedWarning
from kerneltools.patches import (
    Averaged,
    Elements,
    FirstNorm,
    PartKernel,
    PartMax,
    PartMean,
    PartSum,
    Paths,
    Windows,
)
from kerneltools.structures import PROTEIN, Graph, Graphs, Ragged, Strings, converting, of, read_fasta
from tests.strict import assert_close

N = 40
LABELS = np.arange(N) % 2


def strings() -> list[str]:
    """With a motif in every other."""
    rng = np.random.default_rng(0)

    def letters(count: int) -> str:
        return "".join(rng.choice(list("ACGT"), count))

    return [letters(12) + ("TGACTCAT" if label else letters(8)) + letters(int(rng.integers(10))) for label in LABELS]


def graphs() -> list[Graph]:
    """Rings and chains with labels."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(6, 10, N)
    chains = [[[i, i + 1] for i in range(n - 1)] for n in sizes]
    rings = [chain + [[n - 1, 0]] * int(label) for chain, n, label in zip(chains, sizes, LABELS, strict=True)]
    return [Graph(int(n), np.asarray(edges), rng.integers(0, 2, n)) for n, edges in zip(sizes, rings, strict=True)]


def series() -> list[np.ndarray]:
    """Of two channels, one of them far greater, fast and slow."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(20, 26, N)
    time = [np.arange(t) * (0.9 if label else 0.4) for t, label in zip(lengths, LABELS, strict=True)]
    return [np.stack([np.sin(t + rng.uniform(0, 6)), 1e3 + 1e2 * rng.standard_normal(len(t))], axis=1) for t in time]


def sets() -> list[np.ndarray]:
    """Narrow and wide, in columns of other units."""
    rng = np.random.default_rng(3)
    widths = 1 + 2.0 * LABELS
    return [rng.standard_normal((int(rng.integers(4, 9)), 2)) * [w, 1e3 * w] + [0, 1e5] for w in widths]


@dataclass(frozen=True)
class Case:
    """A classifier and a regressor of one kind, its data, and a small architecture."""

    classifier: Any
    regressor: Any
    data: Callable[[], Any]
    architecture: Architecture
    collection: type


PATHS = PartSpec(3, Paths(2), PartKernel(Exponential(1.0), Averaged(), FirstNorm()))
CASES = {
    "sequences": Case(
        SequenceClassifier,
        SequenceRegressor,
        strings,
        Architecture((PartSpec(8, Windows(6)),), PartMax(), True),
        Strings,
    ),
    "graphs": Case(GraphClassifier, GraphRegressor, graphs, Architecture((PATHS,), PartSum()), Graphs),
    "series": Case(
        SeriesClassifier, SeriesRegressor, series, Architecture((PartSpec(8, Windows(5)),), PartMax()), Ragged
    ),
    "sets": Case(SetClassifier, SetRegressor, sets, Architecture((PartSpec(8, Elements()),)), Ragged),
}
KINDS = pytest.mark.parametrize("kind", CASES)


def small(kind: str, **others: Any) -> Any:
    """A classifier that learns in a moment."""
    return CASES[kind].classifier(CASES[kind].architecture, **{"parts": 200, "dtype": "float64", **others})


@KINDS
def test_usual_ones_learn_and_are_as_their_models(kind: str, tmp_path: Path) -> None:
    case = CASES[kind]
    data = case.data()
    model = case.classifier(parts=2000).fit(data[:30], LABELS[:30])
    assert is_classifier(model)
    assert model.architecture is None
    assert isinstance(model.architecture_, Architecture)
    assert model.score(data[30:], LABELS[30:]) >= 0.8
    chances = model.predict_proba(data[30:])
    assert np.array_equal(model.classes_[chances.argmax(axis=1)], model.predict(data[30:]))
    assert model.transform(data[:3]).shape == (3, len(model.get_feature_names_out()))
    ckn.save(model, tmp_path / "model")
    again = ckn.load(tmp_path / "model")
    assert np.array_equal(again.predict_proba(data[30:]), chances)
    assert again.predict(data[30:]) == model.predict(data[30:]).tolist()
    assert again.score(of(data[30:], case.collection), LABELS[30:]) == model.score(data[30:], LABELS[30:])


@KINDS
def test_features_are_standardised_by_column(kind: str) -> None:
    model = small(kind).fit(CASES[kind].data(), LABELS)
    features = model.transform(CASES[kind].data())
    spread = features.std(axis=0)
    assert np.abs(features.mean(axis=0)).max() < 1e-12
    assert_close(spread, np.full(len(spread), len(spread) ** -0.5), 1e-9)


@KINDS
def test_numbers_in_the_place_of_classes(kind: str, tmp_path: Path) -> None:
    case = CASES[kind]
    data = case.data()
    y = np.stack([1e6 + 1e3 * LABELS, np.diff(of(data, case.collection).offsets)], axis=1)
    model = case.regressor(case.architecture, parts=200).fit(data, y)
    assert is_regressor(model)
    assert model.predict(data).shape == (N, 2)
    assert model.score(data, y) > 0.3
    ckn.save(model, tmp_path / "model")
    assert np.array_equal(ckn.load(tmp_path / "model").predict(data), model.predict(data))


@KINDS
def test_lists_are_cut_by_searches(kind: str) -> None:
    case = CASES[kind]
    data = case.data()
    with pytest.raises(NotFittedError):
        small(kind).predict(data)
    copy = clone(small(kind).set_params(parts=100))
    assert copy.get_params()["parts"] == 100
    search = GridSearchCV(copy, {"architecture": [case.architecture], "regs": [(1e-3,), (1e-1,)]}, cv=2)
    assert search.fit(data, LABELS.astype(str)).predict(data[:2]).dtype.kind == "U"
    assert cross_val_score(copy, of(data, case.collection), LABELS, cv=2).shape == (2,)


@KINDS
def test_supervised(kind: str) -> None:
    """From the filters without labels; a share is held out, and the best epoch is the model."""
    data = CASES[kind].data()
    settings = Supervised(epochs=2, batch=15, rate=0.01, reg=1e-3)
    states: list[Any] = []
    whole = small(kind, supervised=settings, validation=0.25).fit(data, LABELS, on_epoch=states.append)
    assert [report.epoch for report in whole.training_.history] == [1, 2]
    assert whole.best_.history[-1].validation_accuracy == max(r.validation_accuracy for r in whole.training_.history)
    assert whole.predict_proba(data).shape == (N, 2)
    rest = small(kind, supervised=settings, validation=0.25).fit(data, LABELS, start=states[0])
    assert rest.training_.history == whole.training_.history
    pair = small(kind, supervised=settings, validation=(data[:10], LABELS[:10])).fit(data[10:], LABELS[10:])
    assert pair.best_.history[-1].validation_accuracy is not None


@KINDS
def test_supervised_regression(kind: str) -> None:
    """In other units the same training; R² of what is held out chooses the epoch."""
    case = CASES[kind]
    data, y = case.data(), 1e6 + 1e3 * LABELS
    settings = Supervised(epochs=2, batch=15, rate=0.01, reg=1e-3)
    model = case.regressor(case.architecture, parts=200, dtype="float64", supervised=settings, validation=0.25)
    model.fit(data, y)
    measured = [report.validation_accuracy for report in model.training_.history]
    assert model.best_.epoch == measured.index(max(measured)) + 1
    assert model.predict(data).shape == (N,)
    plain = clone(model).fit(data, 1.0 * LABELS)
    assert_close(
        np.asarray([r.loss for r in plain.training_.history]),
        np.asarray([r.loss for r in model.training_.history]),
        1e-6,
    )
    assert_close(1e6 + 1e3 * plain.predict(data), model.predict(data), 1e-9)


class TestSequences:
    def test_both_strands_where_there_are_some(self) -> None:
        assert SequenceClassifier().fit(strings(), LABELS).architecture_.strands
        words = ["hello world" if label else "lower world" for label in LABELS]
        model = SequenceClassifier().fit(words, LABELS)
        assert not model.architecture_.strands
        assert model.score(words, LABELS) == 1

    def test_records_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "some.fa"
        path.write_text("".join(f">s{i}\n{string}\n" for i, string in enumerate(strings())))
        model = small("sequences").fit(read_fasta(path), LABELS)
        assert np.array_equal(
            model.predict(read_fasta(path)), small("sequences").fit(strings(), LABELS).predict(strings())
        )

    def test_short_ones_are_empty_and_that_is_said(self) -> None:
        model = small("sequences").fit(strings(), LABELS)
        with pytest.warns(ShortWarning, match="sequences: 2 of 3 are shorter than the window of 6 letters: for the"):
            features = model.transform([*strings()[:1], "ACG", ""])
        assert np.array_equal(features[1], features[2])
        with pytest.warns(ShortWarning, match="1 of 40"):
            small("sequences").fit(["ACG", *strings()[1:]], LABELS)

    def test_another_alphabet(self) -> None:
        model = small("sequences").fit(strings(), LABELS)
        with pytest.raises(ValueError, match=r"sequences: string 0: expected letters ACGT .* got 'E' at position 1"):
            model.predict(["MELKMELK"])
        with pytest.raises(ValueError, match="expected strings of ACGT, as the network was made for, got Strings"):
            model.predict(Strings.of(["MELKMELK"], PROTEIN))


class TestGraphs:
    def test_of_all_that_are_graphs(self) -> None:
        made = of(graphs(), Graphs)
        wanted = small("graphs").fit(made, LABELS).decision_function(made)
        tuples = [(one.nodes, one.edges.tolist(), one.labels) for one in graphs()]
        for data in (graphs(), tuples, converting.to_networkx(made)):
            assert_close(small("graphs").fit(data, LABELS).decision_function(data), wanted, 1e-9)

    def test_of_edges_alone(self) -> None:
        bare = [replace_labels(one) for one in graphs()]
        wanted = small("graphs").fit(bare, LABELS).decision_function(bare)
        for edges in ([one.edges for one in bare], [one.edges.tolist() for one in bare]):
            assert np.array_equal(small("graphs").fit(edges, LABELS).decision_function(edges), wanted)

    @pytest.mark.parametrize(
        ("edges", "directed", "longest"),
        [
            ([], False, 1),
            ([[0, 1], [2, 3]], False, 2),
            ([[0, 1], [1, 2]], False, 3),
            ([[0, 1], [2, 1]], True, 2),
            ([[0, 1], [1, 0]], True, 2),
            ([[0, 1], [1, 2]], True, 3),
        ],
    )
    def test_usual_paths_are_there(self, edges: Any, directed: bool, longest: int) -> None:
        one = Graph(4, np.asarray(edges, dtype=int).reshape(-1, 2), np.arange(4) % 2, directed=directed)
        model = GraphClassifier().fit([one, Graph(1, [], [0]), one, Graph(2, [], [1, 1])], [0, 1, 0, 1])
        assert model.architecture_.layers[0].parts == Paths(longest)

    def test_degrees_stand_for_labels(self) -> None:
        bare = [replace_labels(one) for one in graphs()]
        model = small("graphs").fit(bare, LABELS)
        assert model.model_.preprocessing == (DegreeLabels(2),)
        star = Graph(9, [[0, i] for i in range(1, 9)])
        assert np.isfinite(model.transform([star])).all()
        sparse = converting.to_sparse(of(bare, Graphs))
        assert_close(model.decision_function(sparse), model.decision_function(bare), 1e-12)

    def test_attributes_and_labels(self) -> None:
        rng = np.random.default_rng(0)
        both = [one._replace(attributes=rng.standard_normal((one.nodes, 2)) * [1, 1e4]) for one in graphs()]
        model = small("graphs").fit(both, LABELS)
        scaled, columns = model.model_.preprocessing
        assert isinstance(scaled, Standardise)
        assert columns == LabelColumns((0, 1))
        assert model.model_.network.embedding.columns == 4

    def test_too_many_paths_are_drawn_and_that_is_said(self) -> None:
        few = Architecture((replace(PATHS, parts=Paths(3, limit=20)),), PartSum())
        with pytest.warns(ReducedWarning, match="paths of 3 nodes are more than the limit"):
            GraphClassifier(few, parts=100).fit(graphs(), LABELS)

    def test_other_graphs(self) -> None:
        model = small("graphs").fit(graphs(), LABELS)
        with pytest.raises(ValueError, match="expected graphs with labels of nodes, as the network was made for"):
            model.predict([replace_labels(one) for one in graphs()])
        with pytest.raises(TypeError, match="graphs: expected graphs, got Strings"):
            model.predict(Strings.of(strings()))


def replace_labels(one: Graph) -> Graph:
    return one._replace(labels=None)


class TestSeriesAndSets:
    def test_arrays(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((N, 20, 1)).cumsum(axis=1)
        wanted = small("series").fit(list(x), LABELS).decision_function(list(x))
        for data in (x, x[..., 0], list(x[..., 0]), Ragged.of_padded(x)):
            assert_close(small("series").fit(data, LABELS).decision_function(data), wanted, 1e-12)
        whole = np.round(10 * x[..., 0]).astype(int)
        assert np.array_equal(
            small("series").fit(whole, LABELS).predict(whole[:2]),
            small("series").fit(whole * 1.0, LABELS).predict(whole[:2]),
        )

    def test_columns_are_standardised_as_in_the_training(self) -> None:
        """Whatever is predicted beside."""
        model = small("sets").fit(sets(), LABELS)
        (step,) = model.model_.preprocessing
        assert step == Standardise().fitted(of(sets()))
        assert_close(model.decision_function(sets()[:1]), model.decision_function(sets())[:1], 1e-10)
        moved = [one * [1, 1e-3] - [7, 7] for one in sets()]
        assert_close(small("sets").fit(moved, LABELS).decision_function(moved), model.decision_function(sets()), 1e-6)

    def test_other_columns(self) -> None:
        with pytest.raises(ValueError, match="expected 2 columns, as in training, got 1"):
            small("series").fit(series(), LABELS).predict([one[:, :1] for one in series()])


def with_nan(arrays: list[np.ndarray]) -> list[np.ndarray]:
    arrays[3] = arrays[3].copy()
    arrays[3][1, 0] = np.nan
    return arrays


WRONG_FITS: dict[str, tuple[str, Any, type[Exception], str]] = {
    "one string": ("sequences", lambda: "ACGT", TypeError, "sequences: objects: expected several, got one string"),
    "no sequence": ("sequences", list, ValueError, "sequences: objects: expected at least one, got none"),
    "graphs for sequences": ("sequences", graphs, TypeError, "sequences: strings: expected strings, got Graph"),
    "sequences for graphs": ("graphs", lambda: of(strings()), TypeError, "graphs: expected graphs, got Strings"),
    "no nodes": (
        "graphs",
        lambda: [*graphs()[1:], Graph(0, np.zeros((0, 2), int), np.zeros(0, int))],
        ValueError,
        r"graphs: graph 39 \(counted from 0\) of 40 is empty; leave out the 1 without nodes",
    ),
    "an empty set": (
        "sets",
        lambda: [np.zeros((0, 2)), *sets()[1:]],
        ValueError,
        r"sets: set 0 \(counted from 0\) of 40 is empty; leave out the 1 without elements",
    ),
    "NaN in series": (
        "series",
        lambda: with_nan(series()),
        ValueError,
        r"series: arrays: .*of number 3; fill in or leave out missing values",
    ),
    "NaN in an array": (
        "series",
        lambda: np.stack(with_nan([one[:20] for one in series()])),
        ValueError,
        "series: arrays: .*of number 3; fill in or leave out",
    ),
    "channels first": (
        "series",
        lambda: np.zeros((N, 2, 20)),
        ValueError,
        r"series: expected \(n, t, c\), got shape \(40, 2, 20\), which looks like .*moveaxis\(series, 1, -1\)",
    ),
    "other columns": (
        "sets",
        lambda: [*sets()[1:], np.zeros((3, 5))],
        ValueError,
        r"sets: arrays: expected 2 columns .* got shape \(3, 5\) as number 39",
    ),
    "matrices that are not sparse": (
        "graphs",
        lambda: [np.eye(3)] * N,
        TypeError,
        r"graphs: expected all of structures.Graph .* or of edges \(E, 2\), got ndarray as number 0",
    ),
    "graphs of several kinds": (
        "graphs",
        lambda: [*graphs()[1:], networkx.path_graph(3)],
        TypeError,
        "graphs: expected all of .* got several of these",
    ),
    "words for sets": ("sets", strings, TypeError, "sets: arrays: expected numbers, got '.*' as number 0: could not"),
    "constant series": (
        "series",
        lambda: [0 * one for one in series()],
        ValueError,
        r"x: all .* parts of 40 arrays that were looked at are blank .*; nothing can be learnt",
    ),
    "too few": ("sets", lambda: sets()[:5], ValueError, r"labels: expected shape \(5,\), one for each set, got shape"),
}


@pytest.mark.parametrize(("kind", "data", "error", "message"), WRONG_FITS.values(), ids=list(WRONG_FITS))
def test_what_is_refused_in_fits(kind: str, data: Any, error: type[Exception], message: str) -> None:
    model = small(kind)
    with pytest.raises(error, match=message):
        model.fit(data(), LABELS)
    assert not hasattr(model, "model_")


GRID = Architecture((LayerSpec(4),))
WRONG_PARAMETERS: dict[str, tuple[str, dict[str, Any], type[Exception], str]] = {
    "architecture of images": ("graphs", {"architecture": GRID}, TypeError, "expected layers for objects"),
    "no architecture": ("sets", {"architecture": "small"}, TypeError, "architecture: expected a ckn.Architecture, or"),
    "paths of sequences": (
        "sequences",
        {"architecture": CASES["graphs"].architecture},
        TypeError,
        r"architecture: its first layer is not for sequences; x: expected graphs, for Paths\(",
    ),
    "windows of graphs": (
        "graphs",
        {"architecture": CASES["series"].architecture},
        TypeError,
        r"architecture: its first layer is not for graphs; x: expected sequences, for Windows\(",
    ),
    "steps of images": ("series", {"preprocessing": (Scale(2.0),)}, TypeError, "expected steps of series, got Scale"),
    "parts": ("sets", {"parts": 0}, ValueError, "parts: expected an integer >= 1, got 0"),
    "validation": ("sets", {"supervised": True, "validation": 2}, ValueError, r"or a pair \(sets, labels\), got 2"),
}


@pytest.mark.parametrize(("kind", "change", "error", "message"), WRONG_PARAMETERS.values(), ids=list(WRONG_PARAMETERS))
def test_wrong_parameters(kind: str, change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        small(kind).set_params(**change).fit(CASES[kind].data(), LABELS)


def test_a_file_with_steps_of_images_is_refused(tmp_path: Path) -> None:
    model = small("sets").fit(sets(), LABELS).model_.unprepared()
    save_tree(replace(model, preprocessing=(Scale(2.0),)), tmp_path / "model", "ckn")
    with pytest.raises(FileFormatError, match="preprocessing: expected steps of objects, got Scale"):
        ckn.load(tmp_path / "model")


def test_a_rare_class_counts_as_much_where_asked() -> None:
    """Its scores rise."""
    rare = np.flatnonzero((LABELS == 0) | (np.arange(N) < 6))
    data, labels = [strings()[i] for i in rare], LABELS[rare]
    plain, even = (small("sequences", class_weight=w).fit(data, labels) for w in (None, "balanced"))
    assert even.decision_function(data)[labels == 1].mean() > plain.decision_function(data)[labels == 1].mean()


def test_images_take_no_layers_and_steps_of_objects(digits: Any) -> None:
    with pytest.raises(TypeError, match=r"architecture: expected layers for images \(LayerSpec\), got"):
        ckn.ImageClassifier(CASES["sets"].architecture).fit(*digits)
    with pytest.raises(TypeError, match="preprocessing: expected steps of images, got Standardise"):
        ckn.ImageClassifier(preprocessing=(Standardise(),)).fit(*digits)


def test_a_training_goes_on_with_data_of_its_kind() -> None:
    settings = Supervised(epochs=1, batch=15, rate=0.01, reg=1e-3)
    state = small("series", supervised=settings).fit(series(), LABELS).training_
    with pytest.raises(
        ckn.supervised.StartError, match="start: it is of other data: x: expected sets or series, of arrays"
    ):
        small("sequences", supervised=settings).fit(strings(), LABELS, start=state)


def test_a_training_goes_on_with_its_architecture() -> None:
    settings = Supervised(epochs=1, batch=15, rate=0.01, reg=1e-3)
    begun = small("sequences", supervised=settings).fit(strings(), LABELS)
    whole = begun.architecture
    assert begun.fit(strings(), LABELS, start=begun.training_).training_.epoch == 1
    others = {
        "of another architecture": (replace(whole, strands=not whole.strands), replace(whole, layers=whole.layers * 2)),
        "readout": (replace(whole, readout=Joined((PartMean(), PartMax()))), replace(whole, readout=Transport(2))),
    }
    for message, architectures in others.items():
        for other in architectures:
            with pytest.raises(ckn.supervised.StartError, match=message):
                clone(begun).set_params(architecture=other).fit(strings(), LABELS, start=begun.training_)


def test_numbers_too_great_for_the_type_are_named() -> None:
    many = [*series()[:-1], series()[-1] * 1e200]
    message = (
        rf"the numbers of object {N - 1} \(counted from 0\) of {N} are up to .*e\+\d+, too great for float32; divide"
    )
    model = small("series", preprocessing=(), dtype="float32").fit(series(), LABELS)
    for call in (lambda: small("series", dtype="float32").fit(many, LABELS), lambda: model.predict(many)):
        with pytest.raises(ValueError, match=message.replace(r".*e\+\d+", "inf")):
            call()
    moderate = [*series()[:-1], series()[-1] * 1e30]
    with pytest.raises(ValueError, match=message):
        model.predict(moderate)
    with pytest.raises(ValueError, match=message.replace("float32", "float64")):
        ckn.fit_unsupervised(model.architecture_, Ragged.of(many), rng=0)


def test_validation_of_another_kind() -> None:
    with pytest.raises(ValueError, match="validation: expected sets as in training, arrays of 2 columns, got 1"):
        small("sets", supervised=True, validation=([one[:, :1] for one in sets()], LABELS)).fit(sets(), LABELS)


def test_files_with_other_numbers_are_refused(tmp_path: Path) -> None:
    model = small("sets").fit(sets(), LABELS).model_.unprepared()
    readout = replace(
        model.network.readout, centre=model.network.readout.centre[:-1], factors=model.network.readout.factors[:-1]
    )
    save_tree(replace(model, network=replace(model.network, readout=readout)), tmp_path / "model", "ckn")
    with pytest.raises(FileFormatError, match=r"readout: expected 8 features in the place of 7"):
        ckn.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda readout: replace(readout, factors=-readout.factors), "readout: factors: expected numbers >= 0, got -"),
        (
            lambda readout: replace(readout, centre=readout.centre.astype(np.float32)),
            "readout.centre: expected float64, as the first filters, got float32",
        ),
    ],
)
def test_files_with_readouts_that_do_not_fit_are_refused(changed: Any, message: str, tmp_path: Path) -> None:
    model = small("sets").fit(sets(), LABELS).model_.unprepared()
    save_tree(
        replace(model, network=replace(model.network, readout=changed(model.network.readout))),
        tmp_path / "model",
        "ckn",
    )
    with pytest.raises(FileFormatError, match=message):
        ckn.load(tmp_path / "model")
