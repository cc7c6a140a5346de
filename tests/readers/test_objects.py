"""Sequences, graphs and series from files: what is read, and what is refused by name."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from ckn.readers import DataError, Examples, LabelTable, read
from ckn.training import split
from kerneltools.structures import DNA, PROTEIN, Graphs, Ragged, Strings

DATA = Path(__file__).parents[1] / "data"
FASTA = ">a\nACGT\n>b\nGGCA\n>c\nTTTT\n>d\nACCA\n"
TS = "@problemName Two\n@univariate true\n@classLabel true up down\n@data\n1,2,4:up\n3,1:down\n"


def examples(source, **asked):
    found = read(source, **asked)
    assert isinstance(found, Examples)
    return found


def test_sequences_with_a_table_of_labels():
    data = examples(DATA / "promoters.fa", labels=DATA / "promoters.csv")
    assert isinstance(data.data, Strings)
    assert data.described == "106 sequences of 57 letters, ACGT"
    assert data.classes == ("other", "promoter")
    assert np.bincount(data.labels).tolist() == [53, 53]
    assert data.names[:2] == ("record001", "record002")
    assert examples(DATA / "promoters.fa").labels is None


def test_graphs_of_a_folder():
    data = examples(DATA / "MUTAG")
    assert isinstance(data.data, Graphs)
    assert data.described == "188 graphs of 10 to 28 nodes, with labels"
    assert data.classes == ("-1", "1")
    assert np.bincount(data.labels).tolist() == [63, 125]


def test_series_of_a_file_and_of_a_folder_with_both_parts(tmp_path):
    data = examples(DATA / "GunPoint_TRAIN.ts")
    assert isinstance(data.data, Ragged)
    assert (data.described, data.classes) == ("50 series of 150 values in 1 channel", ("1", "2"))
    assert data.test is None
    both = examples(DATA)
    assert len(both.test) == 50
    np.testing.assert_array_equal(both.test.labels, examples(DATA / "GunPoint_TEST.ts").labels)
    (tmp_path / "one.ts.gz").write_bytes(gzip.compress(TS.encode()))
    assert examples(tmp_path / "one.ts.gz").classes == ("down", "up")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Two_TRAIN.tsv", "1\t0.5\t1.5\t2\n-1\t1\t2\tNaN\n"),
        ("Two_TRAIN.txt", "  1.0000000e+00  0.5 1.5 2\n -1.0000000e+00 1 2 NaN\n"),
        ("Two_TRAIN.txt", "1,0.5,1.5,2\n\n-1,1,2,nan\n"),
    ],
)
def test_tables_of_series(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    data = examples(tmp_path / name)
    assert data.classes == ("-1", "1")
    assert [x[:, 0].tolist() for x in data.data] == [[0.5, 1.5, 2.0], [1.0, 2.0]]
    (tmp_path / name.replace("TRAIN", "TEST")).write_text("-1,3\n")
    assert examples(tmp_path).test.labels.tolist() == [0]


def test_headers_say_class_and_split(tmp_path):
    path = tmp_path / "x.fasta"
    path.write_text(">a|1|training\nAC\n>b|0|training\nGG\n>c|1|testing\nTT\n")
    data = examples(path)
    assert (data.names, data.labels.tolist(), data.classes) == (("a", "b"), [1, 0], ("0", "1"))
    assert (data.test.names, data.test.labels.tolist(), list(data.test.data)) == (("c",), [1], ["TT"])
    path.write_text(">a|1|testing\nAC\n>b|0|testing\nGG\n")
    assert examples(path).test is None
    # The names of others have bars too.
    path.write_text(">sp|P1|ONE\nAC\n>sp|P2|TWO\nGG\n")
    assert examples(path).labels is None


@pytest.mark.parametrize(
    "text",
    [
        "a,x\nb,y\nc,x\nd,y\n",
        "d,y\r\nc,x\r\n\r\nb,y\r\na,x\r\n",
        "a\tx\nb\ty\nc\tx\nd\ty\n",
        "length,Label,more,NAME\n4,x,,a\n4,y,,b\n4,x,,c\n4,y,,d\n",
        '\ufeffid,class\n"a","x"\nb,y\nc,x\nd,y\n',
    ],
)
def test_forms_of_a_table(tmp_path, text):
    (tmp_path / "x.fa").write_text(FASTA)
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    data = examples(tmp_path / "x.fa", labels=tmp_path / "labels.csv")
    assert (data.classes, data.labels.tolist()) == (("x", "y"), [0, 1, 0, 1])


def test_whole_numbers_are_in_their_order_and_codes_stay_words(tmp_path):
    (tmp_path / "x.fa").write_text(FASTA)
    for labels, classes in (("10 9 -1 9", ("-1", "9", "10")), ("01 1 10 9", ("01", "1", "10", "9"))):
        rows = "".join(f"{name},{label}\n" for name, label in zip("abcd", labels.split(), strict=True))
        (tmp_path / "labels.csv").write_text(rows)
        assert examples(tmp_path / "x.fa", labels=tmp_path / "labels.csv").classes == classes


TABLES = {
    "a,x\nb,y\n": r"labels\.csv: no label for 2 of the 4 records of .*x\.fa: c, d; add them",
    "e,x\nf,y\n": r"no label for each of the 4 records of .*: a, b, c, d; .*; its names are e, f",
    "a,x\nb,y\na,y\n": r"labels\.csv: line 3: 'a' is in line 1 too",
    "": r"labels\.csv: there is no label in it",
    "name,label\n": "there is no label in it",
    "a\nb\n": "line 1: expected two columns, names and labels, or a first line that says",
    "a,b,c\n": "line 1: expected two columns",
    "a,x\nb\n": "line 2: expected 2 columns, got 1: b",
    "a,x\nb,\n": "line 2: expected a name and its label, got 'b' and ''",
    'a,"x\n': "not a table of names and labels",
}


@pytest.mark.parametrize("text", TABLES)
def test_tables_that_do_not_go_with_the_sequences(tmp_path, text):
    (tmp_path / "x.fa").write_text(FASTA)
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=TABLES[text]):
        read(tmp_path / "x.fa", labels=tmp_path / "labels.csv")


def test_labels_of_others_are_told(tmp_path):
    (tmp_path / "x.fa").write_text(FASTA)
    (tmp_path / "labels.csv").write_text("a,x\nb,y\nc,x\nd,y\ne,x\n")
    with pytest.warns(UserWarning, match=r"1 of 5 labels are of records that are not in .*x\.fa, and are left out: e"):
        assert len(read(tmp_path / "x.fa", labels=tmp_path / "labels.csv")) == 4
    read(tmp_path / "x.fa", labels=LabelTable.of_file(tmp_path / "labels.csv"))  # whoever read it says it


def test_tables_for_what_is_no_fasta_file(tmp_path):
    for source in (DATA / "MUTAG", DATA / "GunPoint_TRAIN.ts", "digits"):
        with pytest.raises(DataError, match=r"promoters\.csv: labels from a table are for sequences in a FASTA file"):
            read(source, labels=DATA / "promoters.csv")
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read"):
        read(DATA / "promoters.fa", labels=tmp_path / "nowhere.csv")


def test_the_alphabet_of_a_training(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGU\n")
    with pytest.raises(DataError, match=r"'a'.*expected letters ACGT .*got 'U' at position 3; the alphabet is that"):
        read(path, alphabet=DNA)
    path.write_text(">a\nACGT\n")
    with pytest.warns(UserWarning, match="looks like nucleotides, and is read as ARND"):
        assert examples(path, alphabet=PROTEIN).data.alphabet == PROTEIN


FILES = {
    "empty.fa": ("", r"empty\.fa: expected records"),
    "twice.fa": (">a\nAC\n>a\nGG\n", "line 3: 'a' is the name of record 0 too"),
    "some.fa": (">a|1|training\nAC\n>b\nGG\n", r"headers such as a\|1\|training say classes, but 1 of 2 do not: b"),
    "again.fa": (">a|1|training\nAC\n>a|2|testing\nGG\n", "records of one name: a"),
    "new.fa": (">a|1|training\nAC\n>b|2|testing\nGG\n", r"labels 2 stand for none of the 1 classes"),
    "empty.ts": ("", r"empty\.ts: expected a line @data"),
    "none.ts": ("@classLabel true a\n@data\n", "expected series behind @data"),
    "channels.ts": ("@classLabel true a\n@data\n1,2:a\n1,2:3,4:a\n", "line 4: expected 1 channels as in the first"),
    "missing.ts": (TS.replace("1,2", "1,?"), "value 1 of channel 0 is missing; write a number in its place"),
    "empty_series.ts": (
        TS + ":down\n",
        r"1 of 3 series of 0 to 3 values in 1 channel are empty, the first is series 2",
    ),
    "bytes.ts": ("\udcff", r"bytes\.ts: expected text in UTF-8"),
    "empty.tsv": ("", r"empty\.tsv: there is no series in it"),
    "words.tsv": ("name\tlabel\na\tx\n", r"words\.tsv, line 1: expected a class and numbers, got 'label'"),
    "gap.tsv": ("1\t2\tNaN\t3\n", r"line 1: value 1 is missing"),
    "infinite.tsv": ("1\t2\tinf\n", r"line 1: expected finite numbers, got inf"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_used(tmp_path, name):
    text, message = FILES[name]
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_truncated_archives(tmp_path):
    for name, text in (("x.ts.gz", TS), ("x.fa.gz", FASTA)):
        (tmp_path / name).write_bytes(gzip.compress(text.encode())[:-12])
        with pytest.raises(DataError, match=rf"{name}: .*truncated"):
            read(tmp_path / name)


def test_folders_that_lack_files(tmp_path):
    for kind in ("A", "graph_indicator"):
        folder = tmp_path / kind / "MUTAG"
        shutil.copytree(DATA / "MUTAG", folder)
        (folder / f"MUTAG_{kind}.txt").unlink()
        with pytest.raises(
            DataError, match=r"MUTAG.*(expected one file NAME_A\.txt|graph_indicator\.txt: no such file)"
        ):
            read(folder)


def test_numbers_to_predict_are_no_classes(tmp_path):
    shutil.copytree(DATA / "MUTAG", tmp_path / "MUTAG")
    (tmp_path / "MUTAG" / "MUTAG_graph_labels.txt").rename(tmp_path / "MUTAG" / "MUTAG_graph_attributes.txt")
    (tmp_path / "x.ts").write_text("@targetLabel true\n@data\n1,2:0.5\n")
    for source in (tmp_path / "MUTAG", tmp_path / "x.ts"):
        with pytest.warns(UserWarning, match="numbers to predict, and no classes"):
            assert read(source).labels is None


def test_several_files_are_pictures(tmp_path):
    with pytest.raises(DataError, match=r"GunPoint_TRAIN\.ts: several files are read at once where they are pictures"):
        read([DATA / "GunPoint_TRAIN.ts", DATA / "GunPoint_TEST.ts"])


def test_splits_and_what_does_not_go_together(tmp_path):
    series, graphs = examples(DATA / "GunPoint_TRAIN.ts"), examples(DATA / "MUTAG")
    parts = split(graphs, "MUTAG", 0)
    assert (len(parts.train), len(parts.test), parts.origin) == (
        150,
        38,
        "20% of each class of MUTAG, drawn with seed 0",
    )
    np.testing.assert_array_equal(split(graphs, "MUTAG", 0).test.data.offsets, parts.test.data.offsets)
    with pytest.raises(DataError, match="MUTAG: test graphs, but training series"):
        split(series, "GunPoint", 0, graphs, "MUTAG")
    with pytest.raises(DataError, match="digits: test images, but training series"):
        split(series, "GunPoint", 0, read("digits"), "digits")
    (tmp_path / "x.ts").write_text("@classLabel true 1\n@data\n1,2:3,4:1\n")
    with pytest.raises(DataError, match=r"x\.ts: test series that do not fit .* expected arrays of 1 columns, got 2"):
        split(series, "GunPoint", 0, examples(tmp_path / "x.ts"), "x.ts")
    (tmp_path / "y.ts").write_text("@classLabel true 3\n@data\n1,2:3\n")
    with pytest.raises(DataError, match=r"y\.ts: series of classes without a training series: 3; the 2 classes"):
        split(series, "GunPoint", 0, examples(tmp_path / "y.ts"), "y.ts")
    with pytest.raises(DataError, match=r"p\.fa: 106 sequences without labels; .*: give a table of them with --labels"):
        split(examples(DATA / "promoters.fa"), "p.fa", 0)
    with pytest.raises(DataError, match="all 20 graphs are of one class"):
        split(graphs.taken(np.flatnonzero(graphs.labels == 0)[:20]), "MUTAG", 0)
