"""Trees in files: what was written is read, and nothing else is ever taken for it."""

import json
import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import save_file

from kerneltools.files import VERSION, FileFormatError, digest, load_tree, open_rows, replacing, save_tree
from tests.core.tree_strategies import ARRAYS, Node, same, trees_of
from tests.strict import DEVICES, assert_same_on, to_strict

KIND = "test"
TYPES = {"Node": Node}

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.booleans() | st.text(max_size=3)
TREES = trees_of(NUMBERS | ARRAYS, NUMBERS | st.tuples(NUMBERS, NUMBERS))
TREE = Node({"z": np.arange(6.0).reshape(2, 3)}, (1, [np.zeros((0, 2), np.float32), None]), label=("same", 2))


def sealed(path: Path, structure: str, arrays: dict[str, np.ndarray], **changes: str) -> None:
    """A file with the right digest, whatever its structure is."""
    header = {"kind": KIND, "version": VERSION, "structure": structure, **changes}
    save_file(arrays, path, metadata={**header, "digest": digest(header, arrays)})


def written(path: Path) -> bytes:
    save_tree(TREE, path, KIND)
    return path.read_bytes()


@settings(max_examples=100)
@given(tree=TREES)
@example(tree={"": np.ones(1), ".": np.zeros(1)})
@example(tree={"a.b": np.ones(1), "a": {"b": np.zeros(1)}})
@example(tree={"tuple": 1, "array": "x", "type": None})
@example(tree=np.ones(2))
@example(tree={"0": np.ones(1), "": [np.zeros(1)]})
@example(tree={"__metadata__": np.ones(1)})
@example(tree=float("inf"))
def test_what_was_written_is_read(tree: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree.safetensors"
        save_tree(tree, path, KIND)
        assert same(load_tree(path, KIND, TYPES), tree)
        assert os.listdir(folder) == ["tree.safetensors"]
        first = path.read_bytes()
        save_tree(tree, path, KIND)
        assert path.read_bytes() == first


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_arrays_of_other_libraries(tmp_path: Path, device: Any) -> None:
    z = np.arange(6.0).reshape(2, 3)
    save_tree({"z": to_strict(z, device)}, tmp_path / "tree", KIND)
    assert np.array_equal(load_tree(tmp_path / "tree", KIND, {})["z"], z)
    loaded = load_tree(tmp_path / "tree", KIND, {}, lambda array: to_strict(array, device))
    assert_same_on(device, loaded["z"], z, 0.0)


def test_array_order_is_no_matter(tmp_path: Path) -> None:
    z = np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)[::-1]
    save_tree({"z": z}, tmp_path / "tree", KIND)
    assert np.array_equal(load_tree(tmp_path / "tree", KIND, {})["z"], z)


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "tree"
    for value in (1, 2):
        save_tree({"x": value}, path, KIND)
    assert load_tree(path, KIND, {}) == {"x": 2}


@settings(max_examples=150)
@given(data=st.data())
def test_a_changed_byte_never_crashes(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree"
        content = bytearray(written(path))
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        check_refused_or_read(path)


@settings(max_examples=80)
@given(data=st.data())
def test_a_shorter_or_longer_file_is_refused(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree"
        content = written(path)
        shorter = data.draw(st.booleans())
        cut = (
            content[: data.draw(st.integers(0, len(content) - 1))]
            if shorter
            else content + data.draw(st.binary(min_size=1, max_size=9))
        )
        path.write_bytes(cut)
        with pytest.raises(FileFormatError, match="not a safetensors file, truncated or corrupt"):
            load_tree(path, KIND, TYPES)


def check_refused_or_read(path: Path) -> None:
    """A changed byte is an error that names the file, or makes no difference at all."""
    found = read_or_refused(path)
    assert str(path) in found if isinstance(found, str) else same(found, TREE)


def read_or_refused(path: Path) -> Any:
    """The tree, or what the error says."""
    try:
        return load_tree(path, KIND, TYPES)
    except FileFormatError as error:
        return str(error)


def test_flipped_bits_are_found_wherever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "tree"
    content, rng = written(path), np.random.default_rng(0)
    for at, bit in zip(rng.integers(0, len(content), 500), rng.integers(0, 8, 500), strict=True):
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :])
        check_refused_or_read(path)


def test_keys_of_the_header_that_are_given_twice(tmp_path: Path) -> None:
    # safetensors takes the last of them.
    content = written(tmp_path / "tree")
    (length,) = struct.unpack("<Q", content[:8])
    header = content[8 : 8 + length].rstrip()
    entry = json.dumps({"left.z": json.loads(header)["left.z"]})[1:-1].encode()
    doubled = header[:-1] + b"," + entry + b"}"
    doubled += b" " * (-len(doubled) % 8)
    (tmp_path / "tree").write_bytes(struct.pack("<Q", len(doubled)) + doubled + content[8 + length :])
    with pytest.raises(FileFormatError, match="tree: not a safetensors file, truncated or corrupt"):
        load_tree(tmp_path / "tree", KIND, TYPES)


