"""`ckn train --supervised`: its files, and how a run that stopped goes on."""

import errno
import json
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import ckn
from ckn.commands import epochs
from ckn.commands.supervised import supervised_settings
from ckn.commands.train import least_loss, train
from ckn.readers import read
from ckn.supervised import DivergedError, EpochReport, Supervised, TrainingState, load_state, save_state, state_notes
from ckn.supervised.trainer import Trainer

EPOCHS = 3
# The head that is solved in no time.
WORDS = [
    "--supervised",
    "--head",
    "ridge",
    "--patches",
    300,
    "--seed",
    2,
    "--lr",
    0.001,
    "--minibatch",
    40,
    "--augment",
    "crop,flip",
]
SCHEDULED = [
    "--validation",
    0.25,
    "--schedule",
    "steps",
    "--milestones",
    "1,2",
    "--strategy",
    "reversal",
    "--epochs",
    EPOCHS + 1,
]
FILES = [
    "best.safetensors",
    "certificate.png",
    "confusion.png",
    "curves.png",
    "filters.png",
    "last.safetensors",
    "metrics.json",
    "metrics.jsonl",
    "model.safetensors",
]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 digits."""
    path = tmp_path_factory.mktemp("data") / "few.npz"
    data = read("digits")
    np.savez(path, images=data.images[:100].astype(np.uint8), labels=data.labels[:100])
    return path


@pytest.fixture(scope="module")
def whole(run: Any, few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of a run that was never interrupted, and what it said."""
    folder = tmp_path_factory.mktemp("whole")
    result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", folder)
    assert result.exit_code == 0, result.stderr
    return folder, result


@pytest.fixture(scope="module")
def begun(run: Any, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one epoch."""
    folder = tmp_path_factory.mktemp("begun")
    assert run("train", few, *WORDS, "--epochs", 1, "--out", folder).exit_code == 0
    return folder


def stopping(error: BaseException | type[BaseException], after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something happens in the epoch after `after`."""
    epoch = Trainer.epoch

    def stop(self: Trainer, state: Any, *rest: Any) -> Any:
        if state.epoch == after:
            raise error
        return epoch(self, state, *rest)

    monkeypatch.setattr(Trainer, "epoch", stop)


def same_run(one: Path, other: Path) -> None:
    """The models and the states are equal to the last bit, and so are the numbers but for the seconds."""
    for name in ("model.safetensors", "last.safetensors", "best.safetensors"):
        a, b = (load_file(folder / name) for folder in (one, other))
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[key], b[key]) for key in a)
    assert lines(one) == lines(other)
    assert load_state(one / "last.safetensors").history == load_state(other / "last.safetensors").history


