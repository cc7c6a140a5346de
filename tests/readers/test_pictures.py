"""Pictures of any size and kind: what they become, and what is said of it."""

import io
import re
import warnings

import numpy as np
import pytest
from PIL import Image

from ckn.readers import DataError, Pictures, read

RAMP = np.stack([np.tile(np.arange(48) * 5, (32, 1)), np.tile(np.arange(32)[:, None] * 8, (1, 48))], axis=-1)
RAMP = np.concatenate([RAMP, np.full((32, 48, 1), 60)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("end", ["png", "jpg", "webp", "bmp", "gif", "tif", "ppm", "tga", "jp2", "ico", "pcx", "JFIF"])
def test_formats(tmp_path, end):
    options = {"quality": 95} if end in ("jpg", "webp", "JFIF") else {}
    Image.fromarray(RAMP[:32, :32]).save(tmp_path / f"x.{end}", **options)
    found = read(tmp_path).images[0]
    assert found.shape == (32, 32, 3)
    assert np.abs(found.astype(int) - RAMP[:32, :32]).mean() < 6


def test_the_content_says_the_format(tmp_path):
    content = io.BytesIO()
    Image.fromarray(RAMP[..., 0]).save(content, "BMP")
    (tmp_path / "x.png").write_bytes(content.getvalue())
    np.testing.assert_array_equal(read(tmp_path).images[0, ..., 0], RAMP[..., 0])


def test_what_runs_other_programs_is_no_picture(tmp_path):
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    (tmp_path / "x.png").write_bytes(eps)
    with pytest.raises(DataError, match="not a picture that Pillow knows"):
        read(tmp_path)
    (tmp_path / "x.png").rename(tmp_path / "x.eps")
    with pytest.raises(DataError, match=r"other files: x\.eps"):
        read(tmp_path)


def test_size_covers_and_crops_in_the_middle(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "wide.png")
    data = read(tmp_path, pictures=Pictures(size=(16, 16)))
    assert data.images.shape == (1, 16, 16, 3)
    # 32 of the 48 columns, from 8 on, and two of them to a pixel.
    middle = RAMP[:, 8:40].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(data.images[0, 1:-1, 1:-1] - middle[1:-1, 1:-1]).max() <= 1
    assert data.pictures == Pictures((16, 16), 3, (255, 255, 255))


@pytest.mark.parametrize("end", ["png", "jpg"])
def test_fine_stripes_become_grey_and_no_other_stripes(tmp_path, end):
    stripes = np.tile(np.asarray([0, 255], dtype=np.uint8), (300, 150))
    Image.fromarray(stripes).save(tmp_path / f"x.{end}", **({"quality": 95} if end == "jpg" else {}))
    found = read(tmp_path, pictures=Pictures(size=(40, 40))).images
    assert np.abs(found[:, 2:-2, 2:-2].astype(int) - 127).max() < 6


def test_turned_photographs_are_scaled_upright(tmp_path):
    large = Image.fromarray(RAMP).resize((480, 320))
    exif = Image.Exif()
    exif[0x0112] = 6
    large.save(tmp_path / "a.jpg", quality=95)
    large.rotate(90, expand=True).save(tmp_path / "b.jpg", quality=95, exif=exif)
    straight, turned = read(tmp_path, pictures=Pictures(size=(32, 48))).images.astype(int)
    assert np.abs(straight - turned).max() < 6
    assert np.abs(straight - RAMP).mean() < 3


def sized(tmp_path, *sizes):
    for number, (height, width) in enumerate(sizes):
        Image.fromarray(RAMP).resize((width, height)).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("sizes", "shape", "said"),
    [
        ([(391, 455), (100, 300), (80, 70)], (64, 64), "3 pictures of 70x80 to 455x391 pixels .* become 64x64"),
        ([(40, 30), (20, 50), (25, 90)], (25, 25), "become 25x25"),
        ([(40, 30), (20, 30), (40, 30)], (40, 30), "become 30x40"),
        ([(300, 400), (300, 400)], (64, 64), "2 pictures of 400x300 pixels .* become 64x64"),
        ([(256, 20), (256, 20)], (256, 20), None),
    ],
)
def test_size_where_none_is_asked_for(tmp_path, sizes, shape, said):
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        data = read(sized(tmp_path, *sizes))
    assert data.images.shape[1:3] == data.pictures.size == shape
    assert bool(notes) == bool(said)
    assert not said or re.search(f"{said}: .*--size WIDTHxHEIGHT", str(notes[0].message))


def test_both_splits_have_one_size(tmp_path, picture):
    picture("train/a/1.png", (20, 30, 3))
    picture("test/a/1.png", (50, 20))
    with pytest.warns(UserWarning, match="become 20x20"):
        data = read(tmp_path)
    assert data.images.shape == data.test.images.shape == (1, 20, 20, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "palette", "grey key"])
def test_transparent_pixels_are_put_on_a_background(tmp_path, mode):
    pixels = np.full((4, 4, 4), 200, dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:2, :, 3] = 0
    whole, options = Image.fromarray(pixels), {}
    if mode == "palette":
        whole, options = Image.fromarray((pixels[..., 3] > 0).astype(np.uint8), "P"), {"transparency": 0}
        whole.putpalette([9, 9, 9, 200, 200, 200])
    elif mode == "grey key":
        whole, options = Image.fromarray(np.where(pixels[..., 3], 200, 7).astype(np.uint8)), {"transparency": 7}
    elif mode == "LA":
        whole = whole.convert("LA")
    whole.save(tmp_path / "x.png", **options)
    with pytest.warns(
        UserWarning, match=r"1 of 1 pictures have transparent pixels, put on white \(--background.*x\.png"
    ):
        found = read(tmp_path).images[0]
    assert found.shape[2] == (1 if mode in ("LA", "grey key") else 3)
    np.testing.assert_array_equal(found[..., 0], np.repeat([255, 200], 2)[:, None] + np.zeros((4, 4)))
    red = read(tmp_path, pictures=Pictures(background=(255, 0, 9)))
    assert red.images[0, 0, 0].tolist() == [255, 0, 9]
    assert red.images[0, 3, 0].tolist() == [200] * 3
    assert red.pictures.background == (255, 0, 9)