def test_every_single_byte_of_the_header(tmp_path: Path) -> None:
    # Not a sample: each byte of the header, changed in two ways.
    path = tmp_path / "tree"
    content = written(path)
    (length,) = struct.unpack("<Q", content[:8])
    for at in range(8 + length):
        for change in (0x01, 0x80):
            path.write_bytes(content[:at] + bytes([content[at] ^ change]) + content[at + 1 :])
            check_refused_or_read(path)


def test_damaged_headers_of_rows_are_refused_by_name(tmp_path: Path) -> None:
    path, rng = tmp_path / "rows.npy", np.random.default_rng(0)
    np.save(path, np.ones((20, 3)))
    content, characters = path.read_bytes(), b"0123456789,()'{}:[]<>|fO -\\"
    for _ in range(500):
        changed = bytearray(content)
        for at, new in zip(rng.integers(6, 128, 2), rng.integers(0, len(characters), 2), strict=True):
            changed[at] = characters[new]
        path.write_bytes(changed)
        message = rows_or_refusal(path)
        assert message is None or message.startswith(f"{path}: ")


def rows_or_refusal(path: Path) -> str | None:
    """What the error says; None where rows can be read."""
    try:
        open_rows(path).rows(slice(0, 2))
    except FileFormatError as error:
        return str(error)
    return None


