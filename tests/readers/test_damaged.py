"""Damaged and hostile files: a DataError that names the file, or a read; no other exception, no gigabytes, no wait."""

import gzip
import io
import os
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ckn.readers import DataError, Pictures, read

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 7, 3), dtype=np.uint8)
LABELS = np.asarray([0, 1, 2, 0, 1, 2])
MOST = 32 * 2**20  # bytes: more than any of these small files can need


def npy(array):
    raw = io.BytesIO()
    np.lib.format.write_array(raw, np.asarray(array))
    return raw.getvalue()


def zipped(images, method=zipfile.ZIP_STORED, labels=LABELS):
    """An archive of these bytes as images.npy, whatever they are, and good labels; all checksums are right."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as file:
        file.writestr("images.npy", images)
        file.writestr("labels.npy", npy(labels))
    return raw.getvalue()


def picture(kind):
    raw = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(raw, kind)
    return raw.getvalue()


def idx(shape, body):
    return struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape) + body


IDX = idx(PIXELS.shape[:3], PIXELS[..., 0].tobytes())


# Name of the file, good content to damage, and what is done with it before it is written.
FORMATS = {
    "npz": ("x.npz", zipped(npy(PIXELS)), bytes),
    "compressed npz": ("x.npz", zipped(npy(PIXELS), zipfile.ZIP_DEFLATED), bytes),
    "array in npz": ("x.npz", npy(PIXELS), zipped),
    "idx": ("x-images-idx3-ubyte", IDX, bytes),
    "gz": ("x-images-idx3-ubyte.gz", gzip.compress(IDX, mtime=0), bytes),
    "idx in gz": ("x-images-idx3-ubyte.gz", IDX, gzip.compress),
    "png": ("x.png", picture("PNG"), bytes),
    "jpeg": ("x.jpg", picture("JPEG"), bytes),
    "gif": ("x.gif", picture("GIF"), bytes),
    "webp": ("x.webp", picture("WEBP"), bytes),
    "cifar": ("x.bin", b"\x03" + bytes(3072), bytes),
}


def truncated(raw, rng):
    return raw[: rng.integers(len(raw))]


def flipped(raw, rng):
    damaged = bytearray(raw)
    for _ in range(rng.integers(1, 5)):
        # Every second time among the first bytes, where headers are.
        at = rng.integers(min(len(raw), 128) if rng.integers(2) else len(raw))
        damaged[at] ^= 1 << rng.integers(8)
    return bytes(damaged)


def peak_of_reading(path, named=None):
    """Bytes, of a reading that may end in an error which names the file, or another that was damaged."""
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            message = error_of_reading(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message is None or str(named or path) in message
    return peak


def error_of_reading(path):
    try:
        read(path)
    except DataError as error:
        return str(error)
    return None


@pytest.mark.parametrize("damage", [truncated, flipped], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_errors_or_read(tmp_path, name, damage):
    file, raw, packed = FORMATS[name]
    rng = np.random.default_rng(list(map(ord, name + damage.__name__)))
    path = tmp_path / file
    path.write_bytes(packed(raw))
    read(path)  # what is damaged was good
    for _ in range(150):
        path.write_bytes(packed(damage(raw, rng)))
        assert peak_of_reading(path) < MOST


def header(text, body=b""):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def described(shape, body=b"", descr="|u1"):
    raw = io.BytesIO()
    np.lib.format.write_array_header_2_0(raw, {"descr": descr, "fortran_order": False, "shape": shape})
    return raw.getvalue() + body


NPY = {
    "10^12 pixels": described((10**4,) * 3, bytes(100)),
    "2^70 pixels": described((2**40, 2**20, 2**10), bytes(100)),
    "negative": described((-6, 8, 8), bytes(384)),
    "two negatives": described((-6, -8, 8), bytes(384)),
    "empty and huge": described((0, 2**62, 2**62)),
    "boolean": described((True, 8, 8), bytes(64)),
    "more than it says": described((3, 8, 8), bytes(384)),
    "less than it says": described((6, 8, 8), bytes(383)),
    "items of no bytes": described((6, 8, 8), descr="|V0"),
    "unterminated": header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,2,3\n"),
    "deep": header(b"(" * 9000 + b"\n"),
    "deep signs": header(b"-" * 9000 + b"1\n"),
    "long integers": header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1L, 2L, 'abc\n"),
    "code": header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (print(1),)}\n"),
    "no type": header(b"{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,)}\n"),
    "nothing": b"",
    "no array": b"hello",
    "version 9": b"\x93NUMPY\x09\x00" + bytes(200),
    "header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(200),
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("case", NPY)
def test_damaged_arrays_in_archives_are_named(tmp_path, case, method):
    path = tmp_path / "x.npz"
    path.write_bytes(zipped(NPY[case], method))
    with pytest.raises(DataError, match=r"x\.npz: images is damaged: \S"):
        read(path)
    assert peak_of_reading(path) < MOST


def test_sizes_that_the_directory_of_an_archive_makes_up(tmp_path):
    path = tmp_path / "x.npz"
    raw = bytearray(zipped(described((2, 2**15, 2**15)), zipfile.ZIP_DEFLATED))
    entry = raw.index(b"PK\x01\x02")
    size = len(described((2, 2**15, 2**15))) + 2**31
    raw[entry + 24 : entry + 28] = struct.pack("<I", size)
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"x\.npz: images is damaged"):
        read(path)
    assert peak_of_reading(path) < MOST


def test_archives_that_unpack_to_gigabytes_are_not_unpacked(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(zipped(described((2, 8, 8), bytes(64 * 2**20)), zipfile.ZIP_DEFLATED))
    with pytest.raises(DataError, match=r"images is damaged: .*2x8x8 .* 128 bytes, got 67108864"):
        read(path)
    assert peak_of_reading(path) < MOST


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_archives_of_other_methods_are_not_unpacked(tmp_path, method):
    path = tmp_path / "x.npz"
    path.write_bytes(zipped(described((2, 8, 8), bytes(64 * 2**20)), method))
    with pytest.raises(DataError, match=r"images is damaged: packed .* numpy\.savez_compressed"):
        read(path)
    assert peak_of_reading(path) < MOST


def test_gzip_is_unpacked_as_far_as_its_header_promises(tmp_path):
    path = tmp_path / "x-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx((2, 28, 28), bytes(64 * 2**20))))
    with pytest.raises(DataError, match=r"the header says 2x28x28 = 1568 bytes of images, got at least 1569"):
        read(path)
    assert peak_of_reading(path) < MOST


def test_idx_that_promises_more_than_it_has_is_not_allocated(tmp_path):
    path = tmp_path / "x-images-idx3-ubyte"
    path.write_bytes(idx((10**9, 28, 28), bytes(784)))
    with pytest.raises(DataError, match=r"the header says .* got 784: truncated"):
        read(path)
    assert peak_of_reading(path) < MOST


@pytest.mark.parametrize("shape", [(0, 2**32 - 1, 2**32 - 1), (10**9, 0, 28), (0, 0, 0)])
def test_idx_without_pixels(tmp_path, shape):
    path = tmp_path / "x-images-idx3-ubyte"
    path.write_bytes(idx(shape, b""))
    with pytest.raises(DataError, match=r"x-images-idx3-ubyte: "):
        read(path)


@pytest.mark.parametrize("labels", ["labels-idx1-ubyte", "labels-idx1-ubyte.gz"])
def test_gzip_of_labels_is_bounded_too(tmp_path, labels):
    (tmp_path / "x-images-idx3-ubyte").write_bytes(IDX)
    raw = idx((6,), bytes(64 * 2**20))
    (tmp_path / f"x-{labels}").write_bytes(gzip.compress(raw))
    with pytest.raises(DataError, match=r"labels-idx1-ubyte(\.gz)?: the header says 6 = 6 bytes of labels"):
        read(tmp_path / "x-images-idx3-ubyte")
    assert peak_of_reading(tmp_path / "x-images-idx3-ubyte", tmp_path / f"x-{labels}") < MOST


def png(width, height, bits=8, colour=0, rows=b"", name=b"IHDR"):
    """A PNG file of these rows, each with its filter byte in front; its checksums are right."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(name, head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sizes_are_compared_before_memory_is_asked_for(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/000.png").write_bytes(png(2000, 2000, rows=bytes(2001 * 2000)))
    for i in range(1, 400):
        (tmp_path / f"a/{i:03}.png").write_bytes(png(4, 4, rows=bytes(20)))
    with pytest.warns(UserWarning, match=r"400 pictures of 4x4 to 2000x2000 pixels .* become 4x4"):
        assert read(tmp_path).images.shape == (400, 4, 4, 1)
    assert peak_of_reading(tmp_path) < MOST


