"""A run of the bench: the cases it promises, and nothing claimed for what did not run or does not agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from itda_core.bench.training import reach, report, run, topk_sae
from itda_core.bench.training.harvest import Harvest
from itda_core.bench.training.missed import ENCODER, Missed, fvu
from itda_core.bench.training.plan import TrainingPlan, quick_plan
from itda_core.bench.training.results import SLACK, TrainingBench
from itda_core.bench.training.run import bench_training, shared
from itda_core.bench.training.textbook import Grown
from itda_core.bench.training.topk_sae import TrainedSae
from itda_core.dictionaries import train
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.threshold import default_threshold
from itda_core.errors import UserError
from itda_core.text import Corpus
from tests.bench.training.samples import corpus_file, tiny_plan
from tests.dictionaries.fake_model import FakeModel

TWINS = {"ours": "textbook", "ours_paper": "textbook_paper"}


@pytest.fixture(autouse=True, scope="module")
def quickly() -> Iterator[None]:
    """By the fake model, and without a long search for the threshold."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "load_model", lambda spec: FakeModel())
        patched.setattr(reach, "MOST_TRIALS", 5)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return corpus_file(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def plan(corpus: str) -> TrainingPlan:
    return tiny_plan(corpus)


@pytest.fixture(scope="module")
def found(corpus: str) -> TrainingBench:
    return bench_training(tiny_plan(corpus))


def test_all_end_with_the_same_number_of_atoms_and_are_measured_alike(found: TrainingBench) -> None:
    wanted = ["ours_sampled", "ours_consensus"]
    names = ["random", "random_centred", "ours", "textbook", "ours_paper", "textbook_paper", *wanted]
    assert [case.name for case in found.cases] == names
    for case in found.cases:
        assert (case.n_atoms, case.d_model, case.k) == (60, 16, 4)
        assert case.seconds is not None
        assert case.seconds > 0
        measured = {(missed.method, missed.k, missed.tokens) for missed in case.missed}
        assert measured == {(method, k, 200) for method in ("mp", "omp") for k in (2, 4)}
        fvus = [case.fvu(k, "omp", 200) or 0 for k in (2, 4)]
        assert 0 < fvus[1] < fvus[0] < 1


def test_ours_and_the_textbooks_dictionaries_are_the_same_ones(found: TrainingBench) -> None:
    for ours, textbook in ((found.case(a), found.case(b)) for a, b in TWINS.items()):
        assert ours is not None
        assert textbook is not None
        assert (ours.textbook, ours.textbook_seconds) == (textbook.name, textbook.seconds)
        assert ours.shared_with_textbook == 1
        assert ours.tokens == textbook.tokens
        assert ours.threshold == textbook.threshold
        assert ours.seconds is not None
        assert textbook.seconds is not None
        assert ours.speedup == textbook.seconds / ours.seconds
        assert ours.fvu(4, "omp", 200) == pytest.approx(textbook.fvu(4, "omp", 200), abs=1e-5)


def test_a_worse_dictionary_claims_no_speedup(plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    def poor(read: Harvest, config: TrainConfig) -> Grown:
        return Grown(torch.eye(16)[:1].repeat(60, 1), torch.zeros(16), 600)

    monkeypatch.setattr(run, "grown", poor)
    ours = bench_training(plan).case("ours")
    assert ours is not None
    assert ours.textbook_seconds is not None
    assert ours.speedup is None
    assert "no speedup is claimed" in ours.notes[0]


@pytest.mark.parametrize(("threshold", "early"), [(1e-6, True), (0.1, False)])
def test_a_dictionary_that_is_full_long_before_the_end_says_so(
    threshold: float, early: bool, plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(_: Harvest, config: TrainConfig) -> tuple[TrainConfig, reach.Reached]:
        return replace(config, threshold=threshold), reach.Reached(threshold, 1)

    monkeypatch.setattr(run, "reaching_config", at_once)
    ours = bench_training(plan).case("ours_paper")
    assert ours is not None
    assert ours.tokens is not None
    assert (ours.tokens < run.MOST_OF * plan.tokens) == early
    assert any(f"full after {ours.tokens:,} of {plan.tokens:,} tokens" in note for note in ours.notes) == early


def test_sizes_at_one_threshold(found: TrainingBench) -> None:
    sizes = found.sizes
    assert (sizes.relative_error, sizes.k, sizes.tokens) == (0.3, 4, 900)
    assert sizes.paper_threshold == pytest.approx(default_threshold(16))
    assert 0 < sizes.sequential_atoms < sizes.paper_atoms
    assert list(sizes.paper_atoms_by_windows) == [16, 24, 32]
    assert sizes.paper_atoms == sizes.paper_atoms_by_windows[16]
    assert sizes.ratio == sizes.sequential_atoms / sizes.paper_atoms
    shown = report.to_json(found)["threshold"]
    assert (shown["sequential_atoms"], shown["paper_atoms"]) == (sizes.sequential_atoms, sizes.paper_atoms)


def test_sizes_are_those_of_a_training_of_the_first_tokens(plan: TrainingPlan) -> None:
    sizes = bench_training(replace(plan, counted=500)).sizes
    assert sizes.tokens == 500
    corpus, model = Corpus.open(plan.corpus), cast("Any", FakeModel())
    for selection, atoms in (("sequential", sizes.sequential_atoms), ("paper", sizes.paper_atoms)):
        config = TrainConfig(k=4, selection=selection, tokens=500, context=64)  # the threshold by default
        *_, last = train(model, corpus, [1], config)
        assert len(last.dictionaries[0]) == atoms


def test_ours_against_the_textbooks_batches(found: TrainingBench) -> None:
    batches = found.case("textbook_paper")
    assert batches is not None
    assert batches.seconds is not None
    for case in found.cases:
        speedup = found.speedup_over_batches(case)
        if not case.name.startswith("ours"):
            assert speedup is None
            continue
        assert case.seconds is not None
        own, theirs = case.fvu(4, "omp", 200), batches.fvu(4, "omp", 200)
        assert own is not None
        assert theirs is not None
        assert speedup == (None if own > theirs + SLACK else batches.seconds / case.seconds)
    assert found.case("ours_paper") is not None


def test_seconds_are_medians(plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that gives every later call a second more."""
    seen: list[float] = []

    def timed(call: Callable[[], Any], device: str) -> tuple[float, Any]:
        seen.append(float(len(seen)))
        return seen[-1], call()

    monkeypatch.setattr(run, "timed", timed)
    found = bench_training(replace(plan, repeats=3))
    seconds = [case.seconds for case in found.cases[:4]]
    assert seconds == [1.0, 4.0, 7.0, 9.0]  # 0 1 2 | 3 4 5 | 6 7 8 | the textbook once
    monkeypatch.setattr(run, "LONG", 7.0)
    seen.clear()
    found = bench_training(replace(plan, repeats=3))
    assert [case.seconds for case in found.cases[:3]] == [1.0, 3.5, 5.5]  # 0 1 2 | 3 4, and no third | 5 6


def trained(x: Tensor, held: Tensor, n_latents: int, k: int, **options: Any) -> TrainedSae:
    """An SAE that misses 1 / k of everything."""
    options["on_pass"](7, 0.25)
    centre = held.mean(dim=0)
    reconstructed = held - (held - centre) * (1 / k) ** 0.5
    atoms = torch.nn.functional.normalize(x[:n_latents], dim=1)
    return TrainedSae(atoms, centre, reconstructed, 5 * len(x), 40.0 / k, k == 4, 0 if k == 4 else 3)


def test_an_sae_for_each_k(plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topk_sae, "installed", lambda: True)
    monkeypatch.setattr(topk_sae, "train_topk_sae", trained)
    steps: list[str] = []
    found = bench_training(replace(plan, sae_seconds=9.0, first=50), steps.append)
    assert "TopK SAE k=4: pass 7, FVU 0.250" in steps
    own, other = found.case("topk_sae"), found.case("topk_sae_k2")
    assert own is not None
    assert other is not None
    assert (own.k, own.seconds, own.tokens, own.passes, own.n_atoms) == (4, 10.0, 3000, 5.0, 60)
    assert own.fvu(4, ENCODER, 200) == pytest.approx(1 / 4)
    assert other.fvu(2, ENCODER, 200) == pytest.approx(1 / 2)
    assert {missed.method for missed in own.missed} == {ENCODER, "mp", "omp"}
    assert {missed.k for missed in own.missed} == {4}
    assert own.notes == ()
    assert "when its 9 s were up" in other.notes[0]
    assert other.notes[1] == "3 of its latents are dead."
    ours = found.case("ours")
    assert ours is not None
    assert ours.seconds is not None
    assert found.fraction(ours) == ours.seconds / 10.0
    assert found.fraction(own) is None
    values = {case["name"]: case for case in report.to_json(found)["cases"]}
    assert (values["topk_sae"]["fvu"], values["topk_sae"]["fvu_method"]) == (pytest.approx(1 / 4), ENCODER)
    assert values["ours"]["fraction_of_sae"] == found.fraction(ours)
    assert values["ours"]["fvu"] == ours.fvu(4, "omp", 200)
    rows = {row[:2]: row[2:] for row in report.quality_rows(found)}
    assert rows["topk_sae", ENCODER] == ("0.500", "0.250")  # the two SAEs, in one row
    assert rows["ours", "omp, first 50"][1] == f"{ours.fvu(4, 'omp', 50):.3f}"
    assert not any(str(name).startswith("textbook") for name, _ in rows)


def test_without_saelens_the_row_says_how_to_get_it(plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topk_sae, "installed", lambda: False)
    found = bench_training(replace(plan, sae_seconds=9.0))
    (sae,) = [case for case in report.to_json(found)["cases"] if case["name"] == "topk_sae"]
    assert (sae["seconds"], sae["tokens"], sae["fvu"], sae["n_atoms"]) == (None, None, None, 60)
    assert "pip install" in sae["notes"][0]
    assert "'.[sae]'" in sae["notes"][0]
    assert any("pip install" in remark for remark in report.remarks(found))
    assert any("topk_sae" in str(row[0]) for row in report.time_rows(found))
    assert all(row[0] != "topk_sae" for row in report.quality_rows(found))


def test_shared_atoms_are_counted() -> None:
    atoms = torch.eye(4)
    assert shared(atoms, atoms[[3, 1]]) == 0.5
    assert shared(atoms, -atoms) == 0  # an atom and its opposite are two
    tilted = torch.nn.functional.normalize(atoms + 0.01 * torch.ones(4), dim=1)
    assert shared(atoms, tilted) == 0


def test_a_figure_that_was_not_measured_is_none(found: TrainingBench) -> None:
    assert found.cases[0].fvu(3, "omp", 200) is None
    assert isinstance(found.cases[0].missed[0], Missed)
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    assert found.cases[0].fvu(2, "omp", 200) != fvu(x, x)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"atoms": 700}, "700 atoms cannot come from 600 tokens"),
        ({"ks": (4, 61)}, "k=61 exceeds the 60 atoms"),
        ({"ks": ()}, "at least one k"),
        ({"ks": (0, 4)}, "at least one k"),
        ({"read": 799}, "give --read 800 or more"),
        ({"held_out": 1}, "held_out=1"),
        ({"repeats": 0}, "repeats=0"),
        ({"sae_seconds": 0.0}, "--sae-seconds 0"),
        ({"context": 0}, "context=0"),
        ({"windows": "last"}, "windows='last'"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_sizes_that_cannot_work_are_named(corpus: str, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        tiny_plan(corpus, **fields)


def test_the_quick_plan_keeps_what_is_read_and_whether_saes_are_trained(plan: TrainingPlan) -> None:
    quick = quick_plan(plan)
    assert (quick.model, quick.corpus, quick.context, quick.sae_seconds) == ("fake", plan.corpus, 64, None)
    assert quick_plan(replace(plan, sae_seconds=100.0)).sae_seconds == 2.0
    assert quick.tokens <= 2_000
