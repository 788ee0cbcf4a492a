"""`itda evaluate`: its JSON, its table, its errors, and what Ctrl-C does (in a real process: see test_cli)."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from itda_core import AtomDictionary, Corpus, evaluate
from itda_core.analysis import EvaluationProgress
from itda_core.cli.main import main
from itda_core.models import LanguageModel
from itda_core.runs import EvaluateRequest
from itda_core.runs.evaluation import run as evaluation_run
from tests.conftest import Cli
from tests.runs.samples import write_corpus

KEYS = [
    *("dictionary", "k", "method", "tokens", "fvu", "relative_error", "cosine", "l0", "dead_fraction", "ce_original"),
    *("ce_reconstructed", "ce_zero", "ce_score", "kl", "text", "corpus", "model", "layer", "site", "atoms"),
    *("sinks_left_out", "identity", "centred"),
]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("text") / "text.txt", documents=100)


def trained_on(model: Path, text: Path, library: Path, layers: str) -> list[Path]:
    with pytest.raises(SystemExit):
        main(
            f"train {model} --layers {layers} --corpus {text} --tokens 600 --context 32 --k 4 --device cpu "
            f"--library {library} --json".split()
        )
    return sorted(library.iterdir())


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory, model_folder_of: Callable[[str], Path], text: Path) -> list[Path]:
    """Dictionaries of layers 1 and 2 of the tiny GPT-2."""
    return trained_on(model_folder_of("gpt2"), text, tmp_path_factory.mktemp("library"), "1,2")


def test_json_has_the_contracts_keys_and_the_engines_figures(
    itda: Cli, layers: list[Path], text: Path, tiny_model: LanguageModel
) -> None:
    code, out, err = itda(
        *("evaluate", *layers, "--corpus", text, "--k", "2,4", "--k", 3, "--method", "mp,omp", "--tokens", 200),
        *("--device", "cpu", "--json"),
    )
    assert code == 0
    assert err.startswith("note: Held-out text: ")
    asked_and_read = f"200 tokens were asked for and {json.loads(out)['results'][0]['tokens']} read"
    assert err.count("\n") == 2
    assert asked_and_read in err
    results = json.loads(out)["results"]
    assert [list(result) for result in results] == [KEYS] * 12
    wanted = [(k, method) for k in (2, 4, 3) for method in ("mp", "omp")]
    assert [(result["dictionary"], result["k"], result["method"]) for result in results] == [
        (str(path), *encoding) for path in layers for encoding in wanted
    ]
    dictionaries = [AtomDictionary.load(path) for path in layers]
    *_, last = evaluate(
        tiny_model, dictionaries, Corpus.open(str(text)), ks=[2, 4, 3], methods=["mp", "omp"], tokens=200
    )
    for got, expected in zip(results, last.results, strict=True):
        assert got == pytest.approx(expected.to_dict(), abs=1e-6)
        assert got["text"] == "held-out"


def test_for_people(itda: Cli, layers: list[Path], text: Path) -> None:
    code, out, err = itda("evaluate", *layers, "--corpus", text, "--tokens", 100, "--device", "cpu")
    assert code == 0
    assert "left out" in err
    header, *rows = out.splitlines()
    assert "CE score" in header
    assert "CE rise" in header
    assert "CE rise: by how much the loss grows" in err
    assert [row.split()[:4] for row in rows] == [[path.name, "4", "mp", "held-out"] for path in layers]


def test_an_encoder_gives_null_and_no_columns_of_predictions(
    itda: Cli, model_folder_of: Callable[[str], Path], text: Path, tmp_path: Path
) -> None:
    trained = trained_on(model_folder_of("bert"), text, tmp_path / "library", "1")
    options = ["--corpus", text, "--tokens", 100, "--device", "cpu"]
    code, out, _ = itda("evaluate", *trained, *options, "--json")
    (result,) = json.loads(out)["results"]
    assert code == 0
    assert [result[key] for key in KEYS[9:14]] == [None] * 5
    assert 0 < result["fvu"] < 1
    assert "CE" not in itda("evaluate", *trained, *options)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--k", "9999"], "k=9999 exceeds the"),
        (["--k", "0"], "k=0"),
        (["--k", "-3"], "k=-3"),
        (["--k", "2,many"], "k=many is not a whole number"),
        (["--k", "9" * 5000], "is not a whole number"),
        (["--method", "mp,magic"], "magic"),
        (["--tokens", "0"], "tokens=0"),
        (["--corpus", "/no/such.txt"], "/no/such.txt does not exist"),
        (["--model", "/no/such/model"], "/no/such/model does not exist"),
        (["nothing-such"], "nothing-such"),
        (["--device", "abacus"], "Device 'abacus'"),
    ],
)
def test_what_cannot_be_is_one_line(itda: Cli, layers: list[Path], text: Path, arguments: list[str], said: str) -> None:
    code, out, err = itda("evaluate", layers[0], "--corpus", text, *arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


def test_a_corpus_file_that_is_elsewhere_is_one_line(itda: Cli, layers: list[Path], tmp_path: Path) -> None:
    code, _, err = itda("evaluate", layers[0])
    assert code == 2
    assert "--corpus" in err
    assert itda("evaluate")[0] == 2


def test_interrupted_is_130_without_a_traceback(
    itda: Cli, layers: list[Path], text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the signal itself, in the middle of measuring."""
    measured = evaluation_run.measure
    seen: list[EvaluationProgress] = []

    def interrupted(request: EvaluateRequest, **options: Any) -> Iterator[EvaluationProgress]:
        for progress in measured(request, **options):
            yield progress
            seen.append(progress)
            if progress.results:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(evaluation_run, "measure", interrupted)
    code, out, err = itda("evaluate", *layers, "--corpus", text, "--device", "cpu", "--json")
    assert (code, out) == (130, "")
    assert 0 < seen[-1].share < 1
    assert "Interrupted" in err
    assert "Traceback" not in err