class TestForeignFiles:
    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="tree: no such file"):
            load_tree(tmp_path / "tree", KIND, TYPES)
        with pytest.raises(FileNotFoundError, match="a folder, no file"):
            load_tree(tmp_path, KIND, TYPES)

    @pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04" + bytes(100), b"\x89PNG\r\n\x1a\n" * 9, b"\xff" * 64])
    def test_other_bytes(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "tree").write_bytes(content)
        with pytest.raises(FileFormatError, match=r"tree: not a safetensors file, truncated or corrupt \("):
            load_tree(tmp_path / "tree", KIND, TYPES)

    def test_safetensors_of_someone_else(self, tmp_path: Path) -> None:
        for metadata in (None, {"format": "pt"}):
            save_file({"weight": np.ones(3)}, tmp_path / "tree", metadata=metadata)
            with pytest.raises(FileFormatError, match=r"not a file of kind 'test' \(its header says None\)"):
                load_tree(tmp_path / "tree", KIND, TYPES)

    def test_another_kind(self, tmp_path: Path) -> None:
        save_tree(TREE, tmp_path / "tree", "other")
        with pytest.raises(FileFormatError, match=r"not a file of kind 'test' \(its header says 'other'\)"):
            load_tree(tmp_path / "tree", KIND, TYPES)

    def test_another_version(self, tmp_path: Path) -> None:
        save_tree(TREE, tmp_path / "tree", KIND, notes={"version": "2"})
        with pytest.raises(FileFormatError, match=r"format version '2', this release reads '1'; install the release"):
            load_tree(tmp_path / "tree", KIND, TYPES)

    def test_no_digest(self, tmp_path: Path) -> None:
        header = {"kind": KIND, "version": VERSION, "structure": "1"}
        save_file({}, tmp_path / "tree", metadata=header)
        with pytest.raises(FileFormatError, match=r"tree: corrupt, or written before files had a digest"):
            load_tree(tmp_path / "tree", KIND, TYPES)

    def test_errors_of_any_kind_in_a_type(self, tmp_path: Path) -> None:
        def overflows(left: Any, right: Any, label: Any) -> float:
            return float(10**400)

        save_tree(TREE, tmp_path / "tree", KIND)
        with pytest.raises(FileFormatError, match=r"tree: corrupt .* OverflowError: "):
            load_tree(tmp_path / "tree", KIND, {"Node": overflows})  # type: ignore[dict-item]

    def test_unknown_types(self, tmp_path: Path) -> None:
        save_tree(TREE, tmp_path / "tree", KIND)
        with pytest.raises(FileFormatError, match="corrupt or made with unknown types: type 'Node' is not among Other"):
            load_tree(tmp_path / "tree", KIND, {"Other": tuple})

    @pytest.mark.parametrize(
        "structure",
        [
            "",
            "{",
            "[1]",
            '{"array": "absent"}',
            '{"array": []}',
            '{"array": {}}',
            '{"tuple": 1}',
            '{"dict": [1]}',
            '{"list": null}',
            "{}",
            '{"type": "Node"}',
            '{"type": ["Node"], "fields": {}}',
            '{"type": "Node", "fields": {}}',
            '{"type": "Node", "fields": []}',
            '{"type": "Node", "fields": {"left": 1, "up": 2}}',
            '{"array": "z", "tuple": []}',
            '{"tuple": "abc"}',
            '{"dict": {"a": {"array": "z"}, "a": 1}}',
            '{"tuple": [{"array": "z"}, {"array": "z"}]}',
            '{"list": []}',
            '{"tuple": [{"array": "z"}, ' + "1" * 5000 + "]}",
            '{"tuple": ' * 2000 + "1" + "}" * 2000,
            '{"list": [' * 100_000,
        ],
    )
    def test_a_structure_that_is_none(self, tmp_path: Path, structure: str) -> None:
        sealed(tmp_path / "tree", structure, {"z": np.ones(3)})
        with pytest.raises(FileFormatError, match="tree: corrupt or made with unknown types"):
            load_tree(tmp_path / "tree", KIND, TYPES)

    def test_a_type_that_numpy_lacks(self, tmp_path: Path) -> None:
        header = json.dumps({"z": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
        (tmp_path / "tree").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
        with pytest.raises(FileFormatError, match="tree: "):
            load_tree(tmp_path / "tree", KIND, TYPES)


class TestWhatIsThereAlready:
    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"old")
        (tmp_path / "link").symlink_to("target")
        save_tree(TREE, tmp_path / "link", KIND)
        assert (tmp_path / "link").is_symlink()
        assert same(load_tree(tmp_path / "target", KIND, TYPES), TREE)

    def test_a_link_to_itself(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("link")
        with pytest.raises(OSError, match="link"):
            save_tree(TREE, tmp_path / "link", KIND)
        assert (tmp_path / "link").is_symlink()

    def test_permissions_stay(self, tmp_path: Path) -> None:
        (tmp_path / "tree").touch(mode=0o600)
        save_tree(TREE, tmp_path / "tree", KIND)
        assert (tmp_path / "tree").stat().st_mode & 0o777 == 0o600

    def test_a_pipe_stays_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="is no regular file"):
            save_tree(TREE, tmp_path / "pipe", KIND)
        assert (tmp_path / "pipe").is_fifo()
        assert list(tmp_path.iterdir()) == [tmp_path / "pipe"]


class TestNothingIsLeftBehind:
    def test_when_the_disk_is_full(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any, **__: Any) -> None:
            raise SafetensorError("I/O error: No space left on device")

        monkeypatch.setattr("safetensors.numpy.save_file", full)
        with pytest.raises(OSError, match=r"a: cannot be written: I/O error: No space left on device"):
            save_tree(TREE, tmp_path / "a", KIND)
        assert not list(tmp_path.iterdir())

    def test_when_a_value_cannot_be_written(self, tmp_path: Path) -> None:
        for value, name in ((object(), "object"), (np.array([1j]), "ndarray"), (b"raw", "bytes")):
            with pytest.raises(
                TypeError, match=rf"tree\.y\.1: cannot write a {name}; arrays, numbers and strings only"
            ):
                save_tree({"x": np.ones(2), "y": (1, value)}, tmp_path / "tree", KIND)
        with pytest.raises(TypeError, match=r"tree\.y: expected strings as keys of a dict, got \[1, 2\]"):
            save_tree({"y": {1: 1, 2: 2}}, tmp_path / "tree", KIND)
        assert not os.listdir(tmp_path)

    def test_when_the_work_fails(self, tmp_path: Path) -> None:
        (tmp_path / "tree").write_text("as it was")

        def fail() -> None:
            with replacing(tmp_path / "tree") as temporary:
                temporary.write_text("half")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert os.listdir(tmp_path) == ["tree"]
        assert (tmp_path / "tree").read_text() == "as it was"

    def test_by_a_process_that_was_killed(self, tmp_path: Path) -> None:
        dead, other = tmp_path / ".tree.abcd_123", tmp_path / ".tree.swp"
        dead.write_text("half")
        other.write_text("of an editor")
        with replacing(tmp_path / "tree") as living:
            living.write_text("of another process")
            save_tree(TREE, tmp_path / "tree", KIND)
            assert living.read_text() == "of another process"
            assert not dead.exists()
        assert sorted(os.listdir(tmp_path)) == [".tree.swp", "tree"]
        assert (tmp_path / "tree").read_text() == "of another process"

    def test_when_there_is_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"absent/tree'$"):  # and not of a temporary file
            save_tree(TREE, tmp_path / "absent" / "tree", KIND)

    def test_a_written_file_has_the_usual_permissions(self, tmp_path: Path) -> None:
        (tmp_path / "plain").touch()
        save_tree(TREE, tmp_path / "tree", KIND)
        assert (tmp_path / "tree").stat().st_mode == (tmp_path / "plain").stat().st_mode