def lines(folder: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without the seconds."""
    parsed = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(line.pop("seconds") > 0 for line in parsed[1:])
    return parsed


def refused(result: Any, code: int, *words: str) -> None:
    assert result.exit_code == code, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    said = " ".join(result.stderr.replace("│", " ").split())
    for word in words:
        assert word in said


def test_writes_the_model_the_states_the_numbers_and_the_curves(whole: Any) -> None:
    folder, _ = whole
    assert sorted(p.name for p in folder.iterdir()) == FILES
    with Image.open(folder / "curves.png") as picture:
        assert min(picture.size) > 300
        assert len(picture.convert("L").getcolors(256) or []) > 3
    assert isinstance(ckn.load(folder / "model.safetensors"), ckn.Model)


def test_numbers_of_each_epoch_and_of_the_run(whole: Any, few: Path) -> None:
    folder, _ = whole
    last = load_state(folder / "last.safetensors")
    history = last.history
    assert [line["epoch"] for line in lines(folder)] == list(range(EPOCHS + 1))
    assert [line["loss"] for line in lines(folder)] == [report.loss for report in (last.initial, *history) if report]
    assert all(line.keys() == {"epoch", "loss", "rate", "train_accuracy"} for line in lines(folder))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    asked = {
        "supervised": True,
        "epochs": EPOCHS,
        "lr": 0.001,
        "minibatch": 40,
        "head": "ridge",
        "seed": 2,
        "data": str(few),
    }
    assert {key: metrics[key] for key in asked} == asked
    assert all(value is None or isinstance(value, str | int | float) for value in metrics.values())
    assert metrics["test_accuracy"] > 0.7
    best = load_state(folder / "best.safetensors")
    assert best.epoch == metrics["best_epoch"] == min(history, key=lambda report: report.loss).epoch


def test_says_how_it_goes_epoch_by_epoch(whole: Any) -> None:
    _, result = whole
    for number in range(EPOCHS + 1):
        assert f"epoch {number}/{EPOCHS}  loss " in result.stderr
    for words in ("before training", "train accuracy", "images/s", "left", "λ ", "head ", "epochs "):
        assert words in result.stderr
    for words in ("test accuracy", "learning rate", "least ", "curves.png", "last.safetensors"):
        assert words in result.stdout
    assert all(c.isprintable() or c == "\n" for c in result.stdout + result.stderr)


def test_the_least_loss_may_be_that_of_the_start() -> None:
    start, *history = (EpochReport(epoch, loss, 0.1) for epoch, loss in enumerate([0.2, 0.3, 0.2, 0.1]))
    assert least_loss(start, history) == least_loss(None, history) == "in epoch 3"
    assert least_loss(start, history[:2]) == "at the start"
    assert least_loss(None, history[:2]) == "in epoch 2"


def test_ctrl_c_and_then_the_command_that_it_said(
    run: Any, few: Path, whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "a run"
    with monkeypatch.context() as patched:
        stopping(KeyboardInterrupt(), 1, patched)
        result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", out)
    assert result.exit_code == 130
    assert sorted(p.name for p in out.iterdir()) == ["best.safetensors", "last.safetensors", "metrics.jsonl"]
    said = result.stderr.splitlines()[-1]
    assert said.startswith(f"stopped; {out / 'last.safetensors'} holds epoch 1; go on with: ckn train ")
    assert run(*shlex.split(said.split("go on with: ckn ")[1])).exit_code == 0
    assert sorted(p.name for p in out.iterdir()) == FILES
    same_run(whole[0], out)


# Steps so slow that the second epoch is not over when the first one has been said to be.
SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import ckn.cli
from ckn.supervised.trainer import Trainer
step = Trainer.step
def slow(self, *arguments):
    time.sleep(0.2)
    return step(self, *arguments)
Trainer.step = slow
ckn.cli.main()
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_killed_in_the_middle_of_an_epoch(
    run: Any, few: Path, whole: Any, sent: signal.Signals, code: int, tmp_path: Path
) -> None:
    words = [str(word) for word in ("train", few, *WORDS, "--epochs", EPOCHS, "--out", tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("epoch 1/"):
            assert process.poll() is None
        process.send_signal(sent)
        assert process.wait(timeout=60) == code
    assert load_state(tmp_path / "last.safetensors").epoch == 1
    (tmp_path / ".last.safetensors.half").write_text("half written")
    assert run("train", few, "--resume", tmp_path).exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES
    same_run(whole[0], tmp_path)


def test_ctrl_c_after_the_last_epoch_says_what_there_is(
    run: Any, few: Path, whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ckn.pictures.common.certificate", stop)
        result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", tmp_path)
    refused(result, 130, f"{tmp_path / 'last.safetensors'} holds epoch {EPOCHS}; go on with:")
    assert run("train", few, "--resume", tmp_path).exit_code == 0
    same_run(whole[0], tmp_path)


def test_out_of_memory_says_the_minibatch_to_try(
    run: Any, few: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Trainer, "_compiled", property(lambda self: full))
    result = run("train", few, *WORDS, "--out", tmp_path / "out")
    refused(result, 1, "--minibatch: no memory for 40 examples a step on cpu; try --minibatch 20, or --at-once 20")


class OutOfMemoryError(RuntimeError):
    """As PyTorch has one."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee"),
            "error: not enough memory (CUDA out of",
        ),
        (FloatingPointError("x: sums over the rows are not finite"), "error: x: sums over the rows are not finite"),
    ],
)
def test_errors_of_libraries_are_one_line(
    run: Any, few: Path, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stopping(error, 1, monkeypatch)
    result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", tmp_path)
    refused(result, 1, message)
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert load_state(tmp_path / "last.safetensors").epoch == 1


def test_other_errors_are_not_hidden(run: Any, few: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stopping(RuntimeError("a mistake of ours"), 0, monkeypatch)
    result = run("train", few, *WORDS, "--out", tmp_path)
    assert isinstance(result.exception, RuntimeError)


def test_a_state_that_is_replaced_is_a_note(run: Any, few: Path, begun: Path, tmp_path: Path) -> None:
    (tmp_path / "last.safetensors").write_bytes((begun / "last.safetensors").read_bytes())
    result = run("train", few, *WORDS, "--epochs", 1, "--out", tmp_path)
    assert f"note: {tmp_path / 'last.safetensors'} is replaced after the first epoch; to resume it" in result.stderr


def test_more_epochs_are_those_of_a_longer_run(run: Any, few: Path, whole: Any, begun: Path) -> None:
    result = run("train", few, "--resume", begun, "--epochs", EPOCHS)
    assert result.exit_code == 0, result.stderr
    same_run(whole[0], begun)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lr", 0.5], "--lr: the run in {folder} has 0.001, got 0.5"),
        (["--architecture", "ckn-5"], "--architecture: the run in {folder} has none, got ckn-5"),
        (["--seed", 3], "--seed: the run in {folder} has 2, got 3"),
        (["--clip", 1], "--clip: the run in {folder} has none, got 1.0"),
        (["--head", "softmax"], "--head: the run in {folder} has ridge, got softmax"),
        (["--whiten"], "--whiten: the run in {folder} has False, got True"),
        (["--epochs", 1], "--epochs 1: the run in {folder} has 3"),
        (["--out", "elsewhere"], "--out elsewhere: --resume goes on in {folder}; leave out --out"),
    ],
)
def test_a_run_does_not_go_on_otherwise(run: Any, few: Path, whole: Any, words: list[Any], message: str) -> None:
    folder = whole[0]
    refused(run("train", few, "--resume", folder, *words), 2, message.format(folder=folder))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("[1, 2]", "expected some of validation, schedule"),
        ("{", "Expecting property name"),
        ('{"epochs": 1, "epochs": 2}', "a key that is given twice"),
        ("[" * 100_000, "recursion"),
        ({"spoon": 1}, "expected some of validation, schedule"),
        ({"epochs": "many"}, "'--epochs': "),
        ({"epochs": [3]}, "--epochs: got [3]"),
        ({"epochs": True}, "--epochs: got True"),
        ({"epochs": 0}, "'--epochs': "),
        ({"epochs": 10**400}, "'--epochs': "),
        ({"planned": "3"}, "planned: expected an integer in 1..1000000, got '3'"),
        ({"planned": 10**400}, "planned: expected an integer"),
        ({"lr": "fast"}, "'--lr': "),
        ({"lr": float("nan")}, "'--lr': expected a finite number > 0, got nan"),
        ({"validation": 2}, "'--validation': expected a share between 0 and 1, got 2"),
        ({"schedule": "often"}, "'--schedule': "),
        ({"milestones": 3.5}, "'--milestones': expected numbers of epochs"),
        ({"strategy": {"a": 1}}, "--strategy: got {'a': 1}"),
        ({"optimiser": None, "learn_kernels": "yes"}, "--learn-kernels: got 'yes'"),
        ({"seed": -1}, "'--seed': "),
        ({"patches": 1.5}, "'--patches': "),
        ({"backend": "fortran"}, "'--backend': expected one of"),
        ({"architecture": "large"}, "'--architecture': expected one of"),
        ({"weight_decay": float("inf")}, "'--weight-decay': expected a finite number"),
        ({"at_once": "--help"}, "'--at-once': "),
    ],
)
def test_kept_options_go_through_the_checks_of_the_command(
    run: Any, few: Path, begun_state: TrainingState, options: Any, message: str, tmp_path: Path
) -> None:
    kept = options if isinstance(options, str) else json.dumps(options)
    save_state(begun_state, tmp_path / "last.safetensors", {"options": kept})
    refused(
        run("train", few, "--resume", tmp_path), 1, f"error: {tmp_path / 'last.safetensors'}: corrupt: the", message
    )


