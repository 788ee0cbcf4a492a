"""The command line: a training that goes further than it was first asked to, and activations that are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from itda_core.cli.main import main
from itda_core.dictionaries import AtomDictionary
from itda_core.runs.training import run as training_run
from tests.cli.test_main import expect_error, small_training
from tests.cli.test_main import text as text
from tests.conftest import Cli


def paths(out: str) -> list[str]:
    return [result["path"] for result in json.loads(out)["dictionaries"]]


def assert_same(one: list[str], two: list[str]) -> None:
    assert len(one) == len(two) == 2
    for a, b in zip(map(AtomDictionary.load, one), map(AtomDictionary.load, two), strict=True):
        assert torch.equal(a.atoms, b.atoms)
        assert a.provenance.equals(b.provenance)
        for name in ("tokens", "passes", "stages", "mean_relative_error", "fvu"):
            assert a.stats[name] == b.stats[name]


def test_a_finished_training_goes_on_at_a_lower_threshold_through_a_kill(
    itda: Cli, tiny_folder: Path, text: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process that is killed leaves behind is its folder as it was at that moment; test_cli kills a real one."""
    training = small_training(tiny_folder, text, "--json")
    for library in ((), ("--library", tmp_path / "other")):
        assert itda(*training, "--threshold", 0.4, *library)[0] == 0
    lower = (*training, "--threshold", 0.2, "--resume")
    follow = training_run._follow

    def killed(events: Any, on_progress: Callable[[Any], None], should_stop: Callable[[], bool]) -> Any:
        def progressed(progress: Any) -> None:
            if not (tmp_path / "left").exists():
                assert list(home.glob("work/*/state/checkpoint-*"))
                shutil.copytree(home / "work", tmp_path / "left")
            raise KeyboardInterrupt

        return follow(events, progressed, should_stop)

    with monkeypatch.context() as patch:
        patch.setattr(training_run, "_follow", killed)
        assert itda(*lower, "--checkpoint-seconds", 0)[0] == 130
    shutil.rmtree(home / "work")
    (tmp_path / "left").rename(home / "work")
    code, out, err = itda(*lower)
    assert (code, err) == (0, "")
    resumed = paths(out)
    code, out, err = itda(*lower, "--library", tmp_path / "other")
    assert code == 0
    assert err.startswith("note: Going on from tiny-gpt2-L1-resid_post, tiny-gpt2-L3-resid_post, 6,000 tokens into")
    assert_same(resumed, paths(out))
    stats = AtomDictionary.load(resumed[0]).stats
    assert (stats["passes"], [stage["threshold"] for stage in stats["stages"]]) == (2, [0.4, 0.2])
    assert stats["tokens"] == 12_000

    code, out, err = itda(*lower)  # once more: there is nothing left to do
    assert (code, paths(out)) == (0, resumed)
    assert err == "note: This training has ended already; its dictionaries are in the library.\n"


def test_a_training_begins_with_dictionaries_of_the_library(
    itda: Cli, tiny_folder: Path, text: Path, tmp_path: Path
) -> None:
    training = small_training(tiny_folder, text, "--tokens", 2000)
    code, out, err = itda(*training, "--selection", "consensus", "--atoms", 40, "--json")
    assert (code, err) == (0, "")
    first, other = map(Path, paths(out))
    code, out, err = itda(*training, "--threshold", 0.2, "--initial", first.name, "--initial", other, "--json")
    assert (code, err) == (0, "")
    for made, initial in zip(
        map(AtomDictionary.load, paths(out)), map(AtomDictionary.load, (first, other)), strict=True
    ):
        assert len(made) > 40
        assert torch.equal(made.atoms[:40], initial.atoms)
        assert made.stats["initial"]["name"] == initial.path.name  # type: ignore[union-attr]
    grown = paths(out)[0]
    assert f"'name': '{first.name}', 'atoms': 40" in itda("library", "show", grown)[1]
    code, out, err = itda("library", "verify", grown, "--corpus", text, "--json")
    checked = json.loads(out)
    assert (code, err, checked["true"]) == (0, "", checked["atoms"])
    expect_error(itda(*training, "--initial", "nothing"), "No dictionary is called 'nothing'")
    expect_error(itda(*training, "--context", 32, "--initial", first), "had context 64 and not 32")


def test_activations_are_kept_listed_read_and_removed(
    itda: Cli, tiny_folder: Path, text: Path, home: Path, tmp_path: Path
) -> None:
    training = small_training(tiny_folder, text, "--tokens", 2000, "--json")
    assert itda("library", "activations")[1] == "No activations are kept; itda train --keep-activations keeps them.\n"
    code, plain, err = itda(*training, "--threshold", 0.2, "--library", tmp_path / "other")
    assert (code, err) == (0, "")
    assert itda(*training, "--keep-activations")[0] == 0
    (kept,) = json.loads(itda("library", "activations", "--json")[1])["activations"]
    assert kept["tokens"] >= 2000
    assert kept["sites"] == ["blocks.1.hook_resid_post", "blocks.3.hook_resid_post"]
    assert kept["bytes"] == sum(path.stat().st_size for path in Path(kept["folder"]).iterdir())
    assert Path(kept["folder"]).parent == home / "activations"
    listed = itda("library", "activations")[1]
    assert kept["name"] in listed
    assert f"{kept['tokens']:,}" in listed

    code, out, err = itda(*training, "--threshold", 0.2)
    assert (code, err) == (0, f"note: Activations kept earlier are read: {kept['tokens']:,} tokens.\n")
    for a, b in zip(map(AtomDictionary.load, paths(plain)), map(AtomDictionary.load, paths(out)), strict=True):
        assert torch.equal(a.atoms, b.atoms)

    expect_error(itda("library", "activations", "nothing"), "There are no kept activations named 'nothing', only: ")
    code, out, err = itda("library", "activations", kept["name"], "--remove", "--json")
    assert (code, [one["name"] for one in json.loads(out)["removed"]]) == (0, [kept["name"]])
    assert list((home / "activations").iterdir()) == []
    assert itda("library", "activations", "--remove")[1] == "Removed 0 sets of activations, 0.0 MB.\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--sinks", "0.5"], "sinks=0.5 would leave out ordinary tokens"),
        (["--sinks", "nan"], "sinks=nan is no number"),
        (["--selection", "paper", "--sinks", "5"], "sinks=5.0 does not go with selection='paper'"),
        (["--sinks", "many"], "'--sinks'"),
    ],
)
def test_a_filter_that_cannot_be_is_one_line(
    itda: Cli, tiny_folder: Path, text: Path, change: list[str], said: str
) -> None:
    expect_error(itda(*small_training(tiny_folder, text), *change), said)


def test_zero_turns_the_filter_off(itda: Cli, tiny_folder: Path, text: Path) -> None:
    out = itda(*small_training(tiny_folder, text, "--tokens", 500, "--sinks", 0, "--json"))[1]
    dictionary = AtomDictionary.load(paths(out)[0])
    assert (dictionary.config.sinks, dictionary.stats["sinks_left_out"]) == (None, 0)
    out = itda(*small_training(tiny_folder, text, "--tokens", 500, "--sinks", 1.2, "--json"))[1]
    dictionary = AtomDictionary.load(paths(out)[0])
    assert dictionary.config.sinks == 1.2
    assert dictionary.stats["sinks_left_out"] > 0


def test_help_says_what_going_further_means(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = " ".join(capfd.readouterr().out.split())
    for words in ("its atoms are kept", "where no text is left, it is read again", "--keep-activations", "--sinks"):
        assert words in shown
