"""How long a fit will take is said before it; the estimator, and what it draws from, stay as they are."""

from typing import Any

import numpy as np
import pytest

import ckn
from ckn import choice
from ckn.architecture import Architecture, LayerSpec
from ckn.estimators import body, forecasting
from kerneltools import memory
from kerneltools.forecasting import Watch
from kerneltools.solvers import SquaredHinge

RNG = np.random.default_rng(0)
IMAGES = RNG.random((90, 8, 8, 1)).astype(np.float32)
LABELS = np.arange(90) % 3
TINY = Architecture((LayerSpec(4), LayerSpec(6)))
WORDS = ["".join(RNG.choice(list("ACGT"), size=30)) for _ in range(60)]
TWO = ckn.Supervised(epochs=2, batch=30, rate=1e-3)


def told_by(estimator: Any, x: Any, y: Any) -> set[str]:
    """The stages that a fit reports; its epochs are one."""
    watch = Watch()
    estimator.fit(x, y, progress=watch)
    return {"epochs" if name in ("epoch 1", "epoch 2", "accuracy") else name for name in watch.reports}


@pytest.mark.parametrize(
    ("estimator", "x", "y"),
    [
        (ckn.ImageClassifier(TINY, patches=500), IMAGES, LABELS),
        (ckn.ImageRegressor(TINY, patches=500), IMAGES, LABELS / 2),
        (ckn.ImageClassifier(TINY, patches=500, supervised=TWO, validation=0.3), IMAGES, LABELS),
        (
            ckn.ImageClassifier(TINY, patches=500, supervised=ckn.Supervised(epochs=1, reg=1e-3, rate=1e-3)),
            IMAGES,
            LABELS,
        ),
        (ckn.SequenceClassifier(parts=300), WORDS, np.arange(60) % 2),
    ],
    ids=["images", "numbers", "labels", "settled", "sequences"],
)
def test_the_stages_are_those_that_a_fit_reports(estimator: Any, x: Any, y: Any) -> None:
    known = dict(vars(estimator))
    np.random.seed(0)  # nobody draws from it
    state = np.random.get_state()[1].tolist()
    found = estimator.forecast(x, y, test=10)
    assert np.random.get_state()[1].tolist() == state
    assert vars(estimator) == known
    names = [stage.name for stage in found.stages]
    assert names.pop() == f"test {estimator.kind.nouns}"
    assert len(names) == len(set(names))
    assert set(names) == told_by(estimator, x, y)
    assert all(0 <= stage.low <= stage.seconds <= stage.high for stage in found.stages)
    assert found.fits
    assert found.bytes > 0


def test_the_head_of_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (forecasting, choice, body):
        monkeypatch.setattr(module, "MANY", 60)
    estimator = ckn.ImageClassifier(TINY, patches=500)
    found = estimator.forecast(IMAGES, LABELS)
    assert {stage.name for stage in found.stages} == told_by(estimator, IMAGES, LABELS)
    assert found.stages[-1].name == "head"


def test_more_takes_longer_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    for module in (forecasting, __import__("kerneltools.forecasting", fromlist=["x"])):
        monkeypatch.setattr(module, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(forecasting, "MOST", 32)
    few, many = (
        ckn.ImageClassifier(TINY, patches=500).forecast(IMAGES[list(range(90)) * k], LABELS[list(range(90)) * k])
        for k in (1, 100)
    )
    encoding = [next(s.seconds for s in found.stages if s.name == "encoding") for found in (few, many)]
    assert encoding[1] == pytest.approx(100 * encoding[0], rel=0.3)


def test_what_a_fit_refuses_is_refused_and_memory_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="patches: expected"):
        ckn.ImageClassifier(TINY, patches=0).forecast(IMAGES, LABELS)
    with pytest.raises(ValueError, match="layer 1"):
        ckn.ImageClassifier(TINY).forecast(IMAGES[:, :2, :2, :], LABELS)
    with pytest.raises(ValueError, match="labels"):
        ckn.ImageClassifier(TINY).forecast(IMAGES, LABELS[:-1])
    with pytest.raises(ValueError, match="test: expected an integer >= 0, got -1"):
        ckn.ImageClassifier(TINY).forecast(IMAGES, LABELS, test=-1)
    with pytest.raises(ValueError, match="head: no class has two examples"):
        ckn.ImageClassifier(TINY, head=SquaredHinge()).forecast(IMAGES[:2], LABELS[:2])
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    found = ckn.ImageClassifier(TINY, patches=500).forecast(IMAGES, LABELS)
    assert not found.fits
    assert "take fewer images or patches" in str(found)


def test_other_losses() -> None:
    settings = ckn.Supervised(loss=SquaredHinge(), epochs=3, strategy=ckn.supervised.Joint())
    found = ckn.ImageClassifier(TINY, patches=500, supervised=settings).forecast(IMAGES, LABELS)
    assert [s.name for s in found.stages if s.name in ("learning rate", "epochs")] == ["learning rate", "epochs"]
