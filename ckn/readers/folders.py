"""Folders of PNG and JPEG files, and such files by themselves."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ckn.readers.images import DataError, HostArray, Images, Source, listed
from ckn.readers.pictures import EXTENSIONS, decode

_LAYOUT = "expected <class>/<image> or train/<class>/<image> and test/<class>/<image>"


@dataclass(frozen=True)
class ImageFile:
    """One PNG or JPEG file, without a label."""

    name: str = "image"
    accepts: str = "a PNG or JPEG file, or a list of such files (no labels)"

    def recognises(self, source: Source) -> bool:
        return _is_picture(str(source)) and Path(source).is_file()

    def read(self, source: Source) -> Images:
        return read_files([Path(source)])


@dataclass(frozen=True)
class ImageFolder:
    """A folder with one subfolder of images for each class, in order of name.

    With subfolders train and test, these hold the class folders and are the two splits. A folder of
    images without subfolders has no labels. Hidden files are passed over, other files are counted in a
    warning. Grey images among coloured ones become coloured; an alpha channel must be opaque.
    """

    name: str = "folder"
    accepts: str = (
        "a folder of PNG or JPEG files of one size: one subfolder per class, "
        "under train/ and test/ or not; or no subfolders (no labels)"
    )

    def recognises(self, source: Source) -> bool:
        return Path(source).is_dir()

    def read(self, source: Source) -> Images:
        root = Path(source)
        top = _listing(root)
        if {"train", "test"} <= set(top.folders):
            return _read_splits(root, top)
        tree = _tree(root, top)
        _warn_of_others(root, tree.others)
        return _images(root, tree, decode(tree.files))


def read_files(files: Sequence[Path]) -> Images:
    """PNG or JPEG files, in the order given, without labels."""
    if not files:
        raise DataError("source: expected at least one image file, got an empty list")
    return Images(decode(files), maximum=255.0, names=tuple(str(file) for file in files))


class _Listing(NamedTuple):
    """What lies in one folder, hidden entries aside, in order of name."""

    folders: list[str]
    pictures: list[Path]
    others: list[Path]


class _Tree(NamedTuple):
    """Files and their classes: `labels[i]` is the class folder of `files[i]`."""

    files: list[Path]
    labels: list[str]
    others: list[Path]


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
            raise DataError(f"{root}: no PNG or JPEG file and no class folder in it{_other_files(root, top.others)}")
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
        raise DataError(f"{root}: class folders without a PNG or JPEG file: {listed(empty)}; fill or remove them")
    return tree


def _read_splits(root: Path, top: _Listing) -> Images:
    beside = [name for name in top.folders if name not in ("train", "test")] + [p.name for p in top.pictures]
    if beside:
        raise DataError(f"{root}: {listed(beside)} beside train and test; {_LAYOUT}")
    trees = [_tree(root / split, _listing(root / split)) for split in ("train", "test")]
    for split, tree in zip(("train", "test"), trees, strict=True):
        if not tree.labels:
            raise DataError(f"{root / split}: images, but no class folders; {_LAYOUT}")
    train, test = trees
    unknown = sorted(set(test.labels) - set(train.labels))
    if unknown:
        raise DataError(f"{root}: class folders under test that are not under train: {listed(unknown)}")
    _warn_of_others(root, [*top.others, *train.others, *test.others])
    pixels = decode([*train.files, *test.files])  # together, so that both have the same channels
    n = len(train.files)
    classes = tuple(sorted(set(train.labels)))
    held_out = _images(root, test, pixels[n:], classes)
    return _images(root, train, pixels[:n], classes, held_out)


def _images(
    root: Path, tree: _Tree, pixels: HostArray, classes: tuple[str, ...] = (), test: Images | None = None
) -> Images:
    names = tuple(file.relative_to(root).as_posix() for file in tree.files)
    if not tree.labels:
        return Images(pixels, maximum=255.0, names=names)
    classes = classes or tuple(sorted(set(tree.labels)))
    position = {name: i for i, name in enumerate(classes)}
    labels = np.asarray([position[name] for name in tree.labels], dtype=np.int64)
    return Images(pixels, labels, classes, 255.0, test, names)


def _is_picture(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def _other_files(root: Path, others: Sequence[Path]) -> str:
    return f"; other files: {listed(p.relative_to(root).as_posix() for p in others)}" if others else ""


def _warn_of_others(root: Path, others: Sequence[Path]) -> None:
    if others:
        names = listed((p.relative_to(root).as_posix() for p in others), most=3)
        warnings.warn(f"{root}: left out {len(others)} files that are no PNG or JPEG: {names}", stacklevel=2)
