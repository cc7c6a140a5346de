"""`ckn train`: what it writes and says."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ckn
from ckn.commands import results
from ckn.commands import train as train_command
from ckn.commands.console import Left
from kerneltools import memory
from kerneltools.forecasting import Forecast, Stage
from kerneltools.locks import holding

FILES = ["certificate.png", "confusion.png", "filters.png", "metrics.json", "model.safetensors"]
PATHS = os.pathsep.join(sys.path)
CKN = [sys.executable, "-m", "ckn.cli"]
# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start inherits that.
LISTENING = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL); import ckn.cli; ckn.cli.main()",
]


def contents(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_writes_the_model_its_numbers_and_its_pictures(trained: Any) -> None:
    folder, _ = trained
    assert contents(folder) == FILES
    for name in FILES[:3]:
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("L").getcolors(256) or []) > 3


def test_metrics_are_flat_and_complete(trained: Any, digits: Path) -> None:
    folder, result = trained
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert all(value is None or isinstance(value, str | int | float) for value in metrics.values())
    assert metrics["test_accuracy"] > 0.8
    assert metrics["train_seconds"] > 0
    asked = {"data": str(digits), "seed": 3, "patches": 500, "architecture": "small", "whiten": False}
    assert {key: metrics[key] for key in asked} == asked
    assert metrics["n_train"] + metrics["n_test"] == 300
    assert metrics["numpy_version"] == np.__version__
    assert {"reg", "loo_accuracy", "python_version", "kerneltools_version", "scikit-learn_version"} <= set(metrics)
    assert {"missed_layer_1", "missed_layer_2", "backend", "device"} <= set(metrics)
    assert f"{metrics['test_accuracy']:.2%}" in result.stdout


def test_the_head_is_chosen_on_many_images_or_asked_for(
    run: Any, digits: Path, trained: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def told(folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        return found

    few = told(trained[0])
    assert (few["head"], few["head_rows_left_out"]) == ("ridge", "one at a time")
    assert few["ridge_left_out_accuracy"] == few["loo_accuracy"]
    asked = run("train", digits, "--out", tmp_path / "asked", "--patches", 200, "--head", "hinge")
    found = told(tmp_path / "asked")
    assert (found["head"], found["reg"]) == ("hinge", found["hinge_reg"])
    assert "ridge_reg" not in found
    monkeypatch.setattr("ckn.choice.MANY", 100)
    many = run("train", digits, "--out", tmp_path / "many", "--patches", 200)
    found = told(tmp_path / "many")
    assert found["head_rows_left_out"] == pytest.approx(found["n_train"] / 5, abs=5)
    assert max(found["ridge_left_out_accuracy"], found["hinge_left_out_accuracy"]) == found["loo_accuracy"]
    assert 0 < found["head_seconds"] < found["train_seconds"]
    assert found["features_kept"].startswith("in memory, ")
    errors = {key: value for key, value in found.items() if key.startswith("left_out_error_at_")}
    assert min(errors, key=errors.get) == f"left_out_error_at_{found['reg']:.6g}"  # type: ignore[arg-type]  # floats
    assert not any(key.startswith("loo_error_at_") for key in found)
    for result in (asked, many):
        assert re.search(r"head +.*hinge [0-9.]+%.* left out right; [0-9.]+ s of the training", result.stdout)
    shown = run("show", tmp_path / "asked" / "model.safetensors")
    assert "classifier" in shown.stdout


def test_says_split_architecture_and_stages_without_control_characters(trained: Any) -> None:
    _, result = trained
    for words in ("drawn with seed 3", "small, chosen for images of 8x8 pixels", "test accuracy", "λ", "leave-one-out"):
        assert words in result.stdout
    for stage in ("layer 1: filters", "layer 2: patches", "ridge", "certificate"):
        assert stage in result.stderr
    assert all(c.isprintable() or c == "\n" for c in result.stdout + result.stderr)


def test_same_seed_gives_the_same_model(run: Any, digits: Path, trained: Any, tmp_path: Path) -> None:
    assert run("train", digits, "--out", tmp_path, "--patches", 500, "--seed", 3).exit_code == 0
    assert contents(tmp_path) == FILES
    a, b = (ckn.load(f / "model.safetensors") for f in (trained[0], tmp_path))
    assert isinstance(a, ckn.Model)
    assert isinstance(b, ckn.Model)
    np.testing.assert_array_equal(a.head.weights, b.head.weights)
    first, second = ((f / "model.safetensors").read_bytes() for f in (trained[0], tmp_path))
    assert first == second


def test_own_test_split_whitening_and_names_of_classes(run: Any, tmp_path: Path) -> None:
    data, out = colours(tmp_path / "pair.npz"), tmp_path / "out"
    result = run("train", data, "--whiten", "--out", out, "--patches", 200, "--batch", 5)
    assert result.exit_code == 0, result.stderr
    assert "the test split of" in result.stdout
    model = ckn.load(out / "model.safetensors")
    assert isinstance(model, ckn.Model)
    assert model.classes == ("noise", "stripes")
    assert [type(step).__name__ for step in model.preprocessing] == ["Scale", "Whiten"]
    assert json.loads((out / "metrics.json").read_text(encoding="utf-8"))["test_accuracy"] == 1.0


def test_test_images_of_another_source_are_matched_by_the_names_of_their_classes(run: Any, tmp_path: Path) -> None:
    train = colours(tmp_path / "train.npz")
    images, labels = striped(12)
    names = np.asarray(["stripes", "noise"])[1 - labels]  # the other order, and one class more
    np.savez(tmp_path / "more.npz", images=images, labels=names, classes=["unused", "stripes", "noise"])
    out = tmp_path / "out"
    result = run("train", train, "--test", tmp_path / "more.npz", "--out", out, "--patches", 200)
    assert result.exit_code == 0, result.stderr
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["n_train"], metrics["n_test"]) == (40, 12)
    assert metrics["test_accuracy"] == 1.0


def test_default_folder_is_named_after_the_data(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = colours(tmp_path / "photos.npz")
    monkeypatch.chdir(tmp_path)
    assert run("train", data, "--patches", 100).exit_code == 0
    assert contents(tmp_path / "ckn-photos") == FILES


def test_reduced_filters_and_lambda_at_an_end_are_notes(run: Any, tmp_path: Path) -> None:
    images = np.full((20, 8, 8, 1), 7, dtype=np.uint8)
    np.savez(tmp_path / "flat.npz", images=images, labels=np.arange(20) % 2)
    result = run("train", tmp_path / "flat.npz", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert any("asked for, 1 made" in line for line in notes)
    assert any("end of the values tried" in line for line in notes)


def test_a_folder_that_cannot_be_written_is_found_before_training(
    run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(train_command, "run", never)
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        result = run("train", digits, "--out", out)
        assert result.exit_code == 1
        assert f"{out}: cannot be written" in result.stderr
    assert contents(tmp_path) == ["file"]


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (MemoryError, 1), (OSError, 1)])
def test_training_that_fails_leaves_nothing(
    error: type[BaseException], code: int, run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ckn.estimators.body.chosen_head", raiser(error))
    result = run("train", digits, "--out", tmp_path / "a" / "b", "--patches", 100)
    assert result.exit_code == code
    assert contents(tmp_path) == []


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [MemoryError("no room"), FULL, RuntimeError("a font is missing"), UnicodeError("x")])
def test_a_picture_that_fails_is_a_note(
    error: Exception, run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ckn.pictures.common.confusion_matrix", raiser(error))
    result = run("train", digits, "--out", tmp_path / "a", "--patches", 100)
    assert result.exit_code == 0, result.stderr
    assert contents(tmp_path / "a") == [name for name in FILES if name != "confusion.png"]
    cause = "No space left on device; make room, or choose another folder with --out" if error is FULL else str(error)
    assert f"note: {tmp_path / 'a' / 'confusion.png'} was not written: {cause}" in result.stderr
    assert "confusion.png" not in result.stdout


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("ckn.training.judged", ["model.safetensors"]),
        ("ckn.pictures.common.certificate", [name for name in FILES if name != "certificate.png"]),
    ],
)
def test_a_finished_model_is_kept_when_what_follows_is_stopped(
    place: str, kept: list[str], run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(place, raiser(KeyboardInterrupt))
    result = run("train", digits, "--out", tmp_path, "--patches", 100)
    assert result.exit_code == 130
    assert contents(tmp_path) == kept
    assert isinstance(ckn.load(tmp_path / "model.safetensors"), ckn.Model)
    assert f"note: {tmp_path / 'model.safetensors'} is written" in result.stderr
    assert "nothing was written" not in result.stderr


def test_a_finished_model_is_kept_when_the_test_fails(
    run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ckn.training.judged", raiser(MemoryError("Unable to allocate 226. GiB")))
    result = run("train", digits, "--out", tmp_path, "--patches", 100)
    assert result.exit_code == 1
    assert contents(tmp_path) == ["model.safetensors"]
    said = result.stderr.splitlines()[-1]
    assert said.startswith(
        f"error: not enough memory (Unable to allocate 226. GiB) for {digits}; try a smaller --batch"
    )


def test_a_full_disk_names_the_folder_and_what_is_kept(
    run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write = results.save

    def full(model: Any, path: Path) -> None:
        if path.parent == tmp_path / "out":
            raise FULL
        write(model, path)

    monkeypatch.setattr(results, "save", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = run("train", digits, "--out", tmp_path / "out", "--patches", 100)
    assert result.exit_code == 1
    (kept,) = tmp_path.glob("ckn-*/model.safetensors")
    assert isinstance(ckn.load(kept), ckn.Model)
    model = tmp_path / "out" / "model.safetensors"
    said = f"error: {model}: cannot be written: No space left on device; the model is in {kept} instead; make room, or"
    assert said in result.stderr
    assert "--out" in result.stderr.splitlines()[-1]
    assert contents(tmp_path) == [kept.parent.name]


def test_full_disk_for_the_numbers(run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(results, "metrics", raiser(FULL))
    result = run("train", digits, "--out", tmp_path, "--patches", 100)
    assert result.exit_code == 1
    assert contents(tmp_path) == ["model.safetensors"]
    words = f"metrics.json: cannot be written: No space left on device; {tmp_path / 'model.safetensors'} is written"
    assert words in result.stderr
    assert "--out" in result.stderr.splitlines()[-1]


def test_links_stay_links(run: Any, digits: Path, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    for name in FILES:
        (out / name).symlink_to(elsewhere / name)
    assert run("train", digits, "--out", out, "--patches", 100).exit_code == 0
    assert all((out / name).is_symlink() for name in FILES)
    assert contents(out) == contents(elsewhere) == FILES


@pytest.mark.parametrize("target", ["/dev/null", "absent/model.safetensors", "model.safetensors"])
def test_links_that_lead_nowhere_are_found_before_training(
    target: str, run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(train_command, "run", never)
    (tmp_path / "model.safetensors").symlink_to(target)
    result = run("train", digits, "--out", tmp_path)
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert "--out" in result.stderr
    assert contents(tmp_path) == ["model.safetensors"]


def test_a_folder_that_another_run_writes_to(
    run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".ckn-dead").mkdir()
    (tmp_path / ".model.safetensors.abcdefgh.safetensors").touch()
    (tmp_path / ".metrics.json.swp").touch()  # an editor's
    with holding(tmp_path) as held, monkeypatch.context() as patched:
        assert held
        patched.setattr(train_command, "run", never)
        result = run("train", digits, "--out", tmp_path)
    assert result.exit_code == 1
    assert f"error: {tmp_path}: another `ckn train` writes there" in result.stderr
    assert len(contents(tmp_path)) == 3
    # What dead runs have left goes with the next run.
    assert run("train", digits, "--out", tmp_path, "--patches", 100).exit_code == 0
    assert contents(tmp_path) == [".metrics.json.swp", *FILES]


def test_class_names_that_cannot_be_drawn(run: Any, tmp_path: Path) -> None:
    images, labels = striped(40)
    names = np.asarray(["\x1b]0;title\x07", "=1+1\ud800"])
    np.savez(tmp_path / "odd.npz", images=images, labels=names[labels])
    out = tmp_path / "out"
    result = run("train", tmp_path / "odd.npz", "--out", out, "--patches", 200)
    assert result.exit_code == 0, result.stderr
    assert contents(out) == FILES
    result = run("evaluate", out / "model.safetensors", tmp_path / "odd.npz", "--out", tmp_path / "numbers.json")
    assert result.exit_code == 0, result.stderr
    assert all(c.isprintable() or c == "\n" for c in result.stdout + result.stderr)
    assert set(json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))["classes"]) == set(names.tolist())
    result = run("predict", out / "model.safetensors", tmp_path / "odd.npz")
    assert {line.split(",")[1] for line in result.stdout.splitlines()[1:]} == {r"\x1b]0;title\x07", r"'=1+1\ud800"}


def test_a_folder_in_the_place_of_a_file_is_found_before_training(
    run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(train_command, "run", never)
    (tmp_path / "model.safetensors").mkdir()
    result = run("train", digits, "--out", tmp_path)
    assert result.exit_code == 1
    assert "model.safetensors: cannot be written: is a folder" in result.stderr
    assert contents(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize(
    ("sent", "code", "last"),
    [(signal.SIGINT, 130, "stopped; nothing was written"), (signal.SIGTERM, 143, None), (signal.SIGHUP, 129, None)],
)
def test_a_signal_leaves_an_earlier_model_as_it_was(
    sent: signal.Signals, code: int, last: str | None, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(300) % 3)
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.safetensors").write_text("earlier")
    words = ["train", str(tmp_path / "data.npz"), "--out", str(out), "--architecture", "unsup-512-8192"]
    with subprocess.Popen(
        [*LISTENING, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("preprocessing")
        process.send_signal(sent)
        said = process.stderr.read()
        assert process.wait(timeout=60) == code
    assert last is None or said.splitlines()[-1] == last
    assert "Traceback" not in said
    assert contents(out) == ["model.safetensors"]
    assert (out / "model.safetensors").read_text() == "earlier"


# Ctrl-C at the import of a module, sent by the process to itself.
STOPPED_AT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
stop = sys.argv.pop(1)
class Finder:
    def find_spec(self, name, path, target=None):
        if name == stop:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from ckn.cli import main
main()
"""


