"""The frame of the benchmarks: what is missing is said, what was measured stays, the documentation follows the file."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def ours() -> Callable[[], float]:
    """A side that returns a number."""
    return lambda: 3.0


def theirs() -> Callable[[], float]:
    """Another."""
    return lambda: 2.0


def run(names: Sequence[str], results: Path, **settings: Any) -> Any:
    """Lines of those names through `bench.run`, measured here."""
    import bench
    from lines import AtMost, Line, Value

    def here(group: Any, threads: int) -> Any:
        if group[0].name == "stop":
            raise KeyboardInterrupt
        return bench.measured(group, bench.SIDES)

    of = [Line(n, n, ours, theirs, AtMost(1.4), "others", Value("s"), warm_up=0, **settings) for n in names]
    return bench.run(of[:1], 1, results, print, here) if len(of) == 1 else [run([n], results) for n in names]


def test_sides_are_told_with_their_ratio(tmp_path: Path) -> None:
    import recording
    import report
    from lines import AtMost, Line, Value

    fresh, reasons, failed = run(["a"], tmp_path / "results.json")
    found = recording.read(tmp_path / "results.json")["a"]
    assert (fresh, reasons, failed) == ({"a"}, {}, [])
    assert (found.ours[0], found.theirs, found.ratio[0], found.runs) == (3.0, (2.0, 2.0, 2.0), 1.5, 5)
    assert report.verdict(Line("a", "a", ours, theirs, AtMost(1.4), measure=Value()), found) == "no"
    assert report.verdict(Line("a", "a", ours, theirs, AtMost(3, absolute=True), measure=Value()), found) == "yes"


def test_lines_of_the_same_sides_share_their_runs(tmp_path: Path) -> None:
    import bench
    from lines import Line, Megabytes, Seconds

    lines = [Line("s", "", ours, theirs, measure=Seconds()), Line("t", "", ours, theirs, measure=Seconds())]
    lines += [Line("mb", "", ours, theirs, measure=Megabytes())]
    assert [[line.name for line in group] for group in bench.groups(lines)] == [["s", "t"], ["mb"]]


def test_a_missing_package_or_file_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lines import CIFAR10, Package

    monkeypatch.delenv("KERNELTOOLS_CIFAR10", raising=False)
    _, reasons, failed = run(["a"], tmp_path / "r.json", needs=(Package("no_such_module", "no-such"), CIFAR10))
    assert reasons == {"a": "not installed: pip install no-such"}
    assert not failed
    _, reasons, _ = run(["a"], tmp_path / "r.json", needs=(CIFAR10,))
    assert reasons["a"].startswith("no data: set KERNELTOOLS_CIFAR10 to an .npz of CIFAR-10")
    monkeypatch.setenv("KERNELTOOLS_CIFAR10", str(tmp_path / "absent.npz"))
    assert (
        "absent.npz of KERNELTOOLS_CIFAR10 does not exist" in run(["a"], tmp_path / "r.json", needs=(CIFAR10,))[1]["a"]
    )
    assert not (tmp_path / "r.json").exists()


def test_an_interrupted_run_keeps_what_was_there(tmp_path: Path) -> None:
    import recording

    results = tmp_path / "results.json"
    run(["stop-not", "old"], results)
    before = recording.read(results)
    with pytest.raises(KeyboardInterrupt):
        run(["new", "stop", "never"], results)
    after = recording.read(results)
    assert after == before | {"new": after["new"]}
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("text", ["{bad", "[]", '{"a": 3}', '{"a": {"ours": 1}}'])
def test_results_that_are_none_are_told_before_the_work(tmp_path: Path, text: str) -> None:
    import recording

    results = tmp_path / "results.json"
    results.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"results.json: no results of benchmarks .*--results"):
        recording.require_place(results)
    assert results.read_text(encoding="utf-8") == text
    with pytest.raises(SystemExit, match=r"--results: .* cannot be written: No such file or directory"):
        recording.require_place(tmp_path / "no" / "results.json")
    with pytest.raises(SystemExit, match=r"--results: .* is a folder; name a file in it"):
        recording.require_place(tmp_path)


def test_a_line_that_fails_is_told_and_its_record_stays(tmp_path: Path) -> None:
    import bench
    import recording
    from lines import Line

    def broken(group: Any, threads: int) -> Any:
        raise RuntimeError("broken")

    results = tmp_path / "results.json"
    run(["a"], results)
    before = recording.read(results)
    told: list[str] = []
    assert bench.run([Line("a", "", ours)], 1, results, told.append, broken) == (set(), {}, ["a"])
    assert "RuntimeError: broken" in told[0]
    assert recording.read(results) == before


def test_an_unknown_name_lists_those_that_there_are() -> None:
    import bench
    import lines

    with pytest.raises(SystemExit, match=r"no line or subject encoed; there are the subjects floor, encode"):
        bench.asked_for(lines.subjects(), ["encoed"])


def test_names_are_unique_and_records_have_a_line() -> None:
    import lines
    import recording

    names = [line.name for found in lines.subjects().values() for line in found]
    assert len(set(names)) == len(names)
    assert recording.read(recording.RESULTS).keys() <= set(names)


def test_growth_is_told_at_each_size_and_speed_in_times_of_the_other_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import measuring
    import recording
    import report
    from lines import Line, Rate, Seconds, growth

    monkeypatch.setattr(measuring, "in_fresh_process", lambda f, *arguments: f(*arguments))
    monkeypatch.setattr(growth, "SECONDS", 0)
    grown = next(line for line in growth.LINES if line.name == "growth-rows-1")
    monkeypatch.setitem(growth.SIZES, "landmarks", (5, 10))
    sizes = growth.series("landmarks")()
    found = replace(recording.record(grown, [sizes["slope"]], (), 1, 0.0), points=sizes["points"])
    recording.write(tmp_path / "results.json", {grown.name: found})
    table = list(report.points(recording.read(tmp_path / "results.json")))
    assert [row.split("|")[2].strip() for row in table[-2:]] == ["5 rows", "10 rows"]

    of = [
        Line(n, "", ours, theirs, None, "scikit-learn", m, quick=True)
        for n, m in (("s", Seconds()), ("r", Rate(1, "/s")))
    ]
    records = {line.name: recording.record(line, [4.0, 2.0], [1.0, 1.0], 1, 0.0) for line in of}
    assert report.speeds({"": tuple(of)}, records) == {
        "s, scikit-learn": pytest.approx((1 / 3, 1 / 4, 1 / 2), rel=1e-3),
        "r, scikit-learn": (3.0, 2.0, 4.0),
    }


def test_documentation_says_what_the_results_do() -> None:
    import lines
    import recording
    import report

    of, records = lines.subjects(), recording.read(recording.RESULTS)
    for path, made in ((report.PAGE, report.page), (report.README, report.front)):
        text = path.read_text(encoding="utf-8")
        assert made(text, of, records) == text, f"{path.name}: run `python benchmarks/bench.py --write-docs`"


@pytest.mark.parametrize("name", ["unsup-64-256", "ckn-5"])
def test_plain_layers_compute_the_same_features_and_gradients(name: str) -> None:
    import torch
    from lines import plain_torch

    x = torch.from_numpy(plain_torch.images(2, side=12))
    network = plain_torch.network(name, x)
    side = network.output_shape((12, 12))
    plain = plain_torch.layers_of(network)
    features = plain_torch.encoder(plain, x, batch=1)().reshape(2, -1, *side).movedim(1, -1).flatten(1)
    torch.testing.assert_close(network.encode(x), features, rtol=1e-3, atol=1e-4)

    last = plain[-1]
    z = last.filters.double().requires_grad_()
    root = replace(last, filters=z).root()
    root.square().sum().backward()
    with torch.no_grad():
        away = torch.from_numpy(plain_torch.images(len(z), side=z.shape[-1])).double()[..., :1].movedim(-1, 1)
        away = away.expand_as(z) * 1e-5
        ends = [replace(last, filters=z + sign * away).root().square().sum() for sign in (1, -1)]
    torch.testing.assert_close((z.grad * away).sum(), (ends[0] - ends[1]) / 2, rtol=1e-5, atol=1e-9)
