"""Activations from memory are the model's own, and a dictionary grown on them is the one `train` makes."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from itda_core.bench.training.harvest import Harvest, harvest, lines_of
from itda_core.bench.training.ours import equivalent_threshold, grown, random_draw
from itda_core.bench.training.plan import TrainingPlan
from itda_core.bench.training.replay import RememberingTokenizer
from itda_core.dictionaries import train
from itda_core.dictionaries.threshold import default_threshold
from itda_core.errors import UserError
from itda_core.text import Corpus, Document, windows
from tests.bench.training.samples import corpus_file, tiny_plan
from tests.dictionaries.fake_model import FakeModel


@pytest.fixture
def plan(tmp_path) -> TrainingPlan:
    return tiny_plan(corpus_file(tmp_path))


def read(plan: TrainingPlan, model: FakeModel | None = None) -> Harvest:
    return harvest(cast("Any", model or FakeModel()), plan)


def test_it_streams_what_the_model_streamed(plan: TrainingPlan) -> None:
    model, found = FakeModel(), read(plan)
    site = model.site("resid_post", plan.layer)
    for size in (1, 5, 16):
        cut = list(windows(found.corpus, model.tokenizer, context=plan.context))
        own = list(model.stream(cut, [site], windows_per_batch=size))
        again = list(found.source.stream(cut, [found.source.site()], windows_per_batch=size))
        assert [batch.windows for batch in again] == [batch.windows for batch in own]
        assert [batch.tokens for batch in again] == [batch.tokens for batch in own]
        for ours, theirs in zip(again, own, strict=True):
            torch.testing.assert_close(ours.activations[found.source.site()], theirs.activations[site])


def test_windows_in_another_order_have_their_own_activations(plan: TrainingPlan) -> None:
    model, found = FakeModel(), read(plan)
    site = model.site("resid_post", plan.layer)
    backwards = list(windows(found.corpus, model.tokenizer, context=plan.context))[::-1]
    (own,) = model.stream(backwards, [site], windows_per_batch=len(backwards))
    (again,) = found.source.stream(backwards, [found.source.site()], windows_per_batch=len(backwards))
    torch.testing.assert_close(again.activations[found.source.site()], own.activations[site])


def test_the_tokens_are_cut_as_planned(plan: TrainingPlan) -> None:
    found = read(plan)
    assert (len(found.all), len(found.training), len(found.held)) == (plan.read, plan.tokens, plan.held_out)
    assert torch.equal(found.training, found.all[: plan.tokens])
    assert torch.equal(found.held, found.all[-plan.held_out :])
    assert found.sinks == 0


def test_batches_are_those_of_a_training(plan: TrainingPlan) -> None:
    model, found = FakeModel(), read(plan)
    cut = list(windows(found.corpus, model.tokenizer, context=plan.context))
    for size in (1, 16, 24):
        batches = found.batches(found.training, size)
        assert torch.equal(torch.cat(batches), found.training)
        own = model.stream(cut, [model.site("resid_post", plan.layer)], windows_per_batch=size)
        lengths = [len(batch.tokens) for batch in own]
        assert [len(batch) for batch in batches[:-1]] == lengths[: len(batches) - 1]


def test_attention_sinks_are_left_out_for_everyone(plan: TrainingPlan) -> None:
    class WithSinks(FakeModel):
        """Word 7 is a sink: a hundred times as long."""

        def __init__(self) -> None:
            super().__init__()
            self.embeddings[10] *= 100

    model = WithSinks()
    found = read(tiny_plan(plan.corpus, read=1_100), model)
    norms = found.all.norm(dim=1)
    assert found.sinks > 5
    assert norms.max() < 10 * norms.median()
    cut = list(windows(found.corpus, model.tokenizer, context=plan.context))
    (again,) = found.source.stream(cut, [found.source.site()], windows_per_batch=len(cut))
    (own,) = model.stream(cut, [model.site("resid_post", plan.layer)], windows_per_batch=len(cut))
    (x,) = own.activations.values()
    assert len(x) - len(again.tokens) == found.sinks
    assert again.tokens == [token for token, row in zip(own.tokens, x, strict=True) if row.norm() < 10 * norms.median()]
    assert sum(found.source.lengths) == len(again.tokens)
    torch.testing.assert_close(again.activations[found.source.site()][: len(found.all)], found.all)


def test_a_dictionary_grown_on_it_is_the_one_train_makes(plan: TrainingPlan) -> None:
    model, found = FakeModel(), read(plan)
    for selection in ("sequential", "paper"):
        config = plan.config(selection, threshold=equivalent_threshold(selection, 0.2, 16), centre=True)
        *_, last = train(cast("Any", model), found.corpus, [plan.layer], config)
        own = grown(found, config)
        assert torch.equal(own.atoms, last.dictionaries[0].atoms)
        assert torch.equal(own.mean, last.dictionaries[0].mean)
        assert own.tokens == last.dictionaries[0].stats["tokens"]


def test_growing_neither_reads_the_model_nor_tokenises_again(plan: TrainingPlan, monkeypatch) -> None:
    model = FakeModel()
    found = read(plan, model)
    before = model.read
    monkeypatch.setattr(RememberingTokenizer, "_ask", lambda *_: pytest.fail("asked the tokenizer again"))
    grown(found, plan.config("sequential"))
    assert model.read == before


def test_a_corpus_that_is_too_short_is_an_error(plan: TrainingPlan) -> None:
    with pytest.raises(UserError, match=r"gave 1,\d\d\d tokens, .* too few for 5,000 to build from"):
        read(tiny_plan(plan.corpus, tokens=5_000, read=6_000))


def test_a_shorter_corpus_than_is_read_is_taken_whole(plan: TrainingPlan) -> None:
    found = read(tiny_plan(plan.corpus, read=100_000))
    assert 1_000 < len(found.all) < 2_000
    assert torch.equal(found.held, found.all[-plan.held_out :])


def test_lines_become_documents() -> None:
    corpus = Corpus.from_documents(
        "c", [Document("a", " = Title = \n  a long line \nshort"), Document("b", "nine here")]
    )
    found = [(document.id, document.text) for document in lines_of(corpus, 8)]
    assert found == [("a/0", "= Title ="), ("a/1", "a long line"), ("b/0", "nine here")]
    with pytest.raises(UserError, match="no line of more than 99 characters"):
        lines_of(corpus, 99)


def test_a_random_draw_is_of_distinct_activations(plan: TrainingPlan) -> None:
    x = read(plan).training
    drawn = random_draw(x, 50, centre=False, seed=3)
    units = torch.nn.functional.normalize(x, dim=1)
    closest, which = (drawn.atoms @ units.T).max(dim=1)
    torch.testing.assert_close(closest, torch.ones(50))
    assert len(set(which.tolist())) == 50
    assert not drawn.mean.any()
    assert torch.equal(drawn.atoms, random_draw(x, 50, centre=False, seed=3).atoms)
    assert not torch.equal(drawn.atoms, random_draw(x, 50, centre=False, seed=4).atoms)
    centred = random_draw(x, 50, centre=True, seed=3)
    torch.testing.assert_close(centred.mean, x.mean(dim=0))
    units = torch.nn.functional.normalize(x - x.mean(dim=0), dim=1)
    torch.testing.assert_close((centred.atoms @ units.T).amax(dim=1), torch.ones(50))


def test_thresholds_are_equivalent() -> None:
    assert equivalent_threshold("sequential", 0.3, 384) == 0.3
    assert equivalent_threshold("paper", 0.3, 384) == pytest.approx(default_threshold(384))