def test_deep_grey_that_is_dark_is_told(tmp_path):
    Image.fromarray(np.full((3, 3), 4000, dtype=np.uint16)).save(tmp_path / "x.png")
    with pytest.warns(UserWarning, match="their 16 bits|upper 8") as notes:
        assert read(tmp_path).images.max() == 15
    assert [("nearly black" in str(n.message), "upper 8" in str(n.message)) for n in notes] == [
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_without_white_are_refused(tmp_path, kind):
    Image.fromarray(np.ones((3, 3), dtype=kind)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=r"x\.tif: .* whose value of white is unknown; .*\.npz"):
        read(tmp_path)


def test_first_of_several_frames(tmp_path):
    first, *more = (Image.fromarray(np.full((4, 4), grey, dtype=np.uint8)) for grey in (9, 99, 199))
    first.save(tmp_path / "x.gif", save_all=True, append_images=more)
    with pytest.warns(UserWarning, match=r"1 of 1 pictures have several frames, of which the first is read: .*x\.gif"):
        assert set(read(tmp_path).images.ravel().tolist()) == {9}


def test_cmyk(tmp_path):
    Image.fromarray(RAMP).convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    assert np.abs(read(tmp_path).images[0].astype(int) - RAMP).mean() < 4


def test_others_are_read_alike(tmp_path, picture):
    picture("a/1.png", (20, 30, 3))
    (tmp_path / "b").mkdir()
    Image.fromarray(RAMP[..., 0]).save(tmp_path / "b/1.png")
    alike = read(tmp_path / "a").pictures
    assert read([tmp_path / "b/1.png", tmp_path / "a/1.png"], pictures=alike).images.shape == (2, 20, 30, 3)
    with pytest.warns(UserWarning, match=r"1 of 2 pictures in colour are read as grey: .*a/1\.png"):
        both = read([tmp_path / "b/1.png", tmp_path / "a/1.png"], pictures=Pictures(size=(8, 9), channels=1))
    assert both.images.shape == (2, 8, 9, 1)


@pytest.fixture
def damaged(tmp_path, picture):
    """Two good pictures and three that are not."""
    picture("a/1.png")
    picture("b/1.png")
    (tmp_path / "a/2.png").write_bytes((tmp_path / "a/1.png").read_bytes()[:60])
    (tmp_path / "a/3.jpg").write_bytes(b"")
    (tmp_path / "b/2.gif").write_bytes(b"<html>")
    return tmp_path


def test_all_unreadable_files_are_listed_at_once(damaged):
    with pytest.raises(DataError) as caught:
        read(damaged)
    head, *lines = str(caught.value).split("\n")
    assert head.startswith("3 of 5 pictures cannot be read; repair or remove them, or leave them out with")
    assert "--skip-unreadable" in head
    assert [line.split(":")[0].rsplit("/", 2)[1:] for line in lines] == [["a", "2.png"], ["a", "3.jpg"], ["b", "2.gif"]]
    assert "the file is empty" in lines[1]


def test_unreadable_files_are_left_out_when_asked(damaged):
    with pytest.warns(
        UserWarning, match=r"left out 3 of 5 pictures: .*2\.png: .*; .*3\.jpg: the file is empty; .*2\.gif: "
    ):
        data = read(damaged, skip_unreadable=True)
    assert data.names == ("a/1.png", "b/1.png")
    assert data.labels.tolist() == [0, 1]
    (damaged / "b/1.png").write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="left out 4"),
        pytest.raises(DataError, match=r"without a picture that can .*: b"),
    ):
        read(damaged, skip_unreadable=True)
    (damaged / "a/1.png").unlink()
    with pytest.raises(DataError, match="4 of 4 pictures cannot be read"):
        read(damaged, skip_unreadable=True)


def test_left_out_files_of_a_split(tmp_path, picture):
    for name in ("train/a/1.png", "train/b/1.png", "train/b/2.png", "test/a/1.png", "test/b/1.png", "test/b/2.png"):
        picture(name)
    for name in ("train/b/1.png", "test/b/2.png"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.warns(UserWarning, match="left out 2 of 6"):
        data = read(tmp_path, skip_unreadable=True)
    assert (data.names, data.test.names) == (("train/a/1.png", "train/b/2.png"), ("test/a/1.png", "test/b/1.png"))
    assert data.labels.tolist() == data.test.labels.tolist() == [0, 1]
    with Image.open(tmp_path / "test/b/1.png") as opened:
        np.testing.assert_array_equal(data.test.images[1], np.asarray(opened))


def test_report_is_told_of_each_picture(tmp_path, picture):
    picture("1.png")
    picture("2.png")
    told = []
    read(tmp_path, report=lambda *words: told.append(words))
    assert told == [("reading pictures", done, 2) for done in range(3)]


@pytest.mark.parametrize(
    "wrong",
    [{"size": (0, 3)}, {"size": (3,)}, {"size": 64}, {"size": (2**20, 3)}, {"channels": 2}, {"channels": True},
     {"background": (1, 2)}, {"background": (1, 2, 256)}, {"background": (1.0, 2, 3)}],
)  # fmt: skip
def test_wrong_treatment(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected .*, got"):
        Pictures(**wrong)
