"""MNIST's IDX files."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ckn.readers import DataError, read

PIXELS = np.arange(4 * 3 * 2, dtype=np.uint8).reshape(4, 3, 2)
LABELS = np.asarray([7, 0, 3, 7], dtype=np.uint8)
STEMS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def mnist(idx_file, ending="", dot="-"):
    for stem, array in zip(STEMS, (PIXELS, LABELS, PIXELS[2:] + 1, LABELS[2:]), strict=True):
        idx_file(f"{stem.replace('-idx', f'{dot}idx')}-ubyte{ending}", array)


# Each example overwrites the files of the one before.
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(images=hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3)), data=st.data())
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_round_trip(idx_file, ending, images, data):
    labels = data.draw(hnp.arrays(np.uint8, len(images)))
    path = idx_file(f"my-images-idx3-ubyte{ending}", images)
    idx_file(f"my-labels-idx1-ubyte{ending}", labels)
    got = read(path)
    np.testing.assert_array_equal(got.images[..., 0], images)
    assert [int(got.classes[i]) for i in got.labels] == labels.tolist()
    assert list(got.classes) == [str(v) for v in np.unique(labels)]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dot", ["-", "."])
def test_folder(tmp_path, idx_file, ending, dot):
    mnist(idx_file, ending, dot)
    data = read(tmp_path)
    np.testing.assert_array_equal(data.images, PIXELS[..., np.newaxis])
    np.testing.assert_array_equal(data.test.images, PIXELS[2:, ..., np.newaxis] + 1)
    np.testing.assert_array_equal(data.labels, [2, 0, 1, 2])
    np.testing.assert_array_equal(data.test.labels, [1, 2])
    assert data.classes == data.test.classes == ("0", "3", "7")
    assert data.maximum == 255
    assert data.labels.dtype == np.int64
    assert data.images.flags.writeable


def test_folder_without_test_split(tmp_path, idx_file):
    idx_file("train-images-idx3-ubyte", PIXELS)
    idx_file("train-labels-idx1-ubyte.gz", LABELS)
    data = read(tmp_path)
    assert len(data) == 4
    assert data.test is None


def test_one_file_with_its_labels_beside(tmp_path, idx_file):
    mnist(idx_file)
    data = read(tmp_path / "t10k-images-idx3-ubyte")
    np.testing.assert_array_equal(data.labels, [0, 1])
    assert data.classes == ("3", "7")
    assert data.test is None


def test_one_file_without_labels(idx_file):
    data = read(idx_file("some-images.idx3-ubyte.gz", PIXELS))
    assert data.labels is None
    assert data.classes == ()


def test_gzip_is_known_by_its_content(tmp_path, idx_file):
    path = idx_file("x-images-idx3-ubyte", PIXELS)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert len(read(path)) == 4
    plain = tmp_path / "y-images-idx3-ubyte.gz"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert len(read(plain)) == 4


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_missing_file_of_a_split(tmp_path, idx_file, missing):
    mnist(idx_file, ".gz")
    (tmp_path / f"{STEMS[missing]}-ubyte.gz").unlink()
    with pytest.raises(DataError, match=f"no file {STEMS[missing]}-ubyte or {STEMS[missing]}-ubyte.gz in it"):
        read(tmp_path)


@pytest.mark.parametrize("stem", STEMS)
def test_truncated_gzip_is_named(tmp_path, idx_file, stem):
    mnist(idx_file, ".gz")
    path = tmp_path / f"{stem}-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=rf"{stem}-ubyte\.gz: truncated or corrupt gzip file .*; get it again"):
        read(tmp_path)


def test_corrupt_gzip_is_named(idx_file):
    path = idx_file("x-images-idx3-ubyte.gz", PIXELS)
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 255  # the checksum
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"x-images-idx3-ubyte\.gz: truncated or corrupt gzip file \(CRC"):
        read(path)


@pytest.mark.parametrize(("change", "got"), [(-1, 23), (1, 25)])
def test_size_must_be_that_of_the_header(idx_file, change, got):
    path = idx_file("x-images-idx3-ubyte", PIXELS)
    raw = path.read_bytes()
    path.write_bytes(raw[:change] if change < 0 else raw + bytes(change))
    with pytest.raises(DataError, match=rf"the header says 4x3x2 = 24 bytes of images, got {got}: truncated, or"):
        read(path)


@pytest.mark.parametrize("size", [0, 3, 15])
def test_shorter_than_a_header(idx_file, size):
    path = idx_file("x-images-idx3-ubyte", PIXELS)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=rf"x-images-idx3-ubyte: {size} bytes are less than the header .* truncated"):
        read(path)


def test_magic_number(tmp_path, idx_file):
    mnist(idx_file)
    idx_file("train-images-idx3-ubyte", PIXELS[0])
    with pytest.raises(DataError, match=r"train-images.*: expected the magic number 2051 \(IDX images\), got 2050"):
        read(tmp_path)
    mnist(idx_file)
    idx_file("t10k-labels-idx1-ubyte", PIXELS)
    with pytest.raises(DataError, match=r"t10k-labels.*: expected the magic number 2049 \(IDX labels\), got 2051"):
        read(tmp_path)


def test_header_that_promises_terabytes(idx_file):
    path = idx_file("x-images-idx3-ubyte.gz", PIXELS)
    path.write_bytes(gzip.compress(struct.pack(">4I", 0x0803, 2**31, 2**31, 2**31) + bytes(9)))
    with pytest.raises(DataError, match=r"the header says .* bytes of images, got 9"):
        read(path)


def test_no_image(idx_file):
    with pytest.raises(DataError, match="x-images-idx3-ubyte: there is no image in it"):
        read(idx_file("x-images-idx3-ubyte", PIXELS[:0]))


def test_number_of_labels(tmp_path, idx_file):
    mnist(idx_file)
    idx_file("train-labels-idx1-ubyte", LABELS[:3])
    with pytest.raises(DataError, match=r"4 images, but labels of shape \(3,\)"):
        read(tmp_path)


def test_test_label_without_class(tmp_path, idx_file):
    mnist(idx_file)
    idx_file("t10k-labels-idx1-ubyte", np.asarray([3, 9], dtype=np.uint8))
    with pytest.raises(
        DataError, match=r"t10k-labels-idx1-ubyte: labels 9 stand for none of the 3 classes, .* 0, 3, 7"
    ):
        read(tmp_path)