def test_memory_is_that_of_the_pictures_read(tmp_path):
    (tmp_path / "000.png").write_bytes(png(1000, 1000, rows=bytes(1001 * 1000)))
    for i in range(1, 400):
        (tmp_path / f"{i:03}.png").write_bytes(png(1000, 1000, rows=bytes(20)))
    whole_size = Pictures(size=(1000, 1000))
    with pytest.raises(
        DataError, match=r"399 of 400 pictures cannot(.|\n)*001\.png: cannot be read as a pic.*truncated"
    ):
        read(tmp_path, pictures=whole_size)
    assert peak_of_reading(tmp_path) < MOST


COLOURS = {"grey": (0, 1), "colour": (2, 3), "grey and alpha": (4, 2), "colour and alpha": (6, 4)}


@pytest.mark.parametrize("case", COLOURS)
@pytest.mark.parametrize("among", [0, 2], ids=["alone", "among others"])
def test_sixteen_bits_are_known_from_the_file(tmp_path, case, among):
    colour, channels = COLOURS[case]
    samples = (np.arange(2 * 3 * channels).reshape(2, -1) * 2700).astype(">u2")
    if channels in (2, 4):
        samples[:, channels - 1 :: channels] = 65535  # an opaque alpha
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    for i in range(among):
        (tmp_path / f"{i}.png").write_bytes(png(3, 2, rows=bytes(8)))
    (tmp_path / "deep.png").write_bytes(png(3, 2, 16, colour, rows))
    with pytest.warns(UserWarning, match=rf"1 of {among + 1} pictures have 16 bits.* upper 8 .*uint16.*: .*deep\.png"):
        found = read(tmp_path).images[-1]
    upper = (samples >> 8).reshape(2, 3, channels)[..., : 1 if channels < 3 else 3]
    np.testing.assert_array_equal(found, np.broadcast_to(upper, found.shape))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_white_is_255_at_all_smaller_depths(tmp_path, bits):
    (tmp_path / "x.png").write_bytes(png(1, 2, bits, 0, b"\0\xff\0\0"))
    assert read(tmp_path / "x.png").images.ravel().tolist() == [255, 0]


