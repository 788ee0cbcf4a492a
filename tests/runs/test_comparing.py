"""`itda compare`: dictionaries of a library, one or several models, with the corpus at hand and without."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from itda_core import AtomDictionary, Corpus, TrainConfig, train
from itda_core.cli.main import main
from itda_core.comparison import LabelSet
from itda_core.comparison.overlap.chance import uniform
from itda_core.comparison.overlap.corpus_orders import in_order
from itda_core.runs import BUNDLED, Library
from itda_core.text import windows
from tests.comparison.label_sets import places_of
from tests.conftest import Cli
from tests.runs.samples import write_corpus

CONTRACT = ["labels", "sizes", "jaccard", "intersection", "comparable_fraction", "null_jaccard", "z"]
Folders = dict[str, list[Path]]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("text") / "text.txt", documents=60)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, model_folder_of: Callable[[str], Path], text: Path) -> Folders:
    """Two layers each of a model with a byte-level tokenizer and of one with WordPiece."""
    found: Folders = {}
    for family, tokens in (("gpt2", 600), ("bert", 500)):
        library = tmp_path_factory.mktemp(family)
        with pytest.raises(SystemExit):
            main(
                f"train {model_folder_of(family)} --layers 1,2 --corpus {text} --tokens {tokens} --context 32 --k 4 "
                f"--threshold 0.2 --device cpu --library {library} --json".split()
            )
        found[family] = sorted(library.iterdir())
    return found


def prefixes(model: str, path: Path, text: Path, tokens: int, model_of: Callable) -> tuple[set, set]:
    """What one dictionary read, and its labels, by Python."""
    cut = windows(Corpus.open(str(text)), model_of(model).tokenizer, context=32)
    read = [token for window in cut for token in window.tokens()][:tokens]
    frame = AtomDictionary.load(path).provenance
    ends = (frame["char_end"] - 1).tolist()
    labels = zip(frame["document"].tolist(), frame["window_start"].tolist(), ends, strict=True)
    return {tuple(token.prefix) for token in read}, set(labels)


def test_two_tokenizers_are_compared_where_both_end_a_token(
    itda: Cli, trained: Folders, text: Path, model_of: Callable
) -> None:
    paths = [*trained["gpt2"], *trained["bert"]]
    code, out, err = itda("compare", *paths, "--corpus", text, "--json", "--no-interval")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert list(found)[: len(CONTRACT)] == CONTRACT
    assert found["comparable"] == "exact"
    assert found["labels"] == [path.name for path in paths]
    sides = [("gpt2", 600), ("gpt2", 600), ("bert", 500), ("bert", 500)]
    read = [prefixes(name, path, text, n, model_of) for (name, n), path in zip(sides, paths, strict=True)]
    for i, (mine, a) in enumerate(read):
        for j, (theirs, b) in enumerate(read):
            common = mine & theirs
            assert found["comparable_fraction"][i][j] == pytest.approx(len(common) / len(mine | theirs))
            assert found["intersection"][i][j] == len(a & b)
            assert found["jaccard"][i][j] == pytest.approx(len(a & b) / len((a | b) & common))
    assert 0 < found["comparable_fraction"][0][2] < 0.9
    assert found["low"] is None


def test_without_the_corpus_all_labels_are_compared_and_it_says_so(itda: Cli, trained: Folders, text: Path) -> None:
    code, out, err = itda("compare", *trained["gpt2"], "--json", "--no-interval")
    assert code == 0
    found = json.loads(out)
    assert found["comparable"] == "estimated"
    assert err.startswith("note: All labels were compared")
    assert found["notes"] == [err.removeprefix("note: ").rstrip("\n")]
    assert found["comparable_fraction"][0][1] == 1.0
    code, out, err = itda("compare", *trained["gpt2"], "--null", "token")
    assert (code, out) == (2, "")
    assert "--corpus PATH" in err


def test_bundled_dictionaries_as_a_table_with_what_belongs_to_it(itda: Cli, tmp_path: Path) -> None:
    names = ["demo-0-L0", "demo-0-L5", "demo-1-L0"]
    file = tmp_path / "cells.csv"
    code, out, err = itda("compare", *names, "--crop", "--null", "token", "--csv", file)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["#", "Jaccard,", "percent", "labels", "1", "2", "3"]
    assert "of its text (counted)" in out
    assert "By chance (given how often each holds each token)" in out
    assert "the first that entered" in out
    assert "95% intervals" in out
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert [(row["one"], row["two"]) for row in rows] == [
        (names[0], names[1]),
        (names[0], names[2]),
        (names[1], names[2]),
    ]
    shown = [float(part) for part in out.splitlines()[1].split()[3:]]
    assert shown == [100.0, *(round(100 * float(row["jaccard"]), 1) for row in rows[:2])]
    for row in rows:
        assert float(row["low"]) <= float(row["jaccard"]) <= float(row["high"])


def test_the_labels_behind_a_figure_as_a_table(itda: Cli, tmp_path: Path) -> None:
    names, file = ["demo-0-L0", "demo-1-L5"], tmp_path / "labels.csv"
    for options in ([], ["--crop"]):
        code, out, err = itda("compare", *names, *options, "--differences", file, "--json", "--no-interval")
        assert (code, err) == (0, "")
        with file.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened))
        found = json.loads(out)
        parts = [row["part"] for row in rows]
        assert len(parts) == found["union"][0][1]
        assert parts.count("shared") == found["intersection"][0][1]
        assert parts.count("only first") == found["comparable_sizes"][0][1] - parts.count("shared")
        assert all(row["token"] for row in rows)
    code, out, err = itda("compare", *names, "demo-2-L0", "--differences", file)
    assert (code, out, "listed for two dictionaries, not for 3" in err) == (2, "", True)
    labels = Library().export(names[0], tmp_path, labels_only=True)
    code, out, err = itda("compare", labels, names[1], "--differences", file)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "demo-0-L0 has labels alone and says nothing of token" in err


def test_models_are_compared_by_the_union_of_their_layers(itda: Cli) -> None:
    names = [f"demo-{model}-L{layer}" for model in (0, 1) for layer in (0, 3)]
    code, out, _ = itda("compare", *names, "--by", "model", "--json", "--no-interval")
    assert code == 0
    found = json.loads(out)
    assert found["labels"] == ["demo:0", "demo:1"]
    places = []
    for name in names:
        frame = AtomDictionary.load(BUNDLED / name).provenance
        columns = (frame[column].tolist() for column in ("document", "window_start", "char_end"))
        places.append(set(zip(*columns, strict=True)))
    one, two = places[0] | places[1], places[2] | places[3]
    assert found["sizes"] == [len(one), len(two)]
    assert found["intersection"][0][1] == len(one & two)


def test_names_that_come_twice_are_told_apart(itda: Cli) -> None:
    code, out, _ = itda("compare", "demo-0-L0", "demo-0-L0", "--json", "--no-interval")
    assert code == 0
    assert json.loads(out)["labels"] == ["demo-0-L0", "demo-0-L0 (2)"]
    assert json.loads(out)["jaccard"][0][1] == 1.0


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, trained: Folders) -> Folders:
    """The labels alone of the same dictionaries."""
    folder = tmp_path_factory.mktemp("alone")
    return {
        family: [Library().export(path, folder, labels_only=True) for path in paths]
        for family, paths in trained.items()
    }


@pytest.mark.parametrize("options", ["--no-interval", "--crop --null token", "--by model --null token --seed 3"])
def test_files_of_labels_give_the_figures_of_their_dictionaries(
    itda: Cli, trained: Folders, alone: Folders, text: Path, tmp_path: Path, options: str
) -> None:
    found = []
    for kind, given in (("folders", trained), ("files", alone)):
        table = tmp_path / f"{kind}.csv"
        more = ("--corpus", text, "--csv", table, "--json", *options.split())
        code, out, err = itda("compare", *given["gpt2"], *given["bert"], *more)
        assert (code, err) == (0, "")
        found.append((out, table.read_text()))
    assert found[0] == found[1]
    assert json.loads(found[0][0])["comparable"] == "exact"


def test_a_file_of_labels_beside_its_dictionary_without_the_corpus(itda: Cli, tmp_path: Path) -> None:
    file = Library().export("demo-0-L3", tmp_path, labels_only=True)
    code, out, _ = itda("compare", file, "demo-0-L3", "demo-1-L3", "--json", "--no-interval")
    found = json.loads(out)
    assert (code, found["labels"]) == (0, ["demo-0-L3", "demo-0-L3 (2)", "demo-1-L3"])
    assert found["jaccard"][0] == found["jaccard"][1]
    (tmp_path / "words.txt").write_text("no labels")
    code, out, err = itda("compare", file, tmp_path / "words.txt")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "does not hold the labels of a dictionary" in err


def test_what_cannot_be_compared_is_one_sentence(itda: Cli, trained: Folders) -> None:
    for arguments, sentence in (
        (["demo-0-L0"], "at least two"),
        (["demo-0-L0", trained["gpt2"][0]], "different corpora"),
        (["demo-0-L0", "demo-0-L1", "--by", "colour"], "'colour'"),
        (["demo-0-L0", "demo-0-L1", "--null", "none"], "'none' does not exist"),
        (["demo-0-L0", "nothing-such"], "No dictionary is called"),
        (["demo-0-L0", "demo-0-L1", "--corpus", "/nowhere.txt"], "/nowhere.txt"),
    ):
        code, out, err = itda("compare", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert sentence in err


def test_orders_of_the_corpus_show_what_can_be_reached(itda: Cli, trained: Folders, alone: Folders, text: Path) -> None:
    paths = trained["gpt2"]
    code, out, _ = itda("compare", *paths, "--corpus", text, "--orders", 2, "--device", "cpu", "--json")
    assert code == 0
    found = json.loads(out)["orders"]
    assert found["labels"] == [path.name for path in paths]
    assert all(0 < value < 1 for value in found["ceiling"])
    assert found["same_mean"][0][0] == 1.0
    assert found["same_mean"][0][1] == found["same_mean"][1][0]
    assert all(0 < found["null_jaccard"][i][i] < found["ceiling"][i] for i in range(2))
    files = alone["gpt2"]
    code, out, _ = itda("compare", *files, "--corpus", text, "--orders", 2, "--device", "cpu", "--no-interval")
    assert code == 0
    shown = {tuple(line.split()[:2]): line.split()[2:] for line in out.splitlines()}
    names = [path.name for path in paths]
    for i, one in enumerate(names):
        numbers = [100 * found["ceiling"][i], 100 * found["null_jaccard"][i][i]]
        assert shown[one, one] == [f"{number:.1f}" for number in numbers]  # of one pair of orders there is no spread
    same, _, spread, other, _, _, chance = shown[names[0], names[1]]
    assert same == f"{100 * found['same_mean'][0][1]:.1f}"
    assert spread == f"{100 * found['same_sd'][0][1]:.1f}"
    assert other == f"{100 * found['other_mean'][0][1]:.1f}"
    assert chance == f"{100 * found['null_jaccard'][0][1]:.1f}"
    assert out.splitlines()[-1].startswith("A dictionary beside itself in another order: ")


def test_orders_of_two_models_count_where_both_end_a_token(
    itda: Cli, trained: Folders, text: Path, model_of: Callable
) -> None:
    paths = [trained["gpt2"][0], trained["bert"][0]]
    code, out, _ = itda("compare", *paths, "--corpus", text, "--orders", 2, "--device", "cpu", "--json")
    assert code == 0
    found = json.loads(out)["orders"]
    corpus = Corpus.open(str(text))
    read, labels = [], []
    for name, n_documents in zip(("gpt2", "bert"), found["documents"], strict=True):
        documents = list(corpus)[:n_documents]
        cut = windows(documents, model_of(name).tokenizer, context=32)
        read.append({tuple(token.prefix) for window in cut for token in window.tokens()})
        config = TrainConfig(k=4, threshold=0.2, context=32)
        grown = []
        for order in range(2):
            *_, last = train(model_of(name), in_order(corpus, documents, order, 0), [1], config)
            grown.append(places_of(LabelSet.of(last.dictionaries[0])))
        labels.append(grown)
    common = read[0] & read[1]

    def plain(one: set, other: set) -> float:
        return len(one & other) / len((one | other) & common)

    assert found["ceiling"][0] == pytest.approx(len(labels[0][0] & labels[0][1]) / len(labels[0][0] | labels[0][1]))
    same, other = (
        [plain(labels[0][a], labels[1][b]) for a, b in pairs] for pairs in (((0, 0), (1, 1)), ((0, 1), (1, 0)))
    )
    assert found["same_mean"][0][1] == pytest.approx(sum(same) / 2)
    assert found["other_mean"][0][1] == pytest.approx(sum(other) / 2)
    sizes = [[len(one & common) for one in grown] for grown in labels]
    chance = [uniform(len(common), sizes[0][a], sizes[1][b]).jaccard for a, b in ((0, 1), (1, 0))]
    assert found["null_jaccard"][0][1] == pytest.approx(sum(chance) / 2)


def test_orders_are_refused_before_anything_is_compared(itda: Cli, trained: Folders, text: Path) -> None:
    code, out, err = itda("compare", *trained["gpt2"], "--corpus", text, "--orders", 1, "--device", "cpu")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "orders=1" in err
