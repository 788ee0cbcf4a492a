"""How long a text is that is read to its end, against a count of all its tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from itda_core.dictionaries import LayerProgress, TrainConfig, TrainProgress
from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.models import LanguageModel
from itda_core.runs.cluster.progress import merged
from itda_core.runs.training.reports import Reports
from itda_core.runs.training.telling import Teller
from itda_core.runs.training.whole_text import expected_tokens
from itda_core.runs.training.words import stage_words
from itda_core.text import Corpus
from itda_core.text.sources import demo
from tests.conftest import generated_text

WHOLE = TrainConfig(k=3, context=32)
READING = TrainProgress(300, None, 3.0, 100.0, None, (LayerProgress("resid_post", 2, 0, 1.0, 0.0, ()),))


@pytest.mark.parametrize("windows", ["all", "first"])
def test_a_file_is_counted_by_its_bytes(model_of: Callable[[str], LanguageModel], tmp_path: Path, windows: str) -> None:
    path, tokenizer = tmp_path / "long.txt", model_of("gpt2").tokenizer
    path.write_text("\n\n".join(" ".join(generated_text(6, seed=i)) for i in range(900)))
    corpus = Corpus.open(str(path))
    config = TrainConfig(k=3, context=16, windows=windows)
    told = expected_tokens(str(path), corpus, tokenizer, config)
    counts = [len(tokenizer(document.text, add_special_tokens=False)["input_ids"]) for document in corpus]
    true = sum(counts) if windows == "all" else sum(min(count, 16) for count in counts)
    assert told == pytest.approx(true, rel=0.05)
    assert expected_tokens(str(path), corpus, tokenizer, TrainConfig(tokens=100)) is None
    table = tmp_path / "long.csv"
    table.write_text("text\n" + "\n".join(map(str, range(50))))
    assert expected_tokens(str(table), Corpus.open(str(table)), tokenizer, config) is None


def test_the_bundled_text_is_counted_by_its_passages(
    model_of: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = model_of("gpt2").tokenizer
    first = [document for document, _ in zip(Corpus.open("demo"), range(200), strict=False)]
    tokens = sum(len(tokenizer(document.text, add_special_tokens=False)["input_ids"]) for document in first)
    assert demo.PASSAGES == 20_000
    assert expected_tokens("demo", Corpus.open("demo"), tokenizer, TrainConfig()) == tokens * 100


def test_reading_to_the_end_has_a_share_until_it_is_longer_than_thought() -> None:
    seen: list[TrainProgress] = []
    teller = Teller(Reports(on_progress=seen.append), WHOLE, 1, 32, "cpu", 1200)
    teller.tell(READING)
    assert stage_words(seen[-1].stage) == "Reading text, 300 of about 1,200 tokens"
    assert seen[-1].stage.share == 0.25
    assert (seen[-1].eta, seen[-1].rough, seen[-1].total) == (9.0, True, None)
    together = merged([[2], [3]], {0: seen[-1], 1: seen[-1]}, site="resid_post", tokens=None, seconds=3.0, rate=100.0)
    assert together.stage == TrainingStage("reading", 300, 1200, about=True)
    assert (together.eta, together.rough) == (9.0, True)
    teller.tell(TrainProgress(1300, None, 13.0, 100.0, None, READING.layers))
    assert stage_words(seen[-1].stage) == "Reading text, 1,300 tokens"
    assert seen[-1].stage.share is None