@pytest.fixture(scope="module")
def begun_state(run: Any, few: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingState:
    """The state after one epoch."""
    folder = tmp_path_factory.mktemp("state")
    assert run("train", few, *WORDS, "--epochs", 1, "--out", folder).exit_code == 0
    return load_state(folder / "last.safetensors")


def with_padding(state: TrainingState) -> TrainingState:
    """A first layer that would make giants of small images."""
    first, *others = state.network.layers
    return replace(state, network=ckn.Network((replace(first, padding=20_000), *others)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: replace(state, optimiser={"steps": 1}), "the state of its optimiser is of another one"),
        (lambda state: replace(state, optimiser=None), "the state of its optimiser is of another one"),
        (with_padding, "its network is of another architecture: its layer 1 is no LayerSpec(filters=32, patch=3"),
    ],
)
def test_a_state_of_another_training_names_the_file(
    run: Any, few: Path, begun: Path, change: Any, message: str, tmp_path: Path
) -> None:
    notes = state_notes(begun / "last.safetensors")
    save_state(change(load_state(begun / "last.safetensors")), tmp_path / "last.safetensors", notes)
    result = run("train", few, "--resume", tmp_path, "--epochs", EPOCHS)
    refused(result, 1, f"error: {tmp_path / 'last.safetensors'}: {message}")


