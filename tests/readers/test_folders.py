"""Folders of picture files."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from ckn.readers import DataError, read


def test_classes_are_the_subfolders_in_order_of_name(tmp_path, picture):
    dog = picture("dog/1.png")
    cats = [picture("cat/b.png"), picture("cat/a.PNG")]
    data = read(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data.names == ("cat/a.PNG", "cat/b.png", "dog/1.png")
    np.testing.assert_array_equal(data.images, [cats[1], cats[0], dog])
    np.testing.assert_array_equal(data.labels, [0, 0, 1])
    assert data.images.dtype == np.uint8
    assert data.labels.dtype == np.int64
    assert data.maximum == 255
    assert data.test is None


def test_train_and_test_are_splits_with_the_classes_of_train(tmp_path, picture):
    train = [picture("train/a/1.png"), picture("train/b/1.png")]
    test = picture("test/b/9.png")
    data = read(str(tmp_path))
    np.testing.assert_array_equal(data.images, train)
    np.testing.assert_array_equal(data.test.images, [test])
    np.testing.assert_array_equal(data.test.labels, [1])
    assert data.classes == data.test.classes == ("a", "b")
    assert data.names == ("train/a/1.png", "train/b/1.png")
    assert data.test.names == ("test/b/9.png",)


def test_flat_folder_has_no_labels(tmp_path, picture):
    pixels = [picture("1.png"), picture("2.png")]
    data = read(tmp_path)
    np.testing.assert_array_equal(data.images, pixels)
    assert data.labels is None
    assert data.classes == ()
    assert data.names == ("1.png", "2.png")


def test_one_file_and_lists_of_files_keep_the_order_given(tmp_path, picture):
    first, second = picture("1.png"), picture("2.png")
    np.testing.assert_array_equal(read(tmp_path / "1.png").images, [first])
    both = read([tmp_path / "2.png", str(tmp_path / "1.png")])
    np.testing.assert_array_equal(both.images, [second, first])
    assert both.names == (str(tmp_path / "2.png"), str(tmp_path / "1.png"))
    assert both.labels is None
    np.testing.assert_array_equal(read([tmp_path / "1.png"]).images, [first])


def test_empty_list_is_refused():
    with pytest.raises(DataError, match="at least one image file, got an empty list"):
        read([])


def test_jpeg_is_what_pillow_decodes(tmp_path, picture):
    picture("a/1.jpg", (16, 16, 3), quality=90)
    picture("a/2.jpeg", (16, 16, 3))
    data = read(tmp_path)
    with Image.open(tmp_path / "a/1.jpg") as opened:
        np.testing.assert_array_equal(data.images[0], np.asarray(opened))
    assert len(data) == 2


def test_grey_files_have_one_channel(tmp_path, picture):
    pixels = picture("1.png", (4, 5))
    np.testing.assert_array_equal(read(tmp_path).images, pixels[np.newaxis, ..., np.newaxis])


@pytest.mark.parametrize("shapes", [[(4, 5), (4, 5, 3)], [(4, 5, 3), (4, 5)]], ids=["grey first", "colour first"])
def test_grey_among_colour_becomes_colour(tmp_path, picture, shapes):
    pixels = [picture(f"{i}.png", shape) for i, shape in enumerate(shapes)]
    images = read(tmp_path).images
    assert images.shape == (2, 4, 5, 3)
    for got, want in zip(images, pixels, strict=True):
        np.testing.assert_array_equal(got, want if want.ndim == 3 else np.stack([want] * 3, axis=-1))


def test_grey_test_split_follows_a_coloured_training_split(tmp_path, picture):
    picture("train/a/1.png", (4, 5, 3))
    picture("test/a/1.png", (4, 5))
    assert read(tmp_path).test.images.shape == (1, 4, 5, 3)


def test_palette_and_one_bit_files(tmp_path, picture):
    pixels = picture("true.png")
    Image.fromarray(pixels).convert("P").save(tmp_path / "p.png")
    Image.fromarray(pixels).convert("1").save(tmp_path / "one.png")
    with Image.open(tmp_path / "p.png") as opened:
        np.testing.assert_array_equal(read(tmp_path / "p.png").images[0], np.asarray(opened.convert("RGB")))
    one = read(tmp_path / "one.png").images
    assert one.shape == (1, 4, 5, 1)
    assert set(np.unique(one)) <= {0, 255}


def test_opaque_alpha_is_dropped(tmp_path):
    pixels = np.full((2, 3, 4), 255, dtype=np.uint8)
    pixels[..., :3] = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    Image.fromarray(pixels).save(tmp_path / "rgba.png")
    Image.fromarray(pixels[..., 2:]).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read(tmp_path / "rgba.png").images[0], pixels[..., :3])
    np.testing.assert_array_equal(read(tmp_path / "la.png").images[0], pixels[..., 2:3])


def test_photographs_are_turned_upright(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held sideways: turn by 90 degrees
    picture("turned.jpg", (8, 16, 3), exif=exif)
    assert read(tmp_path).images.shape == (1, 16, 8, 3)
    picture("upright.jpg", (16, 8, 3))
    assert read(tmp_path).images.shape == (2, 16, 8, 3)


def behind_the_pixels(path, content):
    """Move the orientation of a PNG file to its end, where some programs write it."""
    raw = path.read_bytes()
    chunk = struct.pack(">I", len(content)) + b"eXIf" + content
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + content))
    path.write_bytes(raw[:-12] + chunk + raw[-12:])


@pytest.mark.parametrize("others", [0, 1])
def test_orientation_behind_the_pixels(tmp_path, picture, others):
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(2):
        pixels = picture(f"{i}.png", (4, 6, 3))
        behind_the_pixels(tmp_path / f"{i}.png", exif.tobytes().removeprefix(b"Exif\0\0"))
    for i in range(others):
        picture(f"upright{i}.png", (6, 4, 3))
    images = read(tmp_path).images
    assert images.shape == (2 + others, 6, 4, 3)
    np.testing.assert_array_equal(images[1], np.rot90(pixels, -1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"GIF89a, or a page of HTML", "not a picture that Pillow knows, or damaged from its beginning on"),
    ],
)
@pytest.mark.parametrize("name", ["bad.png", "bad.jpg"])
def test_files_that_are_no_pictures_are_named(tmp_path, picture, name, content, message):
    picture("a/1.png")
    (tmp_path / "a" / name).write_bytes(content)
    with pytest.raises(DataError, match=f"a/{name}: {message}"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg"])
def test_truncated_files_are_named(tmp_path, picture, name):
    picture(name, (32, 32, 3))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=f"{name}: cannot be read as a picture: .*truncated"):
        read(tmp_path)


def test_pictures_that_claim_to_be_gigantic_are_refused(tmp_path, picture):
    picture("bomb.png")
    raw = (tmp_path / "bomb.png").read_bytes()
    header = b"IHDR" + struct.pack(">II", 60000, 60000) + raw[24:29]
    checksum = struct.pack(">I", zlib.crc32(header))
    (tmp_path / "bomb.png").write_bytes(raw[:12] + header + checksum + raw[33:])
    with pytest.raises(DataError, match=r"bomb\.png: cannot be read .* exceeds limit"):
        read(tmp_path)


def test_missing_file_in_a_list(tmp_path, picture):
    picture("1.png")
    with pytest.raises(DataError, match=r"2\.png: no such file"):
        read([tmp_path / "1.png", tmp_path / "2.png"])


def test_hidden_files_and_folders_are_passed_over(tmp_path, picture):
    picture("a/1.png")
    picture("a/.2.png")
    picture(".cache/3.png")
    (tmp_path / "a/.DS_Store").write_bytes(b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path).names == ("a/1.png",)


def test_other_files_are_counted_in_one_warning(tmp_path, picture):
    picture("a/1.png")
    for name in ("a/Thumbs.db", "a/notes.txt", "README", "z.csv"):
        (tmp_path / name).write_text("x")
    with pytest.warns(
        UserWarning, match=r"left out 4 files that are no pictures: README, z.csv, a/Thumbs.db and 1 more"
    ):
        assert len(read(tmp_path)) == 1


def test_other_files_beside_splits_are_counted(tmp_path, picture):
    picture("train/a/1.png")
    picture("test/a/1.png")
    for name in ("README", "test/a/x.txt"):
        (tmp_path / name).write_text("x")
    with pytest.warns(UserWarning, match=r"left out 2 files .*: README, test/a/x.txt"):
        read(tmp_path)


def test_empty_class_folders_are_named(tmp_path, picture):
    picture("a/1.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match="class folders without a picture: b, c; fill or remove them"):
        read(tmp_path)


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match=r"no picture and no class folder in it$"):
        read(tmp_path)


def test_folder_of_other_files_says_which(tmp_path):
    (tmp_path / "data.npy").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no class folder in it; other files: data\.npy"):
        read(tmp_path)


def test_images_beside_class_folders_are_ambiguous(tmp_path, picture):
    picture("a/1.png")
    picture("2.png")
    with pytest.raises(DataError, match=r"images \(2\.png\) beside class folders \(a\); expected <class>/<image> or"):
        read(tmp_path)


def test_folders_inside_class_folders_are_refused(tmp_path, picture):
    picture("train/a/1.png")
    with pytest.raises(DataError, match=r"train/a: a folder inside a class folder; expected"):
        read(tmp_path)


def test_a_third_split_is_refused(tmp_path, picture):
    for split in ("train", "test", "val"):
        picture(f"{split}/a/1.png")
    with pytest.raises(DataError, match="val beside train and test"):
        read(tmp_path)


def test_splits_need_class_folders(tmp_path, picture):
    picture("train/a/1.png")
    picture("test/1.png")
    with pytest.raises(DataError, match="test: images, but no class folders"):
        read(tmp_path)


def test_test_classes_must_be_training_classes(tmp_path, picture):
    picture("train/a/1.png")
    picture("test/a/1.png")
    picture("test/b/1.png")
    with pytest.raises(DataError, match="class folders under test that are not under train: b"):
        read(tmp_path)


def test_class_names_may_be_any_text(tmp_path, picture):
    picture("Überraschung nr. 1/größe.png")
    data = read(tmp_path)
    assert data.classes == ("Überraschung nr. 1",)
    assert data.names == ("Überraschung nr. 1/größe.png",)


def test_arrays_can_be_written(tmp_path, picture):
    picture("1.png")
    assert read(tmp_path).images.flags.writeable