@pytest.mark.parametrize("as_list", [False, True], ids=["folder", "list"])
@pytest.mark.parametrize("name", ["a.png", "b.jpg", "z.png"])
def test_pipes_among_pictures_do_not_wait(tmp_path, name, as_list):
    (tmp_path / "m.png").write_bytes(png(4, 4, rows=bytes(20)))
    os.mkfifo(tmp_path / name)
    source = sorted(tmp_path.iterdir()) if as_list else tmp_path
    with pytest.raises(DataError, match=rf"{name}: not a file .*pipe"):
        read(source)


@pytest.mark.parametrize("name", ["x.npz", "x.png", "x-images-idx3-ubyte", "x.bin", "digits"])
def test_pipes_as_sources_do_not_wait(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name}: not a format"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "data_batch_1.bin"])
def test_pipes_in_folders_of_data_sets_do_not_wait(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=str(tmp_path)):
        read(tmp_path)


PATHS = [
    "",
    "a\0b",
    "a\0b/c.npz",
    "\udcff.npz",
    "\ud800.png",
    "\ud800/x.npz",
    "a" * 5000,
    "a" * 300 + "/b.npz",
    "~" * 256,
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("many", [1, 2])
def test_paths_that_no_file_can_have(tmp_path, monkeypatch, path, kind, many):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        read(kind(path) if many == 1 else [kind(path)] * 2)
    shown = str(caught.value)
    assert (repr(path)[1:-1] in shown or path in shown) if path else shown


def test_folders_that_may_not_be_entered(tmp_path, monkeypatch):
    def locked(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.npz").write_bytes(b"")
    monkeypatch.setattr(Path, "stat", locked)
    with pytest.raises(DataError, match=r"x\.npz.*Permission denied"):
        read(tmp_path / "x.npz")


@pytest.mark.parametrize("source", [b"x.png", 3, None, [b"x.png", b"y.png"], [None, None]])
def test_sources_of_other_types(source):
    with pytest.raises(DataError, match="source: expected a path"):
        read(source)
