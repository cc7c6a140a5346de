"""Folders of picture files, and single picture files."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ckn.readers.images import AS_THEY_COME, DataError, Images, Pictures, Report, Source, listed, unwatched
from ckn.readers.pictures import Decoded, decode, extensions

_LAYOUT = "expected <class>/<image> or train/<class>/<image> and test/<class>/<image>"


class _Listing(NamedTuple):
    """The contents of one folder, without hidden entries, sorted by name."""

    folders: list[str]
    pictures: list[Path]
    others: list[Path]


class _Tree(NamedTuple):
    """Files and their classes: `labels[i]` is the class folder of `files[i]`."""

    files: list[Path]
    labels: list[str]
    others: list[Path]


@dataclass(frozen=True)
class ImageFile:
    """One picture file, without a label; `pictures`, `skip_unreadable` and `report` are those of `ckn.readers.read`."""

    name: str = "image"
    accepts: str = "a picture file (JPEG, PNG, WebP, TIFF, BMP, GIF and all else that Pillow decodes), or several"
    pictures: Pictures = AS_THEY_COME
    skip_unreadable: bool = False
    report: Report = unwatched

    def recognises(self, source: Source) -> bool:
        return _is_picture(str(source)) and Path(source).is_file()

    def read(self, source: Source) -> Images:
        return self.read_all([Path(source)])

    def read_all(self, files: Sequence[Path]) -> Images:
        """Several files, in the order given."""
        if not files:
            raise DataError("source: expected at least one image file, got an empty list")
        found = decode(files, self.pictures, self.skip_unreadable, self.report)
        names = tuple(str(files[i]) for i in found.kept)
        return Images(found.pixels, maximum=255.0, names=names, pictures=found.pictures)


@dataclass(frozen=True)
class ImageFolder:
    """A folder with one subfolder of images for each class, sorted by name.

    Subfolders train and test, if they exist, hold the class folders and are the two splits. A folder of images without
    subfolders has no labels. Hidden files are skipped, other files are listed in a warning. Grey images among coloured
    ones become coloured. `pictures`, `skip_unreadable` and `report` are those of `ckn.readers.read`.
    """

    name: str = "folder"
    accepts: str = (
        "a folder of pictures of any size: one subfolder per class, "
        "under train/ and test/ or not; or no subfolders (no labels)"
    )
    pictures: Pictures = AS_THEY_COME
    skip_unreadable: bool = False
    report: Report = unwatched

    def recognises(self, source: Source) -> bool:
        return Path(source).is_dir()

    def read(self, source: Source) -> Images:
        root = Path(source)
        top = _listing(root)
        if {"train", "test"} <= set(top.folders):
            return self._read_splits(root, top)
        tree = _tree(root, top)
        _warn_of_others(root, tree.others)
        found = self._decode(tree.files)
        return _images(root, tree, found, range(len(tree.files)), tuple(sorted(set(tree.labels))))

    def _decode(self, files: Sequence[Path]) -> Decoded:
        return decode(files, self.pictures, self.skip_unreadable, self.report)

    def _read_splits(self, root: Path, top: _Listing) -> Images:
        train, test = _splits(root, top)
        _warn_of_others(root, [*top.others, *train.others, *test.others])
        found = self._decode([*train.files, *test.files])  # together, so that both have the same channels and size
        n, classes = len(train.files), tuple(sorted(set(train.labels)))
        held_out = _images(root, test, found, range(n, n + len(test.files)), classes)
        return _images(root, train, found, range(n), classes, held_out)


def _listing(folder: Path) -> _Listing:
    with os.scandir(folder) as scan:
        entries = sorted((e for e in scan if not e.name.startswith(".")), key=lambda e: e.name)
    files = [e.name for e in entries if not e.is_dir()]
    return _Listing(
        [e.name for e in entries if e.is_dir()],
        [folder / name for name in files if _is_picture(name)],
        [folder / name for name in files if not _is_picture(name)],
    )


def _tree(root: Path, top: _Listing) -> _Tree:
    if not top.folders:
        if not top.pictures:
            raise DataError(f"{root}: no picture and no class folder in it{_other_files(root, top.others)}")
        return _Tree(top.pictures, [], top.others)
    if top.pictures:
        raise DataError(f"{root}: images ({top.pictures[0].name}) beside class folders ({top.folders[0]}); {_LAYOUT}")
    tree = _Tree([], [], list(top.others))
    for name in top.folders:
        inside = _listing(root / name)
        if inside.folders:
            raise DataError(f"{root / name / inside.folders[0]}: a folder inside a class folder; {_LAYOUT}")
        tree.files.extend(inside.pictures)
        tree.labels.extend([name] * len(inside.pictures))
        tree.others.extend(inside.others)
    filled = set(tree.labels)
    empty = [name for name in top.folders if name not in filled]
    if empty:
        raise DataError(f"{root}: class folders without a picture: {listed(empty)}; fill or remove them")
    return tree


def _splits(root: Path, top: _Listing) -> tuple[_Tree, _Tree]:
    """The training and the test files."""
    beside = [name for name in top.folders if name not in ("train", "test")] + [p.name for p in top.pictures]
    if beside:
        raise DataError(f"{root}: {listed(beside)} beside train and test; {_LAYOUT}")
    train, test = (_tree(root / split, _listing(root / split)) for split in ("train", "test"))
    for split, tree in (("train", train), ("test", test)):
        if not tree.labels:
            raise DataError(f"{root / split}: images, but no class folders; {_LAYOUT}")
    unknown = sorted(set(test.labels) - set(train.labels))
    if unknown:
        raise DataError(f"{root}: class folders under test that are not under train: {listed(unknown)}")
    return train, test


def _images(
    root: Path, tree: _Tree, found: Decoded, part: range, classes: tuple[str, ...], test: Images | None = None
) -> Images:
    """The pictures whose places are in `part`, which are the files of the tree."""
    rows = [row for row, place in enumerate(found.kept) if place in part]
    places = [found.kept[row] - part.start for row in rows]
    pixels = found.pixels[rows[0] : rows[-1] + 1] if rows else found.pixels[:0]
    names = tuple(tree.files[i].relative_to(root).as_posix() for i in places)
    if not tree.labels:
        return Images(pixels, maximum=255.0, names=names, pictures=found.pictures)
    position = {name: i for i, name in enumerate(classes)}
    labels = np.asarray([position[tree.labels[i]] for i in places], dtype=np.int64)
    _require_all(root, set(tree.labels), {tree.labels[i] for i in places})
    return Images(pixels, labels, classes, 255.0, test, names, found.pictures)


def _require_all(root: Path, wanted: set[str], found: set[str]) -> None:
    if lost := sorted(wanted - found):
        raise DataError(f"{root}: class folders without a picture that can be read: {listed(lost)}; repair or remove")


def _is_picture(name: str) -> bool:
    return name.lower().endswith(extensions())


def _other_files(root: Path, others: Sequence[Path]) -> str:
    return f"; other files: {listed(p.relative_to(root).as_posix() for p in others)}" if others else ""


def _warn_of_others(root: Path, others: Sequence[Path]) -> None:
    if others:
        names = listed((p.relative_to(root).as_posix() for p in others), most=3)
        what = "1 file that is no picture" if len(others) == 1 else f"{len(others)} files that are no pictures"
        warnings.warn(f"{root}: left out {what}: {names}", stacklevel=2)
