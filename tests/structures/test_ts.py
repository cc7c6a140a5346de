"""Files of the UEA and UCR archives."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from kerneltools.structures import read_ts

HEAD = "#a comment\n@problemName Some\n@timeStamps false\n@missing true\n@univariate false\n@dimensions 2\n"
CLASSES = "@equalLength false\n@classLabel true up down\n@data\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "some.ts"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_series_of_several_lengths_and_their_classes(tmp_path: Path, end: str) -> None:
    text = f"{HEAD}{CLASSES}1,2,4:0,0,1:up\n\n3,-1e-1,?: 0,0,?:down\n".replace("\n", end)
    x, y = read_ts(written(tmp_path, text))
    assert [one.tolist() for one in x] == [[[1, 0], [2, 0], [4, 1]], [[3, 0], [-0.1, 0]]]
    assert y is not None
    assert y.tolist() == ["up", "down"]


def test_targets_and_none(tmp_path: Path) -> None:
    _, y = read_ts(written(tmp_path, "@univariate true\n@targetLabel true\n@data\n1,2:0.5\n3,4:-2\n"))
    assert y is not None
    assert y.tolist() == [0.5, -2.0]
    assert read_ts(written(tmp_path, "@univariate true\n@classLabel false\n@data\n1,2\n3,4\n"))[1] is None


def test_what_is_missing_is_filled_in_where_asked(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEAD}{CLASSES}1,?,4:0,0,1:up\n")
    assert read_ts(path, fill=-1.0)[0][0].tolist() == [[1, 0], [-1, 0], [4, 1]]


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "some.ts.gz"
    with gzip.open(path, "wt") as file:
        file.write(f"{HEAD}{CLASSES}1:2:up\n")
    assert np.asarray(read_ts(path)[0][0]).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEAD}1,2:3,4:up\n@data\n", "line 7: expected a tag such as @problemName before @data, got '1,2:3,4:up'"),
        (HEAD, "expected a line @data, got none"),
        (f"{HEAD}{CLASSES}", "expected series behind @data"),
        (f"{HEAD}{CLASSES}1,2:3,4:left\n", "line 10: expected one of the classes down, up at the end, got 'left'"),
        (f"{HEAD}{CLASSES}1,2:3:up\n", "line 10: expected channels of one length, got 1, 2"),
        (f"{HEAD}{CLASSES}1,2:up\n", "line 10: expected 2 channels, got 1"),
        (f"{HEAD}{CLASSES}1,?,3:3,4,5:up\n", "line 10: value 1 of channel 0 is missing; set `fill`"),
        (f"{HEAD}{CLASSES}1,x:3,4:up\n", "line 10: could not convert string to float: 'x'"),
        (f"{HEAD}{CLASSES}1,inf:3,4:up\n", "line 10: expected finite numbers, got inf"),
        ("@timeStamps true\n@data\n(1,2):up\n", "@timeStamps true is not read"),
        ("@dimensions two\n@data\n", "expected a whole number behind @dimensions, got 'two'"),
        ("@equalLength true\n@seriesLength 3\n@data\n1,2\n", "line 4: expected @seriesLength 3 values, got 2"),
        ("@data\n1,2\n1:2\n", "line 3: expected 1 channels as in the first series, got 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        read_ts(written(tmp_path, text))
