"""How long a fit will take is said before it; the estimator, and what it draws from, stay as they are."""

from typing import Any

import numpy as np
import pytest

import ckn
from ckn import choice
from ckn.architecture import Architecture, LayerSpec
from ckn.estimators import body
from ckn.estimators.forecasting import heads, labels, pilot, room
from ckn.layers.embedding import embedding_of
from ckn.layers.parts import PartSpec
from ckn.model import encode
from ckn.network import Network
from ckn.sampling import parts_drawn, sample_parts
from ckn.supervised.features import Features
from kerneltools import forecasting, memory
from kerneltools.forecasting import Watch
from kerneltools.patches import Windows
from kerneltools.solvers import SquaredHinge
from kerneltools.structures import Strings

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
    for module in (heads, room, choice, body):
        monkeypatch.setattr(module, "MANY", 60)
    estimator = ckn.ImageClassifier(TINY, patches=500)
    found = estimator.forecast(IMAGES, LABELS)
    assert {stage.name for stage in found.stages} == told_by(estimator, IMAGES, LABELS)
    assert found.stages[-1].name == "head"


def test_more_takes_longer_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    for module in (pilot, forecasting):
        monkeypatch.setattr(module, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(pilot, "MOST", 32)
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


@pytest.mark.parametrize(("words", "count", "batch"), [(60, 300, 100), (60, 300, 25), (60, 10_000, 7), (5, 20, 2)])
def test_how_many_parts_are_drawn_is_known_before(words: int, count: int, batch: int) -> None:
    x, spec = Strings.of((WORDS * 2)[:words]), PartSpec(4, Windows(5))
    network = Network((), embedding_of(x)).prepare()
    found = sample_parts(network, x, spec, count, 0, batch, lambda done, total: None)
    assert parts_drawn(count, words, 30 - 5 + 1, batch) == len(found)


def test_a_head_is_fitted_to_the_features_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    fit = Features.fit

    def watched(self: Features, loss: Any, reg: float, **others: Any) -> Any:
        assert self.kept is not None
        assert reg == 1e-3
        seen.append(tuple(self.kept.shape))
        expected = encode(self.network, (), self.data.examples)
        np.testing.assert_allclose(self.kept, expected, rtol=0, atol=1e-6)
        return fit(self, loss, reg, **others)

    monkeypatch.setattr(labels.Features, "fit", watched)
    settings = ckn.Supervised(epochs=1, reg=1e-3, rate=1e-3)
    pilot_of(ckn.ImageClassifier(TINY, patches=500, supervised=settings), settings)
    assert (90, 2 * 2 * 6) in seen


def pilot_of(estimator: Any, settings: Any) -> Any:
    """The heads of a forecast."""
    run = pilot.Pilot(estimator, IMAGES, estimator._goal(LABELS))
    run.learn()
    return labels._Heads(run, settings)
