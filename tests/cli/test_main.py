"""The command line: its JSON, its errors, and trainings that are interrupted and killed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from itda_core.cli.main import main
from itda_core.dictionaries import AtomDictionary
from itda_core.runs.library import Library
from tests.conftest import ROOT, Cli, Start
from tests.runs.samples import make_dictionary, write_corpus

PATIENCE = 240.0  # seconds; a loaded machine takes its time to import torch

TRAIN_KEYS = [
    *("path", "model", "layer", "site", "atoms", "d_model", "k", "selection", "threshold", "tokens", "seconds"),
    *("tokens_per_second", "mean_relative_error", "identity", "fvu", "fvu_text"),
]
DECOMPOSE_KEYS = {"model", "layer", "site", "k", "method", "tokens"}
TOKEN_KEYS = {"index", "text", "char_start", "char_end", "relative_error", "atoms"}
ATOM_KEYS = {
    *(
        "atom",
        "coefficient",
        "share",
        "token",
        "context_before",
        "context_after",
        "document",
        "char_start",
        "char_end",
        "further",
    ),
}


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("text") / "text.txt", documents=300)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, model_folder_of: Callable[[str], Path], text: Path) -> Path:
    """A dictionary of layer 2 of the tiny GPT-2."""
    library = tmp_path_factory.mktemp("library")
    with pytest.raises(SystemExit):
        main(
            f"train {model_folder_of('gpt2')} --layers 2 --corpus {text} --tokens 1500 --context 32 --k 4 --device cpu "
            f"--library {library} --json".split()
        )
    return next(library.iterdir())


def small_training(model: Path, text: Path, *more: object) -> list[object]:
    options = ["--corpus", text, "--tokens", 6000, "--context", 64, "--k", 4, "--device", "cpu"]
    return ["train", model, *options, "--layers", "1,3", *more]


def test_train_then_decompose_give_the_contracts_keys(itda: Cli, tiny_folder: Path, text: Path, home: Path) -> None:
    code, out, err = itda(*small_training(tiny_folder, text, "--tokens", 2000, "--json"))
    assert (code, err) == (0, "")
    results = json.loads(out)["dictionaries"]
    assert [list(result) for result in results] == [TRAIN_KEYS, TRAIN_KEYS]
    assert [(result["layer"], result["site"], result["tokens"]) for result in results] == [
        (1, "resid_post", 2000),
        (3, "resid_post", 2000),
    ]
    for result in results:
        dictionary = AtomDictionary.load(result["path"])
        assert (result["atoms"], result["d_model"]) == tuple(dictionary.atoms.shape)
        assert result["identity"] == dictionary.identity
        assert (result["fvu"], result["fvu_text"]) == (dictionary.stats["fvu"], dictionary.stats["fvu_text"])
        assert result["tokens_per_second"] == pytest.approx(result["tokens"] / result["seconds"])
        assert Path(result["path"]).parent == home / "library"

    prompt = "The small dog ran."
    code, out, err = itda("decompose", results[1]["path"], "--prompt", prompt, "--k", 3, "--method", "omp", "--json")
    assert (code, err) == (0, "")
    decomposition = json.loads(out)
    assert decomposition.keys() >= DECOMPOSE_KEYS
    assert (decomposition["layer"], decomposition["k"], decomposition["method"]) == (3, 3, "omp")
    assert "".join(prompt[token["char_start"] : token["char_end"]] for token in decomposition["tokens"]) == prompt
    source = text.read_text()
    for token in decomposition["tokens"]:
        assert token.keys() >= TOKEN_KEYS
        assert 0 <= token["relative_error"] <= 1
        assert 1 <= len(token["atoms"]) <= 3
        assert sum(atom["share"] for atom in token["atoms"]) == pytest.approx(1)
        for atom in token["atoms"]:
            assert atom.keys() >= ATOM_KEYS
            assert atom["context_before"] + atom["token"] + atom["context_after"] in source


def test_decompose_with_positive_coefficients_alone(itda: Cli, trained: Path) -> None:
    arguments = ["decompose", trained, "--prompt", "The small dog ran.", "--k", 6, "--method", "omp", "--json"]
    signs = []
    for more in ([], ["--non-negative"]):
        code, out, err = itda(*arguments, *more)
        assert (code, err) == (0, "")
        told = json.loads(out)
        assert told["non_negative"] is bool(more)
        signs.append({atom["coefficient"] > 0 for token in told["tokens"] for atom in token["atoms"]})
    assert signs == [{True, False}, {True}]


def test_a_training_tells_its_fvu_in_the_librarys_words(itda: Cli, tiny_folder: Path, text: Path) -> None:
    code, out, err = itda(*small_training(tiny_folder, text, "--tokens", 2000))
    assert code == 0, err
    heads, *rows = out.splitlines()
    assert "FVU, held-out" in heads
    own = sorted((one for one in Library().entries() if not one.bundled), key=lambda one: one.layer or 0)
    for row, entry in zip(rows, own, strict=True):
        assert entry.fvu_words
        assert entry.fvu_words in row
        reading = AtomDictionary.load(entry.path).stats["reading"]  # what later estimates go by
        assert reading["loading"] > 0
        assert reading["measuring"] > 0


def test_train_by_the_papers_rule(itda: Cli, tiny_folder: Path, text: Path, home: Path) -> None:
    options = ["--tokens", 2000, "--selection", "paper", "--threshold", 0.004, "--json"]
    code, out, err = itda(*small_training(tiny_folder, text, *options))
    assert code == 0
    assert err.strip() == (
        "note: Threshold 0.004 at d_model=32 means that a token becomes an atom where its reconstruction has a cosine "
        "below 0.936."
    )
    for result in json.loads(out)["dictionaries"]:
        assert (result["selection"], result["threshold"]) == ("paper", 0.004)
        assert result["atoms"] > 32
        assert AtomDictionary.load(result["path"]).stats["threshold_cosine"] == pytest.approx(0.936)
        code, _, err = itda("library", "verify", result["path"], "--corpus", text, "--device", "cpu")
        assert (code, err) == (0, "")


def test_decompose_for_people(itda: Cli, trained: Path) -> None:
    code, out, err = itda("decompose", trained, "--prompt", "The \x1b[31mdog\n[bold]ran", "--k", 2)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert "coefficient" in out.splitlines()[0]
    shown = [line.split("'")[1] for line in out.splitlines()[1:] if "'" in line]
    assert "".join(shown) == "The \\x1b[31mdog↵[bold]ran"


def test_verify(itda: Cli, trained: Path, text: Path) -> None:
    code, out, _ = itda("library", "verify", trained, "--corpus", text, "--device", "cpu", "--json")
    result = json.loads(out)
    n_atoms = len(AtomDictionary.load(trained))
    assert code == 0
    assert (result["labels"], result["checked"], result["found"], result["true"]) == (n_atoms,) * 4
    assert result["worst_cosine"] > 0.99999


def test_verify_reports_false_labels_and_fails(itda: Cli, trained: Path, text: Path, tmp_path: Path) -> None:
    dictionary = AtomDictionary.load(trained)
    dictionary.atoms[[0, 1]] = dictionary.atoms[[1, 0]]
    dictionary.save_pretrained(tmp_path / "false")
    code, out, err = itda("library", "verify", tmp_path / "false", "--corpus", text, "--device", "cpu", "--json")
    assert code == 2
    assert "2 atoms of false do not come out of their labels again (0, 1)" in err
    assert [check["atom"] for check in json.loads(out)["checks"] if check["cosine"] < 0.99] == [0, 1]


def test_the_library_from_the_command_line(itda: Cli, home: Path, tmp_path: Path) -> None:
    make_dictionary().save_pretrained(home / "library" / "one")
    (home / "library" / "torn").mkdir()

    def listed() -> dict[str, Any]:
        code, out, err = itda("library", "list", "--json")
        assert (code, err) == (0, "")
        return {entry["name"]: entry for entry in json.loads(out)["dictionaries"] if not entry["bundled"]}

    assert listed()["one"]["atoms"] == 6
    assert "torn" in listed()["torn"]["problem"]
    code, out, err = itda("library", "list")
    assert code == 0
    assert "one" in out
    assert err.startswith("torn: ")

    code, out, _ = itda("library", "show", "one", "--json")
    assert json.loads(out)["spec"]["layer"] == 2
    assert itda("library", "show", "one")[0] == 0

    assert itda("library", "rename", "one", "two")[0] == 0
    code, out, _ = itda("library", "export", "two", tmp_path, "--json")
    assert json.loads(out) == {"path": str(tmp_path / "two.zip"), "name": "two.zip"}
    code, out, _ = itda("library", "import", tmp_path / "two.zip", "--name", "three", "--json")
    assert json.loads(out)["path"] == str(home / "library" / "three")
    assert itda("library", "remove", "two")[0] == 0
    assert itda("library", "remove", "torn")[0] == 0
    assert list(listed()) == ["three"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--layers", "9"], "has no layer 9: it has 4 layers, 0 to 3"),
        (["--layers", "1-x"], "Layers '1-x' cannot be read"),
        (["--corpus", "/no/such.txt"], "/no/such.txt does not exist"),
        (["--corpus", "EMPTY"], "empty"),
        (["--corpus", "BINARY"], "binary"),
        (["--k", "0"], "k=0"),
        (["--threshold", "1.5"], "threshold=1.5 can add no atom"),
        (["--threshold", "0"], "threshold=0 would make every activation an atom"),
        (["--threshold", "nan"], "threshold=nan"),
        (["--method", "magic"], "method='magic'"),
        (["--selection", "best"], "selection='best'"),
        (["--selection", "paper", "--threshold", "0.3"], "threshold=0.3 can add no atom at d_model=32"),
        (["--selection", "paper", "--method", "omp"], "method='omp' does not go with selection='paper'"),
        (["--site", "nowhere.at.all"], "nowhere.at.all"),
        (["--context", "65"], "context=65 is longer than the 64 tokens"),
        (["--tokens", "-5"], "tokens=-5"),
        (["--device", "abacus"], "Device 'abacus'"),
        (["--dtype", "int3"], "dtype 'int3'"),
        (["--library", "EMPTY"], "not a folder"),
        (["--k", "many"], "'--k'"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_a_training_that_cannot_be_is_one_line(
    itda: Cli, tiny_folder: Path, text: Path, tmp_path: Path, home: Path, change: list[str], said: str
) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)) * 20)
    names = {"EMPTY": str(tmp_path / "empty.txt"), "BINARY": str(tmp_path / "binary.txt")}
    expect_error(itda(*small_training(tiny_folder, text), *(names.get(part, part) for part in change)), said)
    assert [path for folder in ("library", "work") for path in (home / folder).glob("*")] == []


@pytest.mark.parametrize(
    ("model", "said"),
    [("./no-such-model", "no-such-model does not exist"), ("demo:9", "demo:9 does not exist"), (".", "config.json")],
)
def test_an_unknown_model_is_one_line(itda: Cli, text: Path, model: str, said: str) -> None:
    expect_error(itda("train", model, "--layers", 0, "--corpus", text), said)


def test_a_hub_model_that_is_not_here_offline_is_one_line(
    itda: Cli, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # the command sets it: put back at the end
    expect_error(itda("train", "nobody/nothing", "--layers", 0, "--corpus", text, "--offline"), "not on this machine")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prompt", "The dog", "--k", "9999"], "k=9999"),
        (["--prompt", "The dog", "--k", "0"], "k=0"),
        (["--prompt", "The dog", "--method", "magic"], "magic"),
        (["--prompt", ""], "prompt is empty"),
        (["--prompt", "dog " * 500], "more than the context of 64"),
        (["--prompt", "x", "--model", "/no/such/model"], "/no/such/model does not exist"),
        ([], "Missing option '--prompt'"),
    ],
)
def test_a_decomposition_that_cannot_be_is_one_line(itda: Cli, trained: Path, arguments: list[str], said: str) -> None:
    expect_error(itda("decompose", trained, *arguments), said)


def test_a_damaged_dictionary_is_one_line(itda: Cli, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "torn")
    raw = (trained / "atoms.safetensors").read_bytes()
    (tmp_path / "torn" / "atoms.safetensors").write_bytes(raw[:200])
    expect_error(itda("decompose", tmp_path / "torn", "--prompt", "x"), "damaged")
    expect_error(itda("decompose", tmp_path, "--prompt", "x"), "without a dictionary.json")


def test_another_models_dictionary_is_one_line(
    itda: Cli, trained: Path, model_folder_of: Callable[[str], Path]
) -> None:
    other = model_folder_of("llama")
    expect_error(itda("decompose", trained, "--prompt", "x", "--model", other), str(other))


@pytest.mark.parametrize(
    "arguments", [["library", "show", "nothing-such"], ["nonsense"], ["library", "fly"], ["train"]]
)
def test_other_mistakes_are_one_line(itda: Cli, arguments: list[str]) -> None:
    expect_error(itda(*arguments), "")


def expect_error(result: tuple[int, str, str], said: str) -> None:
    code, out, err = result
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert said in err


def test_help_lists_the_commands_there_are(itda: Cli) -> None:
    code, out, _ = itda("--help")
    assert code == 0
    assert [line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.strip()] == [
        *("app", "train", "decompose", "steer", "attribute", "evaluate", "match", "compare", "transfer", "plan"),
        *("library", "jobs", "atoms", "bench"),
    ]
    assert itda()[1] == out
    _, out, _ = itda("library")
    assert [line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.strip()] == [
        *("list", "show", "verify", "import", "export", "rebuild", "rename", "remove", "activations")
    ]


def test_a_real_process_ends_with_the_error_and_nothing_else(start: Start, text: Path) -> None:
    process = start("train", "/no/such/model", "--layers", 0, "--corpus", text, "--json")
    out, err = process.communicate(timeout=PATIENCE)
    expect_error((process.returncode, out, err), "/no/such/model")


def wait_for_checkpoint(home: Path, process: subprocess.Popen[str], after: set[Path]) -> None:
    until = time.monotonic() + PATIENCE
    while not set(home.glob("work/*/state/checkpoint-*")) - after:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "no checkpoint came"
        time.sleep(0.05)


@pytest.mark.usefixtures("one_thread")
def test_killed_then_interrupted_then_resumed_ends_as_if_left_alone(
    start: Start, hold: Callable[[int], None], itda: Cli, tiny_folder: Path, text: Path, home: Path, tmp_path: Path
) -> None:
    training = small_training(tiny_folder, text, "--json")
    often = ("--checkpoint-seconds", 0)

    hold(2000)
    killed = start(*training, *often)
    wait_for_checkpoint(home, killed, set())
    killed.send_signal(signal.SIGKILL)
    out, _ = killed.communicate()
    assert (killed.returncode, out) == (-signal.SIGKILL, "")
    assert not list((home / "library").glob("[!.]*"))

    hold(4000)
    interrupted = start(*training, *often, "--resume")
    wait_for_checkpoint(home, interrupted, set(home.glob("work/*/state/checkpoint-*")))
    interrupted.send_signal(signal.SIGINT)
    out, err = interrupted.communicate(timeout=PATIENCE)
    assert (interrupted.returncode, out) == (130, "")
    assert err.count("\n") == 1
    assert "what was done is kept" in err
    assert err.rstrip().endswith("--resume")
    assert "Traceback" not in err
    assert len(list(home.glob("work/*/state/checkpoint-*"))) == 1

    def ended(*arguments: object) -> str:
        code, out, err = itda(*training, *arguments)
        assert (code, err) == (0, "")
        return out

    resumed = [result["path"] for result in json.loads(ended("--resume"))["dictionaries"]]
    out = ended("--library", tmp_path / "other")
    undisturbed = [result["path"] for result in json.loads(out)["dictionaries"]]
    assert len(resumed) == len(undisturbed) == 2
    for one, two in zip(map(AtomDictionary.load, resumed), map(AtomDictionary.load, undisturbed), strict=True):
        assert torch.equal(one.atoms, two.atoms)
        assert one.provenance.equals(two.provenance)
        assert one.stats["mean_relative_error"] == two.stats["mean_relative_error"]


def test_a_taken_port_is_one_line(itda: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        expect_error(itda("app", "--port", port, "--headless"), f"Port {port} cannot be used")


@pytest.mark.skipif(not (ROOT / "app.py").is_file(), reason="the dashboard is not part of this installation")
def test_the_dashboard_answers_on_this_machine_only(start: Start) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start("app", "--port", port, "--headless")
    until = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
                assert answer.read() == b"ok"
                break
        except OSError:
            time.sleep(0.1)
    listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening
    process.terminate()
    process.communicate(timeout=PATIENCE)