@pytest.mark.parametrize("module", ["numpy", "rich.console", "ckn.commands.train", "matplotlib", "sklearn"])
def test_ctrl_c_during_imports_ends_quietly(module: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", STOPPED_AT, module, "train", "digits", "--out", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": PATHS})
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert contents(tmp_path) == []


@pytest.mark.parametrize("package", ["matplotlib", "sklearn"])
def test_missing_package_is_one_line(
    package: str, run: Any, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = run("train", digits, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "pip install 'kerneltools[cli]'" in result.stderr


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_missing_package_of_the_command_line_is_one_line(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from ckn.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'kerneltools[cli]'" in done.stderr


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("the work had begun")


def raiser(error: BaseException | type[BaseException]) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise error

    return fail


def striped(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Colour images of 9x8 pixels, of noise (0) and of stripes (1), in turn."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 9, 8, 3), dtype=np.uint8)
    images[1::2] = images[1::2, :, :1]
    return images, np.arange(n) % 2


def colours(path: Path) -> Path:
    """A .npz file of 40 training and 10 test images of two classes with names."""
    (x, y), (x_test, y_test) = striped(40), striped(10)
    np.savez(path, X_train=x, y_train=y, X_test=x_test, y_test=y_test, classes=["noise", "stripes"])
    return path


def test_a_dry_run_says_how_long_it_will_take_and_writes_nothing(
    run: Callable[..., Any], digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("train", digits, "--dry-run", "--patches", 500, "--out", tmp_path / "model")
    assert result.exit_code == 0, result.stderr
    assert contents(tmp_path) == []
    for name in ("layer 2: filters", "encoding", "test images", "in all", "memory"):
        assert f"\n{name} " in result.stdout
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    result = run("train", digits, "--dry-run", "--patches", 500, "--quiet")
    assert result.exit_code == 0
    assert "not enough memory" in result.stdout
    assert "fewer --patches or a smaller --architecture" in result.stdout
    assert "architecture" not in result.stdout.partition("memory")[0]
    assert run("train", digits, "--dry-run", "--resume", tmp_path).exit_code != 0
    assert contents(tmp_path) == []


def test_a_dry_run_of_objects(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    series = Path(__file__).parents[1] / "data" / "GunPoint_TRAIN.ts"
    result = run("train", series, "--dry-run", "--patches", 500, "--filters", 4)
    assert result.exit_code == 0, result.stderr
    assert "test series" in result.stdout
    assert contents(tmp_path) == []


def test_what_is_done_of_a_forecast_goes_by_its_stages() -> None:
    left = Left(Forecast(tuple(Stage(name, 10.0, 8.0, 12.0) for name in ("a", "b", "c")), 0.0))
    told = [("a", 0, 1), ("a", 1, 1), ("other", 1, 2), ("b", 1, 2), ("a", 1, 2), ("c", 2, 1), ("c", 1, 0)]
    assert left.seconds == 30
    assert [left.done(*each) for each in told] == [0, 10, 10, 15, 15, 30, 30]
    assert left.seconds == 0


def test_a_dry_run_says_at_once_that_a_folder_cannot_be_written(
    run: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full" / "metrics.json").mkdir(parents=True)
    for out, what in (("file/model", "file/model"), ("full", "full/metrics.json")):
        result = run("train", digits, "--dry-run", "--out", tmp_path / out)
        assert result.exit_code == 1
        assert f"{what}: cannot be written" in " ".join(result.stderr.split())
        assert result.stdout == ""
    assert contents(tmp_path) == ["file", "full"]
    assert contents(tmp_path / "full") == ["metrics.json"]
