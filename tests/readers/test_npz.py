"""NumPy archives."""

import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ckn.readers import DataError, read

PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.asarray([5, -1])


def saved(tmp_path, **arrays):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return path


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_round_trip(tmp_path_factory, data):
    dtype = data.draw(st.sampled_from([np.uint8, np.float32, np.float64]))
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 4))
    finite = {} if dtype == np.uint8 else {"elements": st.floats(-100, 100, width=32)}
    images = data.draw(hnp.arrays(dtype, shape, **finite))
    values = (
        st.one_of(st.integers(-(2**40), 2**40), st.just(0)) if data.draw(st.booleans()) else st.text("abc", min_size=1)
    )
    labels = np.asarray(data.draw(st.lists(values, min_size=shape[0], max_size=shape[0])))
    path = saved(tmp_path_factory.mktemp("npz"), images=images, labels=labels)
    got = read(path)
    np.testing.assert_array_equal(got.images, images)
    assert got.images.dtype == dtype
    assert [got.classes[i] for i in got.labels] == [str(v) for v in labels]
    assert list(np.unique(labels).astype(str)) == list(got.classes)
    assert got.maximum == (255 if dtype == np.uint8 else None)


def test_missing_channel_axis_is_added(tmp_path):
    data = read(saved(tmp_path, images=PIXELS, labels=LABELS))
    assert data.images.shape == (2, 3, 4, 1)
    assert data.classes == ("-1", "5")
    np.testing.assert_array_equal(data.labels, [1, 0])


@pytest.mark.parametrize("upper", [True, False])
def test_splits(tmp_path, upper):
    names = ("X_train", "y_train", "X_test", "y_test")
    arrays = (PIXELS, np.asarray(["b", "a"]), PIXELS[:1] + 1, np.asarray(["b"]))
    data = read(saved(tmp_path, **{n if upper else n.lower(): a for n, a in zip(names, arrays, strict=True)}))
    np.testing.assert_array_equal(data.labels, [1, 0])
    np.testing.assert_array_equal(data.test.labels, [1])
    np.testing.assert_array_equal(data.test.images[..., 0], PIXELS[:1] + 1)
    assert data.classes == data.test.classes == ("a", "b")


def test_x_and_y(tmp_path):
    data = read(saved(tmp_path, X=PIXELS, y=LABELS))
    assert len(data) == 2
    assert data.test is None


@pytest.mark.parametrize("name", ["X", "images"])
def test_images_may_come_alone(tmp_path, name):
    data = read(saved(tmp_path, **{name: PIXELS}))
    assert data.labels is None
    assert data.classes == ()


def test_named_classes_count_integer_labels_from_zero(tmp_path):
    data = read(saved(tmp_path, X=PIXELS, y=np.asarray([1, 0]), classes=np.asarray(["zebra", "ape"])))
    assert data.classes == ("zebra", "ape")
    np.testing.assert_array_equal(data.labels, [1, 0])


def test_named_classes_order_string_labels(tmp_path):
    data = read(saved(tmp_path, X=PIXELS, y=np.asarray(["ape", "zebra"]), classes=np.asarray(["zebra", "eel", "ape"])))
    assert data.classes == ("zebra", "eel", "ape")
    np.testing.assert_array_equal(data.labels, [2, 0])


def test_integer_classes_are_the_labels_themselves(tmp_path):
    data = read(saved(tmp_path, X=PIXELS, y=np.asarray([3, 7]), classes=np.asarray([7, 5, 3])))
    assert data.classes == ("7", "5", "3")
    np.testing.assert_array_equal(data.labels, [2, 0])


@pytest.mark.parametrize(
    "labels",
    [
        np.asarray([[3], [1]]),
        np.asarray([3.0, 1.0]),
        np.asarray([3, 1], dtype=np.uint8),
        np.asarray([b"3", b"1"]),
    ],
    ids=["column", "float", "uint8", "bytes"],
)
def test_labels_of_other_types(tmp_path, labels):
    data = read(saved(tmp_path, X=PIXELS, y=labels))
    assert data.classes == ("1", "3")
    np.testing.assert_array_equal(data.labels, [1, 0])


@pytest.mark.parametrize(
    ("images", "dtype", "maximum"),
    [
        (PIXELS.astype(np.int64), np.uint8, 255),
        (PIXELS.astype(np.uint16) * 1000, np.float32, 65535),
        (PIXELS.astype(">u2") * 1000, np.float32, 65535),
        (PIXELS.astype(">u2"), np.float32, 65535),
        (PIXELS.astype(">i2"), np.uint8, 255),
        (PIXELS > 5, np.uint8, 1),
        (PIXELS.astype(">f4"), np.float32, None),
    ],
    ids=["int64", "uint16", "big-endian uint16", "dark big-endian uint16", "big-endian int16", "bool", "big-endian"],
)
def test_other_types_of_pixels(tmp_path, images, dtype, maximum):
    data = read(saved(tmp_path, X=images))
    np.testing.assert_array_equal(data.images[..., 0], images)
    assert data.images.dtype == dtype
    assert data.images.dtype.isnative
    assert data.maximum == maximum


