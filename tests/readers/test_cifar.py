"""CIFAR-10, binary version."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckn.readers import DataError, read

ROW = 3073


def written(path, n, seed=0):
    """n random rows in a file; returns images (n, 32, 32, 3) and labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, n, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for image, label in zip(images, labels, strict=True):
            # red, then green, then blue, each row by row
            file.write(bytes([label]) + b"".join(image[:, :, channel].tobytes() for channel in range(3)))
    return images, labels


@settings(deadline=None, max_examples=20)
@given(n=st.integers(1, 4), seed=st.integers(0, 1000))
def test_round_trip(tmp_path_factory, n, seed):
    path = tmp_path_factory.mktemp("cifar") / "x.bin"
    images, labels = written(path, n, seed)
    data = read(path)
    np.testing.assert_array_equal(data.images, images)
    np.testing.assert_array_equal(data.labels, labels)
    assert data.images.dtype == np.uint8
    assert data.labels.dtype == np.int64
    assert data.maximum == 255


def test_folder_is_all_batches_in_order_and_the_test_split(tmp_path):
    second, first = written(tmp_path / "data_batch_2.bin", 30, 2), written(tmp_path / "data_batch_1.bin", 40, 1)
    test = written(tmp_path / "test_batch.bin", 3, 3)
    data = read(tmp_path)
    np.testing.assert_array_equal(data.images, np.concatenate([first[0], second[0]]))
    np.testing.assert_array_equal(data.labels, np.concatenate([first[1], second[1]]))
    np.testing.assert_array_equal(data.test.images, test[0])
    np.testing.assert_array_equal(data.test.labels, test[1])
    assert data.classes == data.test.classes
    assert data.classes[:2] == ("airplane", "automobile")


def test_training_batches_alone_have_no_test_split(tmp_path):
    written(tmp_path / "data_batch_1.bin", 2)
    assert read(tmp_path).test is None


@pytest.mark.parametrize("source", ["", "data_batch_1.bin"], ids=["folder", "file"])
def test_class_names_of_the_file_beside(tmp_path, source):
    written(tmp_path / "data_batch_1.bin", 2)
    (tmp_path / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    assert read(tmp_path / source).classes == tuple("abcdefghij")


def test_wrong_number_of_class_names(tmp_path):
    written(tmp_path / "data_batch_1.bin", 2)
    (tmp_path / "batches.meta.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match=r"batches\.meta\.txt: expected 10 class names, got 2"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"\xff a b c d e f g h i", b"a " * 10**6], ids=["not UTF-8", "megabytes"])
def test_class_names_that_are_no_names(tmp_path, content):
    written(tmp_path / "data_batch_1.bin", 2)
    (tmp_path / "batches.meta.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"batches\.meta\.txt: expected 10 class names"):
        read(tmp_path)


@pytest.mark.parametrize("size", [0, ROW - 1, 2 * ROW + 1])
@pytest.mark.parametrize("source", ["", "test_batch.bin"], ids=["folder", "file"])
def test_truncated_file(tmp_path, size, source):
    written(tmp_path / "data_batch_1.bin", 2)
    (tmp_path / "test_batch.bin").write_bytes(bytes(size))
    with pytest.raises(DataError, match=rf"test_batch\.bin: {size} bytes is not a whole number of rows of 3073 bytes"):
        read(tmp_path / source)


def test_labels_out_of_range(tmp_path):
    rows = np.zeros((3, ROW), dtype=np.uint8)
    rows[1, 0] = 10
    (tmp_path / "x.bin").write_bytes(rows.tobytes())
    with pytest.raises(DataError, match=r"x\.bin: expected labels in 0\.\.9, got 10 in row 1"):
        read(tmp_path / "x.bin")


def test_test_batch_without_training_batches(tmp_path):
    written(tmp_path / "test_batch.bin", 1)
    with pytest.raises(DataError, match=r"no data_batch_\*\.bin in it; get the binary version"):
        read(tmp_path)


def test_python_version_is_refused_by_name(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02")
    with pytest.raises(DataError, match=r"this is the Python version \(pickles\); get the binary version"):
        read(tmp_path)


def test_test_class_without_training_images(tmp_path):
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(ROW))
    (tmp_path / "test_batch.bin").write_bytes(b"\x03" + bytes(ROW - 1))
    with pytest.raises(DataError, match="test images of classes without a training image: cat"):
        read(tmp_path)
