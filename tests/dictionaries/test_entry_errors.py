from __future__ import annotations

import pytest
import torch

from itda_core.dictionaries import TrainConfig, train
from itda_core.dictionaries.entry_errors import entry_errors
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.dictionaries.growing.test_training import finish


@pytest.mark.parametrize("method", ["mp", "omp"])
def test_errors_computed_anew_are_those_of_the_training(method: str) -> None:
    """Atoms that are fewer than k too: a pursuit then takes no more steps than there are atoms."""
    config = TrainConfig(k=16, method=method, tokens=300, threshold=0.02, context=16)
    (dictionary,) = finish(train(FakeModel(), fake_corpus(), [0], config)).dictionaries
    assert len(dictionary) > 8
    anew = entry_errors(dictionary, list(range(len(dictionary))), dictionary.atoms)
    assert anew is not None
    kept = torch.tensor(dictionary.provenance["error"].to_numpy(), dtype=torch.float32)
    torch.testing.assert_close(anew, kept, atol=1e-4, rtol=0)
