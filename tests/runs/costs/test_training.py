from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from itda_core.dictionaries import TrainConfig
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import Library, TrainRequest, estimate
from itda_core.runs.costs.model_figures import ModelFigures, model_figures
from tests.runs.samples import make_dictionary

if TYPE_CHECKING:
    from itda_core.models import LanguageModel


def request(folder: Path, corpus: Path, layers: tuple[int, ...] | None = (0, 1), **config: object) -> TrainRequest:
    return TrainRequest(ModelSpec(str(folder)), layers, str(corpus), TrainConfig.from_dict(config))


def test_figures_are_those_of_the_loaded_model(tiny_folder: Path, tiny_model: LanguageModel) -> None:
    figures = model_figures(ModelSpec(str(tiny_folder)))
    assert figures is not None
    assert (figures.n_layers, figures.d_model) == (tiny_model.n_layers, tiny_model.d_model)
    assert figures.parameters == sum(weight.numel() for weight in tiny_model.module.parameters())
    assert figures.stored_bytes > 4 * figures.parameters


def test_a_model_that_is_not_here_costs_something_unknown(corpus_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guess = estimate(TrainRequest(ModelSpec("nobody/nothing-such"), (1, 2), str(corpus_file)))
    assert (guess.memory, guess.disk, guess.seconds) == (None, None, None)
    assert guess.layers == 2
    assert any("not on this machine" in note for note in guess.notes)


def test_a_layer_out_of_range_is_refused(tiny_folder: Path, corpus_file: Path) -> None:
    with pytest.raises(UserError, match="no layer 4"):
        estimate(request(tiny_folder, corpus_file, (4,)))


def test_the_disk_holds_what_is_written(tiny_folder: Path, corpus_file: Path, tmp_path: Path) -> None:
    """For a wanted number of atoms nothing is guessed: compare with real files of that many atoms."""
    guess = estimate(request(tiny_folder, corpus_file, (0,), atoms=2000, tokens=10_000))
    saved = make_dictionary(2000, d_model=32).save_pretrained(tmp_path / "saved")
    real = sum(file.stat().st_size for file in saved.iterdir())
    assert guess.disk is not None
    assert real < guess.disk < 6 * real


def test_more_layers_tokens_and_atoms_cost_more(tiny_folder: Path, corpus_file: Path) -> None:
    small = estimate(request(tiny_folder, corpus_file, (0,), atoms=100, tokens=10_000))
    for larger in (
        estimate(request(tiny_folder, corpus_file, None, atoms=100, tokens=10_000)),
        estimate(request(tiny_folder, corpus_file, (0,), atoms=5000, tokens=10_000)),
    ):
        assert larger.memory is not None
        assert small.memory is not None
        assert larger.memory > small.memory
        assert larger.disk is not None
        assert small.disk is not None
        assert larger.disk > small.disk
        assert larger.seconds is not None
        assert small.seconds is not None
        assert larger.seconds[1] > small.seconds[1]
    longer = estimate(request(tiny_folder, corpus_file, (0,), atoms=100, tokens=30_000))
    assert longer.seconds is not None
    assert longer.seconds[1] == pytest.approx(3 * small.seconds[1])  # type: ignore[index]


def test_earlier_runs_on_the_same_model_set_the_speed(tiny_folder: Path, corpus_file: Path) -> None:
    earlier_run(tiny_folder, tokens=10_000, seconds=20.0, atoms=2500)
    guess = estimate(request(tiny_folder, corpus_file, tokens=6000, k=3))
    assert guess.measured
    assert guess.tokens_per_second == (500 / 1.5, 500 * 1.5)
    assert guess.seconds == (6000 / 750, 6000 / (500 / 1.5))
    assert "Based on earlier runs (±50%)." in guess.notes
    # 2,500 atoms on 10,000 tokens there, so 1,500 on 6,000 here: two layers, written twice while checkpoints are kept
    assert guess.disk == 2 * 2 * (1500 * (32 * 4 + 250) + 32 * 4)


def earlier_run(
    model: Path,
    *,
    tokens: int,
    seconds: float,
    atoms: int = 250,
    layer: int = 2,
    config: TrainConfig | None = None,
    **stats: object,
) -> None:
    """Puts the dictionary of a run on `model` into the library."""
    dictionary = make_dictionary(atoms, d_model=32, model=str(model), layer=layer)
    dictionary.config = config or dictionary.config
    dictionary.stats.update(tokens=tokens, seconds=seconds, tokens_per_second=tokens / seconds, **stats)
    folder = Library().folder
    dictionary.save_pretrained(folder / f"run-{len(list(folder.iterdir())) if folder.is_dir() else 0}")


@pytest.mark.parametrize(
    ("tokens", "seconds", "config"),
    [
        (507, 31.0, TrainConfig(k=3)),  # its seconds are those of its preparation
        (6000, 1.0, TrainConfig(k=3)),
        (50_000, 100.0, TrainConfig(k=3, method="omp")),
        (50_000, 100.0, TrainConfig(k=3, selection="paper")),
        (50_000, 100.0, TrainConfig(k=30)),
    ],
)
def test_runs_that_say_nothing_of_the_rate_are_not_used(
    tiny_folder: Path, corpus_file: Path, tokens: int, seconds: float, config: TrainConfig
) -> None:
    asked = request(tiny_folder, corpus_file, tokens=5000, k=3, atoms=300)
    before = estimate(asked)
    earlier_run(tiny_folder, tokens=tokens, seconds=seconds, config=config)
    after = estimate(asked)
    assert not after.measured
    assert (after.tokens_per_second, after.notes) == (before.tokens_per_second, before.notes)
    assert any("rough guess" in note for note in after.notes)


def test_what_was_done_once_does_not_count_for_the_rate(tiny_folder: Path, corpus_file: Path) -> None:
    asked = request(tiny_folder, corpus_file, tokens=5000, k=3, atoms=300)
    earlier_run(tiny_folder, tokens=5000, seconds=32.0, reading={"tokens": 4000, "seconds": 1.0})
    assert not estimate(asked).measured
    earlier_run(tiny_folder, tokens=30_000, seconds=36.0, reading={"tokens": 25_000, "seconds": 5.0})
    assert estimate(asked).tokens_per_second == (5000 / 1.5, 5000 * 1.5)


def test_what_was_done_once_counts_for_the_time(tiny_folder: Path, corpus_file: Path) -> None:
    """Of 36 s, 5 were for 25,000 of 30,000 tokens, so 6 for all of them and 30 for what came before; then 7 and 3 s."""
    reading = {"tokens": 25_000, "seconds": 5.0, "loading": 7.0, "measuring": 3.0}
    earlier_run(tiny_folder, tokens=30_000, seconds=36.0, reading=reading)
    guess = estimate(request(tiny_folder, corpus_file, tokens=5000, k=3, atoms=300))
    assert guess.once == (pytest.approx(40.0), pytest.approx(40.0))
    assert guess.seconds == (pytest.approx(40 + 1 / 1.5), pytest.approx(40 + 1.5))
    assert any("The time has 40 s for what is done once" in note for note in guess.notes)


def test_atoms_are_told_by_runs_of_the_same_layer_site_and_pursuit(tiny_folder: Path, corpus_file: Path) -> None:
    asked = request(tiny_folder, corpus_file, (2,), tokens=40_000, k=3)
    unknown = estimate(asked)
    assert unknown.assumed
    assert any("upper bounds" in note and "one atom per ten tokens" in note for note in unknown.notes)
    earlier_run(tiny_folder, tokens=10_000, seconds=20.0, atoms=500, config=TrainConfig(k=3, method="omp"))
    assert estimate(asked).disk == unknown.disk
    earlier_run(tiny_folder, tokens=10_000, seconds=20.0, atoms=900, layer=1)
    earlier_run(tiny_folder, tokens=10_000, seconds=20.0, atoms=200)
    told = estimate(asked)
    assert not told.assumed
    said = "Memory and disk are those of about 800 atoms a layer, going by earlier runs of up to 10,000 tokens"
    assert any(said in note and "upper bounds" in note for note in told.notes)
    assert told.disk == 2 * (800 * (32 * 4 + 250) + 32 * 4)
    earlier_run(tiny_folder, tokens=160_000, seconds=20.0, atoms=800)  # four times as many for 16 times the text
    assert estimate(asked).disk == 2 * (400 * (32 * 4 + 250) + 32 * 4)


def test_earlier_runs_that_differ_more_than_is_claimed_are_said_to(tiny_folder: Path, corpus_file: Path) -> None:
    asked = request(tiny_folder, corpus_file, tokens=5000, k=3, atoms=300)
    earlier_run(tiny_folder, tokens=10_000, seconds=100.0)
    for layer in (1, 2, 3):  # one run, however many layers it has
        earlier_run(tiny_folder, tokens=10_000, seconds=80.0, layer=layer)
    near = estimate(asked)
    assert near.tokens_per_second == (pytest.approx(112.5 / 1.5), pytest.approx(112.5 * 1.5))
    assert "Based on earlier runs (±50%)." in near.notes
    earlier_run(tiny_folder, tokens=50_000, seconds=5.0)
    far = estimate(asked)
    assert far.tokens_per_second == (100 / 1.5, 10_000 * 1.5)
    assert not any("(±50%)" in note for note in far.notes)
    said = "Based on 3 earlier runs that differ by more than ±50%: they read 100 to 10,000 tokens per second."
    assert said in far.notes


def test_what_a_paper_threshold_means_is_said_or_refused(tiny_folder: Path, corpus_file: Path) -> None:
    guess = estimate(request(tiny_folder, corpus_file, selection="paper", threshold=0.01))  # d_model is 32
    assert any("cosine below 0.840" in note for note in guess.notes)
    guess = estimate(request(tiny_folder, corpus_file, selection="paper"))
    assert any("cosine below 0.837" in note for note in guess.notes)
    with pytest.raises(UserError, match=r"threshold=0\.3 can add no atom at d_model=32"):
        estimate(request(tiny_folder, corpus_file, selection="paper", threshold=0.3))


def test_a_file_without_a_number_of_tokens_is_guessed_from_its_size(tiny_folder: Path, corpus_file: Path) -> None:
    guess = estimate(request(tiny_folder, corpus_file))
    assert guess.tokens == round(corpus_file.stat().st_size / 4)
    assert estimate(TrainRequest(ModelSpec(str(tiny_folder)), (0,), "hf:a/b")).tokens is None


def test_a_damaged_model_is_refused(tmp_path: Path, tiny_folder: Path, corpus_file: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny_folder / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="damaged"):
        estimate(request(tmp_path, corpus_file))


def test_choosing_atoms_takes_memory_disk_and_time_of_its_own(tiny_folder: Path, corpus_file: Path) -> None:
    grown = estimate(request(tiny_folder, corpus_file, (0,), atoms=100, tokens=10_000))
    chosen = estimate(request(tiny_folder, corpus_file, (0,), atoms=100, tokens=10_000, selection="consensus"))
    assert grown.memory is not None
    assert chosen.memory is not None
    assert chosen.memory - grown.memory >= 10_000 * 32 * 4  # few enough to stay in memory
    assert grown.disk is not None
    assert chosen.disk is not None
    assert chosen.disk - grown.disk >= 10_000 * 32 * 4
    assert grown.seconds is not None
    assert chosen.seconds is not None
    assert chosen.seconds[0] > grown.seconds[0]


def test_more_to_choose_from_takes_disk_and_hardly_any_memory(tiny_folder: Path, corpus_file: Path) -> None:
    """16,000 atoms are chosen from 640,000 activations a layer: three more layers are on disk, not in memory."""
    guesses = [
        estimate(request(tiny_folder, corpus_file, layers, atoms=16_000, tokens=10**7, selection="sampled"))
        for layers in ((0,), None)
    ]
    (memory, disk), (of_four, disk_of_four) = [(guess.memory or 0, guess.disk or 0) for guess in guesses]
    activations = 640_000 * 32 * 4
    assert disk - 4 * activations > 0
    assert disk_of_four - disk == pytest.approx(3 * 3.25 * 640_000 * (32 * 4 + 250), rel=0.02)
    assert memory > 16_000**2 * 4  # the Gram matrix, of one layer at a time
    # So narrow activations are mostly their labels and numbers: 19 MB of numbers, 296 of two segments.
    assert of_four - memory < 3 * 320e6


def test_runs_that_chose_their_atoms_do_not_tell_how_fast_text_is_read(tiny_folder: Path, corpus_file: Path) -> None:
    dictionary = make_dictionary(250, d_model=32, model=str(tiny_folder))
    dictionary.config = TrainConfig(k=3, selection="sampled", atoms=250)
    dictionary.save_pretrained(Library().folder / "chosen")
    assert not estimate(request(tiny_folder, corpus_file, tokens=6000, k=3)).measured


def test_a_streamed_model_needs_a_few_blocks_and_room_for_its_hidden_states(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    corpus = tmp_path / "text.txt"
    corpus.write_text("word " * 1000)
    config = TrainConfig(k=3, tokens=1000, context=32, atoms=50)
    figures = ModelFigures(n_layers=4, d_model=32, parameters=4 * 10**9, stored_bytes=16 * 10**9)
    monkeypatch.setattr(sys.modules[estimate.__module__], "model_figures", lambda _: figures)
    found = {
        placement: estimate(
            TrainRequest(ModelSpec(str(tiny_folder), device="cpu", placement=placement), None, str(corpus), config)
        )
        for placement in ("memory", "stream")
    }
    whole, streamed = found["memory"], found["stream"]
    assert whole.memory is not None
    assert streamed.memory is not None
    assert whole.disk is not None
    assert whole.memory - streamed.memory == pytest.approx(16e9 / 4, rel=0.01)
    assert streamed.disk == whole.disk + 2 * 1000 * 32 * 4
    assert any("block by block" in note for note in streamed.notes)