ERRORS = {
    "no images": ({"data": PIXELS}, r"data\.npz: found data; expected images and labels, or X_train, .* or X and y"),
    "nothing": ({}, "found no array; expected images and labels"),
    "two layouts": ({"X": PIXELS, "images": PIXELS}, "found X, images; expected images and labels, or"),
    "no training labels": ({"X_train": PIXELS}, "found X_train; expected both X_train and y_train"),
    "no test labels": (
        {"X_train": PIXELS, "y_train": LABELS, "X_test": PIXELS},
        "found X_test, X_train, y_train; expected both X_test and y_test",
    ),
    "flat images": ({"X": PIXELS.reshape(2, 12)}, r"data\.npz: X: expected images of shape .*, got shape \(2, 12\)"),
    "channels first": (
        {"X": np.zeros((2, 3, 8, 8))},
        r"\(2, 3, 8, 8\) looks like \(n, c, h, w\); .*moveaxis\(x, 1, -1\)",
    ),
    "no image": ({"X": PIXELS[:0], "y": LABELS[:0]}, "there is no image in it"),
    "no pixels": ({"X": PIXELS[:, :0]}, r"images without pixels, .* \(2, 0, 4, 1\)"),
    "large integers": (
        {"X": PIXELS.astype(int) + 250},
        r"expected int64 images in 0\.\.255, got 250\.\.273; save them as",
    ),
    "negative integers": ({"X": PIXELS.astype(int) - 1}, r"expected int64 images in 0\.\.255, got -1\.\.22"),
    "complex": ({"X": PIXELS.astype(complex)}, "expected images of integers or floating-point numbers, got complex128"),
    "text": ({"X": PIXELS.astype(str)}, "expected images of integers or floating-point numbers, got <U"),
    "objects": ({"X": PIXELS.astype(object)}, "X holds Python objects, which are not loaded"),
    "object labels": ({"X": PIXELS, "y": np.asarray([1, None])}, "y holds Python objects, which are not loaded"),
    "label count": (
        {"X": PIXELS, "y": np.arange(3)},
        r"2 images, but labels of shape \(3,\); expected one label per image",
    ),
    "one-hot": (
        {"X": PIXELS, "y": np.eye(2)},
        r"y: expected labels of shape \(n,\), got shape \(2, 2\); one-hot .*argmax",
    ),
    "fractions": (
        {"X": PIXELS, "y": np.asarray([0.5, 1])},
        "y: expected labels that are integers or strings, got float64",
    ),
    "NaN label": ({"X": PIXELS, "y": np.asarray([np.nan, 1])}, "y: expected labels that are integers or strings"),
    "infinite label": ({"X": PIXELS, "y": np.asarray([-np.inf, np.inf])}, "y: expected labels that are integers or"),
    "huge labels": (
        {"X": PIXELS, "y": np.asarray([1e300, 2e300])},
        r"y: expected integers of 64 bits .* got 1e\+300; save them as strings",
    ),
    "labels of 2^63": ({"X": PIXELS, "y": np.asarray([2.0**63, 0])}, "y: expected integers of 64 bits"),
    "unsigned labels": (
        {"X": PIXELS, "y": np.asarray([2**64 - 1, 2**63], dtype=np.uint64)},
        "y: expected integers of 64 bits .* got 18446744073709551615; save them as strings",
    ),
    "infinite class": (
        {"X": PIXELS, "y": LABELS, "classes": np.asarray([5, -1, np.inf])},
        "classes: expected labels that are integers or",
    ),
    "labels that are not UTF-8": (
        {"X": PIXELS, "y": np.asarray([b"\xff", b"\xfe"])},
        r"y: expected labels in UTF-8, got b'\\xff'; save them as strings",
    ),
    "classes that are not UTF-8": (
        {"X": PIXELS, "y": np.asarray([0, 1]), "classes": np.asarray([b"a", b"\xe4"])},
        r"classes: expected labels in UTF-8, got b'\\xe4'",
    ),
    "labels of no characters": (
        {"X": PIXELS, "y": np.asarray([0x110000, 97], dtype=np.uint32).view("<U1")},
        "y: expected labels of characters, got a code beyond Unicode",
    ),
    "images in both cases": (
        {"images": PIXELS, "Images": PIXELS},
        "found Images and images, which differ in upper and lower case only; keep one",
    ),
    "labels in both cases": ({"X": PIXELS, "y": LABELS, "Y": LABELS}, "found Y and y, which differ in"),
    "classes in both cases": (
        {"X": PIXELS, "y": LABELS, "classes": LABELS, "CLASSES": LABELS},
        "found CLASSES and classes, which differ in",
    ),
    "label without class": (
        {"X": PIXELS, "y": np.asarray([1, 2]), "classes": np.asarray(["a", "b"])},
        "y: labels 2 stand for none of the 2 classes, whose labels are 0, 1",
    ),
    "no classes": (
        {"X": PIXELS, "y": np.asarray([1, 2]), "classes": np.asarray([], dtype=int)},
        "y: labels 1, 2 stand for none of the 0 classes",
    ),
    "string labels, integer classes": (
        {"X": PIXELS, "y": np.asarray(["1", "2"]), "classes": np.asarray([1, 2])},
        "y: labels are strings, but the classes are integers",
    ),
    "classes named twice": (
        {"X": PIXELS, "y": np.asarray([0, 1]), "classes": np.asarray(["a", "a"])},
        "classes named twice: a",
    ),
    "unknown test label": (
        {"X_train": PIXELS, "y_train": LABELS, "X_test": PIXELS, "y_test": np.asarray([5, 6])},
        "y_test: labels 6 stand for none of the 2 classes, whose labels are -1, 5",
    ),
    "untrained class": (
        {"X_train": PIXELS, "y_train": [0, 1], "X_test": PIXELS, "y_test": [2, 0], "classes": ["a", "b", "c"]},
        "test images of classes without a training image: c",
    ),
    "other test shape": (
        {"X_train": PIXELS, "y_train": LABELS, "X_test": PIXELS[:, :2], "y_test": LABELS},
        r"training images of shape \(h, w, c\) = \(3, 4, 1\), but test images of \(2, 4, 1\)",
    ),
    "other test scale": (
        {"X_train": PIXELS, "y_train": LABELS, "X_test": PIXELS / 255, "y_test": LABELS},
        r"white is 255.0 in the training images \(uint8\), but None in the test images \(float64\)",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_the_file_and_what_is_wrong(tmp_path, case):
    arrays, message = ERRORS[case]
    path = saved(tmp_path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("split", ["train", "test"])
def test_values_that_are_not_finite(tmp_path, split, value):
    arrays = {"X_train": PIXELS / 255, "y_train": LABELS, "X_test": PIXELS / 255, "y_test": LABELS}
    arrays[f"X_{split}"] = arrays[f"X_{split}"].copy()
    arrays[f"X_{split}"][1, 0, 2] = value
    where = r"data\.npz" + (", test split" if split == "test" else "")
    with pytest.raises(DataError, match=where + ": NaN or infinity in 1 of 2 images, the first is image 1;"):
        read(saved(tmp_path, **arrays))


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.longdouble], ids=lambda t: t.__name__)
def test_labels_at_the_ends_of_64_bits(tmp_path, dtype):
    labels = np.asarray([-(2**63), 2**60], dtype=dtype)
    assert read(saved(tmp_path, X=PIXELS, y=labels)).classes == (str(-(2**63)), str(2**60))


def test_other_names_may_differ_in_case_only(tmp_path):
    assert len(read(saved(tmp_path, X=PIXELS, note=LABELS, Note=LABELS))) == 2


def test_arrays_under_one_name_are_ambiguous(tmp_path):
    path = saved(tmp_path, X=PIXELS)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("X.npy", file.read("X.npy"))
    with pytest.raises(DataError, match="found X and X, which"):
        read(path)


def test_columns_first(tmp_path):
    images = np.random.default_rng(0).random((2, 3, 4, 5))
    np.testing.assert_array_equal(read(saved(tmp_path, X=np.asfortranarray(images))).images, images)


def test_arrays_can_be_written(tmp_path):
    assert read(saved(tmp_path, X=PIXELS)).images.flags.writeable


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_truncated_archive(tmp_path, keep):
    path = saved(tmp_path, X=PIXELS, y=LABELS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(DataError, match=r"data\.npz: not a \.npz archive, or truncated"):
        read(path)


def test_altered_archive(tmp_path):
    path = saved(tmp_path, X=PIXELS)
    whole = bytearray(path.read_bytes())
    whole[whole.index(PIXELS.tobytes()) + 3] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"data\.npz: X is damaged: Bad CRC-32"):
        read(path)


def test_archive_that_says_encrypted(tmp_path):
    path = saved(tmp_path, X=PIXELS)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"data\.npz: .*encrypted"):
        read(path)
