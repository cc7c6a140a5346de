"""Which reader reads what, and what all readers have in common."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from ckn import readers
from ckn.readers import READERS, DataError, Images, Reader, SourceNotFoundError, read

PIXELS = np.zeros((2, 3, 4, 1), dtype=np.uint8)
GOOD = Images(PIXELS, np.asarray([0, 1]), ("a", "b"), 255.0)


@dataclass(frozen=True)
class Fixed:
    """A third party's reader, for any source that ends in .mine."""

    data: Images
    name: str = "mine"
    accepts: str = "whatever ends in .mine"

    def recognises(self, source: readers.Source) -> bool:
        return str(source).endswith(".mine")

    def read(self, source: readers.Source) -> Images:
        return self.data


def read_fixed(data: Images) -> Images:
    reader: Reader = Fixed(data)
    return read("x.mine", readers=(*READERS, reader))


def test_digits_are_the_real_ones():
    data = read("digits")
    assert data.images.shape == (1797, 8, 8, 1)
    assert data.images.dtype == np.float32
    assert (data.images.min(), data.images.max(), data.maximum) == (0, 16, 16)
    assert data.classes == tuple("0123456789")
    # The counts that the data set's description gives for the UCI test set.
    assert np.bincount(data.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.test is None
    assert data.images.flags.writeable


def test_the_word_digits_wins_over_a_folder_and_says_so(tmp_path, monkeypatch, picture):
    picture("digits/a/1.png")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=r"for the path of that name write \./digits"):
        assert len(read("digits")) == 1797
    assert len(read("./digits")) == 1
    assert len(read(Path("digits"))) == 1


@pytest.mark.parametrize(
    ("module", "source", "package"), [("sklearn.datasets", "digits", "scikit-learn"), ("PIL.Image", "1.png", "Pillow")]
)
def test_missing_package_gives_the_install_line(tmp_path, monkeypatch, picture, module, source, package):
    picture("1.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{package} is not installed; .* pip install 'kerneltools\[cli\]'"):
        read(source)


def test_import_is_light():
    code = (
        "import sys, ckn.readers; print([m for m in ('PIL', 'sklearn', 'scipy', 'torch', 'jax') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_misspelt_name_is_suggested():
    with pytest.raises(
        SourceNotFoundError,
        match=r"'digit': no such file, folder or data set \(did you mean digits\?\); expected one of",
    ):
        read("digit")


def test_misspelt_path_is_suggested(tmp_path):
    (tmp_path / "cifar10.npz").write_bytes(b"")
    with pytest.raises(SourceNotFoundError, match=r"did you mean \S*/cifar10\.npz\?"):
        read(tmp_path / "cifr10.npz")


@pytest.mark.parametrize("name", ["nowhere/x.npz", "x.png", "x.bin", "y-images-idx3-ubyte.gz", "", "/"])
def test_unknown_source_lists_all_readers(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    error = DataError if name == "/" else FileNotFoundError
    with pytest.raises(error, match="expected one of") as caught:
        read(name, readers=tuple(r for r in READERS if r.name != "folder"))
    for reader in READERS:
        assert (f"  {reader.name}: {reader.accepts}" in str(caught.value)) == (reader.name != "folder")


def test_unknown_format(tmp_path):
    (tmp_path / "table.csv").write_text("1,2")
    with pytest.raises(
        DataError, match=r"table\.csv: not a format that a reader recognises; expected one of"
    ) as caught:
        read(tmp_path / "table.csv")
    assert "from kerneltools.estimators" in str(caught.value).splitlines()[-1]
    assert not isinstance(caught.value, FileNotFoundError)


def test_errors_are_value_errors_and_missing_sources_also_file_errors():
    assert issubclass(DataError, ValueError)
    assert issubclass(SourceNotFoundError, DataError)
    assert issubclass(SourceNotFoundError, FileNotFoundError)


def test_public_names_are_complete():
    assert all(hasattr(readers, name) for name in readers.__all__)
    assert len({reader.name for reader in READERS}) == len(READERS)


def test_third_party_reader():
    np.testing.assert_array_equal(read_fixed(GOOD).images, PIXELS)
    assert "mine" not in {reader.name for reader in READERS}


def test_a_reader_need_not_be_a_dataclass():
    class Plain:
        name, accepts = "plain", "whatever ends in .mine"
        recognises, read = Fixed.recognises, Fixed.read
        data = GOOD

    np.testing.assert_array_equal(read("x.mine", readers=(*READERS, Plain())).images, PIXELS)


def test_later_readers_come_first(tmp_path):
    (tmp_path / "folder.mine").mkdir()
    assert len(read(tmp_path / "folder.mine", readers=(*READERS, Fixed(GOOD)))) == 2


def test_errors_of_the_system_name_the_file():
    class Locked(Fixed):
        def read(self, source):
            raise PermissionError(13, "Permission denied", "x.mine/part")

    with pytest.raises(DataError, match=r"x\.mine/part: cannot be read: Permission denied"):
        read("x.mine", readers=(Locked(GOOD),))


BAD = {
    "rank": ({"images": PIXELS[..., 0]}, r"expected images of shape \(n, h, w, c\), got shape \(2, 3, 4\)"),
    "no image": ({"images": PIXELS[:0]}, "there is no image"),
    "type": ({"images": PIXELS.astype(np.int64)}, "expected images of type uint8 or floating-point, got int64"),
    "names": ({"names": ("a.png",)}, "2 images, but 1 names"),
    "label count": ({"labels": np.asarray([0])}, r"2 images, but labels of shape \(1,\)"),
    "label type": ({"labels": np.asarray([0, 1], dtype=np.int32)}, "expected labels of type int64, got int32"),
    "label range": ({"labels": np.asarray([0, 2])}, r"expected labels in 0\.\.1 \(2 classes\), got 0\.\.2"),
    "negative label": ({"labels": np.asarray([-1, 0])}, r"expected labels in 0\.\.1 \(2 classes\), got -1\.\.0"),
    "infinity": (
        {"images": np.full((2, 1, 1, 1), np.inf), "names": ("a.x", "b.x")},
        r"NaN or infinity in 2 of 2 images, the first is image 0 \(a\.x\)",
    ),
    "test labels": (
        {"test": replace(GOOD, labels=None)},
        r"training classes \(a, b\) and test classes \(a, b\) differ",
    ),
    "test classes": (
        {"test": replace(GOOD, classes=("a", "c"))},
        r"training classes \(a, b\) and test classes \(a, c\)",
    ),
    "test images": ({"test": replace(GOOD, images=PIXELS[:0])}, "test split: there is no image"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_a_reader_gives_is_checked(case):
    changes, message = BAD[case]
    with pytest.raises(DataError, match=rf"x\.mine.*{message}"):
        read_fixed(replace(GOOD, **changes))
