"""The pictures, for all numbers of channels and classes."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from ckn.pictures import common
from ckn.pictures.images import filter_sheet
from ckn.supervised import EpochReport


def pixels(figure: Figure, path: Path) -> np.ndarray:
    common.write(figure, path)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def texts(figure: Figure) -> set[str]:
    return {t.get_text() for axes in figure.axes for child in (axes, *axes.child_axes) for t in child.texts}


@pytest.mark.parametrize(
    "shape", [(64, 3, 3, 1), (61, 3, 3, 3), (5, 4, 7, 2), (16, 3, 3, 12), (1, 1, 1, 1), (2, 5, 5, 3)]
)
@pytest.mark.parametrize("low", [0.0, -1.0])
def test_sheet_of_any_filters(shape: tuple[int, ...], low: float, tmp_path: Path) -> None:
    filters = np.random.default_rng(0).uniform(low, 1.0, shape)
    drawn = pixels(filter_sheet(filters), tmp_path / "sheet.png")
    assert min(drawn.shape[:2]) > 100
    assert drawn.std() > 0


def test_sheet_does_not_depend_on_each_filter_s_scale_and_shows_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((9, 3, 3, 3))
    scaled = filters * rng.uniform(0.5, 2.0, (9, 1, 1, 1))
    a, b = (pixels(filter_sheet(f), tmp_path / "sheet.png") for f in (filters, scaled))
    np.testing.assert_array_equal(a, b)
    colours = {tuple(c) for c in a.reshape(-1, 3).tolist()}
    wanted = np.floor((0.5 + 0.5 * filters / np.abs(filters).max(axis=(1, 2, 3), keepdims=True)) * 256).clip(0, 255)
    nearest = [min(max(abs(w[i] - c[i]) for i in range(3)) for c in colours) for w in wanted.reshape(-1, 3)]
    assert max(nearest) <= 1


def test_blank_filters_can_be_drawn(tmp_path: Path) -> None:
    assert pixels(filter_sheet(np.zeros((4, 3, 3, 1))), tmp_path / "sheet.png").size


@pytest.mark.parametrize("k", [2, 10, 100])
def test_confusion_matrix_shows_counts_and_recall(k: int, tmp_path: Path) -> None:
    counts = np.diag(np.arange(3, k + 3))
    counts[0, 1] = 1
    figure = common.confusion_matrix(counts, [f"class {i}" for i in range(k)])
    assert min(pixels(figure, tmp_path / "c.png").shape[:2]) > 400
    assert {"75% of 4", f"100% of {k + 2}", "Confusion matrix", "Recall"} <= texts(figure)
    assert (str(k + 2) in texts(figure)) == (k <= common.COUNTS_UP_TO)


def test_classes_without_images_and_names_that_look_like_formulas(tmp_path: Path) -> None:
    counts = np.asarray([[5, 0, 0], [1, 4, 0], [0, 0, 0]])
    figure = common.confusion_matrix(counts, ["a$b$_", "\\frac$", "a very long name of a class indeed"])
    assert pixels(figure, tmp_path / "c.png").size
    assert "none" in texts(figure)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_certificate_prints_the_means(layers: int, tmp_path: Path) -> None:
    misses = [np.linspace(0, 0.2 * i, 500) for i in range(1, layers + 1)]
    figure = common.certificate(misses)
    assert pixels(figure, tmp_path / "c.png").size
    assert {f"mean {0.1 * i:.1%}" for i in range(1, layers + 1)} <= texts(figure)


def test_other_objects_are_called_by_their_names() -> None:
    (axes, *_) = common.certificate([np.zeros(3)], "windows", "strings").axes
    assert axes.get_title(loc="left") == "windows p of held-out strings, blank ones left out"
    (axes, *_) = common.confusion_matrix(np.eye(2, dtype=int), ["a", "b"], "graphs").axes
    assert axes.get_title(loc="left") == "2 of 2 test graphs right: 100.00%"


def test_certificate_without_a_patch_can_be_drawn(tmp_path: Path) -> None:
    assert pixels(common.certificate([np.zeros(0)]), tmp_path / "c.png").size


@pytest.mark.parametrize("epochs", [1, 4, 50])
@pytest.mark.parametrize("validated", [False, True])
def test_curves_name_their_last_values(epochs: int, validated: bool, tmp_path: Path) -> None:
    history = tuple(
        EpochReport(i, 2.0 * 0.7**i, 0.1, 1 - 0.5**i, 0.875 if validated else None) for i in range(1, epochs + 1)
    )
    figure = common.curves(history, test_accuracy=0.75)
    assert len(np.unique(pixels(figure, tmp_path / "curves.png"))) > 3
    last = history[-1]
    wanted = {f"{last.loss:.3g}", f"train {last.train_accuracy:.2%}", "test 75.00%", "Supervised training"}
    assert texts(figure) == wanted | ({"validation 87.50%"} if validated else set())


def test_accuracies_are_drawn_where_they_were_measured(tmp_path: Path) -> None:
    history = tuple(EpochReport(i, 1.0 / i, 0.1, i / 10 if i % 3 == 0 else None) for i in range(1, 9))
    figure = common.curves(history)
    assert pixels(figure, tmp_path / "curves.png").size
    assert "train 60.00%" in texts(figure)
    (line,) = figure.axes[1].lines
    assert np.array_equal(line.get_xdata(), [3, 6])


def test_lines_begin_at_epoch_0_where_it_was_measured() -> None:
    history = [EpochReport(1, 0.5, 0.1, 0.5), EpochReport(2, 0.4, 0.1, 0.6)]
    figure = common.curves(history, None, EpochReport(0, 1, 0, 0))
    for axes in figure.axes:
        (line,) = axes.lines
        assert np.array_equal(line.get_xdata(), [0, 1, 2])
    assert "0 is before training" in figure.axes[1].get_xlabel()
    assert "learning rate 0.1" in figure.axes[0].get_title(loc="left")


def test_labels_of_lines_that_end_in_one_place_do_not_cover_each_other() -> None:
    figure = common.curves([EpochReport(epoch, 0.5, 0.1, 1.0, 1.0) for epoch in (1, 2)])
    figure.canvas.draw()
    ends = [text for text in figure.axes[1].texts if text.get_text().endswith("100.00%")]
    one, other = (text.get_window_extent() for text in ends)
    assert not one.overlaps(other)


def test_curves_of_a_regression_show_numbers() -> None:
    figure = common.curves([EpochReport(1, 0.5, 0.1, 0.5, -0.25)], 0.125, measure="R²")
    assert {"train 0.500", "validation -0.250", "test 0.125"} <= texts(figure)
    assert figure.axes[1].get_title(loc="left") == "R², where it was measured"


@pytest.mark.parametrize(("n", "r2"), [(1, ""), (40, "R² 0.750, "), (2000, "R² 0.750, ")])
def test_predictions_tell_how_far_off_they_are(n: int, r2: str, tmp_path: Path) -> None:
    true = np.arange(n) % 2 * 2.0
    figure = common.predictions(true, true + 0.5, "a$b_", "graphs")
    assert pixels(figure, tmp_path / "p.png").size
    assert figure.axes[0].get_title(loc="left") == f"{n:,} test graphs: {r2}root mean square error 0.5"
    with pytest.raises(ValueError, match=r"true, predicted: expected \(n,\) of both.*got \(3,\) and \(2,\)"):
        common.predictions(np.zeros(3), np.zeros(2))


def test_curves_without_accuracies_can_be_drawn(tmp_path: Path) -> None:
    figure = common.curves((EpochReport(1, 0.5, 0.1), EpochReport(2, 0.0, 0.05)))
    assert pixels(figure, tmp_path / "curves.png").size
    assert texts(figure) == {"0", "Supervised training"}