def test_the_best_state_of_another_run_is_refused(
    run: Any, few: Path, validated: tuple[Path, Any], tmp_path: Path
) -> None:
    for name in ("last.safetensors", "best.safetensors"):
        (tmp_path / name).write_bytes((validated[0] / name).read_bytes())
    best, notes = load_state(tmp_path / "best.safetensors"), state_notes(tmp_path / "best.safetensors")
    history = (replace(best.history[0], loss=0.125), *best.history[1:])
    save_state(replace(best, history=history), tmp_path / "best.safetensors", notes)
    refused(run("train", few, "--resume", tmp_path), 1, f"error: {tmp_path / 'best.safetensors'}: it is of another run")


def test_two_runs_do_not_go_on_in_one_folder(run: Any, few: Path, whole: Any, tmp_path: Path) -> None:
    words = [str(word) for word in ("train", few, *WORDS, "--epochs", EPOCHS, "--out", tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("epoch 1/"):
            assert process.poll() is None
        refused(run("train", few, "--resume", tmp_path), 1, f"{tmp_path}: another `ckn train` writes there")
        process.stderr.read()
        assert process.wait(timeout=60) == 0
    same_run(whole[0], tmp_path)


def test_a_full_disk_says_which_state_there_is(
    run: Any, few: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write = epochs.save_state

    def full(state: TrainingState, *rest: Any) -> None:
        if state.epoch == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(state, *rest)

    monkeypatch.setattr(epochs, "save_state", full)
    result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", tmp_path)
    kept = f"{tmp_path / 'last.safetensors'} holds epoch 1, the last good one"
    refused(result, 1, f"error: {tmp_path}: cannot be written: No space left on device; {kept}", "--out")


def test_a_run_does_not_go_on_with_other_data(run: Any, few: Path, whole: Any, tmp_path: Path) -> None:
    with np.load(few) as arrays:
        images, labels = arrays["images"].copy(), arrays["labels"]
    images[:, 3, 3] += 1
    np.savez(tmp_path / "other.npz", images=images, labels=labels)
    refused(run("train", tmp_path / "other.npz", "--resume", whole[0]), 1, "error:", "other data or labels")
    refused(run("train", few, "--resume", tmp_path), 1, f"{tmp_path / 'last.safetensors'}: no such file")
    (tmp_path / "last.safetensors").write_bytes((whole[0] / "model.safetensors").read_bytes())
    refused(run("train", few, "--resume", tmp_path), 1, "not a file of kind 'ckn-training'")


@pytest.fixture(scope="module")
def validated(run: Any, few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of a run that was measured on images held out, and what it said."""
    folder = tmp_path_factory.mktemp("validated")
    result = run("train", few, *WORDS, "--lr", 1, *SCHEDULED, "--out", folder)
    assert result.exit_code == 0, result.stderr
    return folder, result


def test_validation_chooses_the_model(validated: Any) -> None:
    folder, result = validated
    last = load_state(folder / "last.safetensors")
    measured = [report.validation_accuracy for report in last.history]
    assert last.initial is not None
    assert [line["validation_accuracy"] for line in lines(folder)] == [last.initial.validation_accuracy, *measured]
    number = measured.index(max(measured)) + 1
    best = load_state(folder / "best.safetensors")
    assert best.epoch == number < EPOCHS, "the case shows nothing where the last epoch is the best"
    model = ckn.load(folder / "model.safetensors")
    for a, b in zip(model.network.bare_layers, best.network.bare_layers, strict=True):
        assert np.array_equal(a.filters, b.filters)
    assert np.array_equal(model.head.weights, best.head.weights)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["n_train"], metrics["n_validation"], metrics["n_test"]) == (60, 20, 20)
    assert (metrics["best_epoch"], metrics["validation_accuracy"]) == (number, max(measured))
    assert f"{max(measured):.2%} right after epoch {number}, whose model this is" in result.stdout
    assert "validation    20 of the training images" in result.stdout
    assert f"validation accuracy {measured[0]:.2%}" in result.stderr


def test_schedule_and_strategy_are_those_asked_for(validated: Any) -> None:
    folder, _ = validated
    rates = [line["rate"] for line in lines(folder)]
    np.testing.assert_allclose(rates, [0.0, 1.0, 0.1, 0.01, 0.01])
    assert "strategy" in (folder / "metrics.json").read_text(encoding="utf-8")
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["strategy"] == "LayerReversal(proximity=10.0, exact_every=1)"
    assert (metrics["schedule"], metrics["halve"]) == ("Steps(milestones=(1.0, 2.0), factor=0.1)", False)


def test_a_validated_run_goes_on_to_the_same_numbers(
    run: Any, few: Path, validated: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # After the best epoch, so that the best one is not among those still to come.
    after = load_state(validated[0] / "best.safetensors").epoch + 1
    with monkeypatch.context() as patched:
        stopping(KeyboardInterrupt(), after, patched)
        assert run("train", few, *WORDS, "--lr", 1, *SCHEDULED, "--out", tmp_path).exit_code == 130
    result = run("train", few, "--resume", tmp_path)
    assert result.exit_code == 0, result.stderr
    same_run(validated[0], tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--validation", 0.1], "--validation: the run in {folder} has 0.25, got 0.1"),
        (["--schedule", "cosine"], "--schedule: the run in {folder} has steps, got cosine"),
        (["--strategy", "joint"], "--strategy: the run in {folder} has reversal, got joint"),
    ],
)
def test_a_validated_run_does_not_go_on_otherwise(
    run: Any, few: Path, validated: Any, words: list[Any], message: str
) -> None:
    folder = validated[0]
    refused(run("train", few, "--resume", folder, *words), 2, message.format(folder=folder))


@pytest.mark.parametrize("words", [["--schedule", "cosine"], ["--schedule", "steps"]])
def test_a_schedule_over_all_epochs_may_end_early_and_goes_no_further(
    run: Any, few: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert run("train", few, *WORDS, *words, "--epochs", EPOCHS, "--out", one).exit_code == 0
    with monkeypatch.context() as patched:
        stopping(KeyboardInterrupt(), 1, patched)
        assert run("train", few, *WORDS, *words, "--epochs", EPOCHS, "--out", other).exit_code == 130
    message = f"--epochs 4: the learning rate of the run in {other} follows --schedule {words[1]} over {EPOCHS} epochs"
    refused(run("train", few, "--resume", other, "--epochs", 4), 2, message)
    # The model of the epoch that it is in, without another one, and later the rest of the schedule.
    assert run("train", few, "--resume", other, "--epochs", 1).exit_code == 0
    assert [line["epoch"] for line in lines(other)] == [0, 1]
    assert isinstance(ckn.load(other / "model.safetensors"), ckn.Model)
    assert run("train", few, "--resume", other, "--epochs", EPOCHS).exit_code == 0
    same_run(one, other)


def test_a_state_is_no_model_and_says_how_it_becomes_one(run: Any, few: Path, whole: Any) -> None:
    advice = f"ckn train DATA --resume {whole[0]} --epochs {EPOCHS}"
    for command in (["show"], ["evaluate", few]):
        result = run(command[0], whole[0] / "best.safetensors", *command[1:])
        refused(result, 1, "the state of a training, no model", advice)


def given_options(**change: Any) -> dict[str, Any]:
    """The options of a run that begins, all defaults but some."""
    options = {name: parameter.default for name, parameter in signature(train).parameters.items()} | change
    return options | {"planned": options["epochs"]}


def test_options_of_a_fresh_run_are_the_defaults_of_the_library() -> None:
    assert supervised_settings(given_options(), np.zeros((500, 8, 8, 1))) == Supervised()


@pytest.mark.parametrize(
    ("change", "factors"),
    [
        ({"schedule": "constant", "warm_up": 0}, [1, 1, 1, 1]),
        ({"schedule": "cosine", "warm_up": 0}, [1, 0.853553, 0.5, 0.146447]),
        ({"schedule": "cosine"}, [0, 1, 0.75, 0.25]),
        ({"schedule": "cosine", "epochs": 1}, [1, 0, 0, 0]),
        ({"schedule": "steps", "milestones": "1,3"}, [1, 0.1, 0.1, 0.01]),
        ({"schedule": "constant", "epochs": 1}, [0, 1, 1, 1]),
        ({"schedule": "cosine", "warm_up": 2}, [0, 0.5, 1, 0.5]),
        ({"schedule": "steps", "epochs": 10, "warm_up": 0, "first": 5}, [1, 0.1, 0.1, 0.01]),
        ({"schedule": "steps", "milestones": "2,3", "warm_up": 1}, [0, 1, 0.1, 0.01]),
    ],
)
def test_schedules(change: dict[str, Any], factors: list[float]) -> None:
    first = change.get("first", 0)
    settings = supervised_settings(given_options(**{"epochs": 4, **change}), np.zeros((500, 8, 8, 1)))
    assert not settings.halve
    found = [settings.schedule(epoch) for epoch in range(first, first + 4)]
    np.testing.assert_allclose(found, factors, atol=1e-6)


def test_divergence_is_told_with_advice_and_leaves_nothing(
    run: Any, few: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A loss that is no better than that of a head of zeros is divergence enough.
    monkeypatch.setattr("ckn.supervised.trainer.WORSE_THAN_NOTHING", 1e-9)
    result = run("train", few, *WORDS, "--out", tmp_path / "out")
    refused(result, 1, "error: --lr: the loss was", "in epoch 1", "try a tenth of it", "--clip 1")
    assert "nothing was written" in result.stderr
    assert not (tmp_path / "out").exists()


def test_divergence_keeps_the_last_good_state(
    run: Any, few: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stopping(DivergedError("rate: too far", None), 1, monkeypatch)  # type: ignore[arg-type]
    result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", tmp_path)
    refused(result, 1, "--lr: too far", f"{tmp_path / 'last.safetensors'} holds epoch 1, the last good one")
    assert load_state(tmp_path / "last.safetensors").epoch == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lr", 0.1], "--lr: only with --supervised"),
        (["--supervised", "--minibatch", 100], "--minibatch 100: there are 80 training images"),
        (["--supervised", "--augment", "flip,spin"], "expected some of flip,crop,cutout, got 'spin'"),
        (["--supervised", "--precision", "bfloat16"], "--precision bfloat16: numpy has no such type; leave it out"),
        (["--supervised", "--lr", "nan"], "expected a finite number > 0, got nan"),
        (["--supervised", "--reg", 0], "expected a finite number > 0, got 0"),
        (["--supervised", "--head", "svm"], "'svm'"),
        (["--validation", 0.2], "--validation: only with --supervised"),
        (["--supervised", "--validation", 1], "expected a share between 0 and 1, got 1"),
        (["--supervised", "--augment", "flip,flip"], "expected each word once, got flip,flip"),
        (["--supervised", "--milestones", "1,2"], "--milestones 1,2: only with --schedule steps"),
        (["--supervised", "--milestones", "2,2"], "expected increasing numbers of epochs such as 60,85, got 2,2"),
        (["--supervised", "--milestones", "a"], "expected numbers of epochs such as 60,85, got 'a'"),
        (["--supervised", "--warm-up", 20], "--warm-up 20: there are 20 epochs; choose at most 19"),
        (
            ["--supervised", "--schedule", "steps", "--milestones", "2,9", "--warm-up", 3],
            "--milestones 2,9: the first one lies within the warm-up of 3 epochs",
        ),
        (["--supervised", "--weight-decay", 0.1], "--weight-decay 0.1: it has no effect with --strategy alternating"),
    ],
)
def test_options_that_do_not_go_together(run: Any, few: Path, words: list[Any], message: str, tmp_path: Path) -> None:
    refused(run("train", few, "--out", tmp_path / "out", *words), 2, message)
    assert not (tmp_path / "out").exists()
