"""Attribution: its parts sum to x . gradient, each is a central difference, and removing is really done."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from itda_core.analysis.interventions.attribute import Attribution, LayerAttribution, attribute
from itda_core.analysis.interventions.ranks import rank_correlation
from itda_core.dictionaries import AtomDictionary
from itda_core.errors import UserError
from itda_core.figures.attribution_page import too_coarse
from itda_core.models import LanguageModel, load_model
from itda_core.models.gradients import target_gradients
from itda_core.models.tokenizer.token_text import token_text
from itda_core.runs.library import BUNDLED
from itda_core.text.windows import prompt_window
from tests.analysis.interventions.conftest import PROMPT
from tests.models.test_gradients import adding, double

Grown = Callable[..., AtomDictionary]
ModelOf = Callable[[str], LanguageModel]


def summed(layer: LayerAttribution) -> float:
    return math.fsum([*(part.effect for part in layer.parts), *layer.error, *layer.mean])


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama", "gemma2"])
def test_parts_sum_to_activation_times_gradient(family: str, centre: bool, grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of(family), grown(family, centre=centre)
    found = attribute(model, dictionary, PROMPT)
    (layer,) = found.layers
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    site = model.site("resid_post", 1)
    with torch.no_grad():
        logits = model.module(torch.tensor([window.token_ids])).logits[0, -1]
    target = int(logits.argmax())
    read = target_gradients(model, window, [site], lambda logits: logits[-1, target])
    products = read.activations[site].double() * read.gradients[site].double()
    scale = float(products.abs().sum())
    assert summed(layer) == pytest.approx(float(products.sum()), abs=1e-5 * scale)
    assert layer.sum == pytest.approx(float(products.sum()), abs=1e-5 * scale)
    assert found.value == pytest.approx(float(logits[target]), rel=1e-4)
    assert found.probability == pytest.approx(float(logits.softmax(-1)[target]), rel=1e-4)
    assert found.target == token_text(model.tokenizer, target)
    assert len(layer.error) == len(layer.mean) == len(window)
    special = [i for i, one in enumerate(window.special) if one]
    assert not [part for part in layer.parts if part.token in special]
    assert (any(layer.mean) is True) == centre


def test_each_part_is_a_central_difference(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = double(model_of("gpt2")), grown("gpt2")  # whose normalisation is computed in float64 too
    found = attribute(model_of("gpt2"), dictionary, PROMPT, check=0)
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    target = found.target_id
    step, largest = 1e-4, max(abs(part.effect) for part in found.layers[0].parts)
    for part in found.layers[0].parts:
        values = []
        for sign in (1, -1):
            by = sign * step * part.coefficient * dictionary.atoms[part.atom].double()
            handle = model.blocks.modules[1].register_forward_hook(adding({part.token: by}))
            with torch.no_grad():
                values.append(float(model.module(torch.tensor([window.token_ids])).logits[0, -1, target]))
            handle.remove()
        assert part.effect == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-3 * largest)


def test_the_strongest_are_really_removed(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")
    found = attribute(model, dictionary, PROMPT, check=6)
    (layer,) = found.layers
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    target = found.target_id
    assert [(one.token, one.atom) for one in layer.checked] == [(one.token, one.atom) for one in layer.parts[:6]]
    for one, part in zip(layer.checked, layer.parts, strict=False):
        assert one.predicted == -part.effect
        by = -part.coefficient * dictionary.atoms[part.atom]
        values = []
        for shift in ({}, {part.token: by}):
            handle = model.blocks.modules[1].register_forward_hook(adding(shift))
            with torch.no_grad():
                values.append(float(model.module(torch.tensor([window.token_ids])).logits[0, -1, target]))
            handle.remove()
        assert one.measured == pytest.approx(values[1] - values[0], abs=1e-4)


BENT = "Mix the flour and the sugar. Add two"


def test_along_a_path_parts_sum_to_the_change_of_the_target(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")
    found = attribute(model, dictionary, PROMPT, integrated=64, check=0)
    window, site = prompt_window(PROMPT, model.tokenizer, context=model.context), model.site("resid_post", 1)
    target = found.target_id
    zero = target_gradients(model, window, [site], lambda logits: logits[-1, target], scale=1e-6).value
    assert summed(found.layers[0]) == pytest.approx(found.value - zero, rel=0.02, abs=0.02)
    assert found.layers[0].path_change == pytest.approx(found.value - zero, abs=1e-5)
    assert not found.layers[0].coarse
    assert attribute(model, dictionary, PROMPT, check=0).layers[0].path_change is None


def test_too_few_steps_of_a_path_are_said() -> None:
    """The bundled model bends its path so often that a few steps sum to something else."""
    found = attribute(load_model("demo:0"), BUNDLED / "demo-0-L0-consensus", BENT, integrated=16, check=0)
    (layer,) = found.layers
    assert layer.path_change is not None
    assert abs(layer.sum - layer.path_change) > 0.05 * abs(layer.path_change)
    assert layer.coarse
    assert "16 steps are too few for the path of this layer" in too_coarse(found)
    fine = attribute(load_model("demo:0"), BUNDLED / "demo-0-L0-consensus", BENT, integrated=256, check=0)
    assert not fine.layers[0].coarse
    assert too_coarse(fine) == ""


def test_all_layers_come_from_one_pass_and_are_those_of_each_alone(grown: Grown, model_of: ModelOf) -> None:
    model, dictionaries = model_of("gpt_neox"), [grown("gpt_neox", layer) for layer in (0, 2)]
    together = attribute(model, dictionaries, PROMPT)
    for dictionary, layer in zip(dictionaries, together.layers, strict=True):
        (alone,) = attribute(model, dictionary, PROMPT).layers
        assert [(one.token, one.atom) for one in alone.parts] == [(one.token, one.atom) for one in layer.parts]
        assert [one.effect for one in alone.parts] == pytest.approx([one.effect for one in layer.parts], abs=1e-5)


def test_sums_by_token_and_layer_are_those_of_a_plain_loop(grown: Grown, model_of: ModelOf) -> None:
    found = attribute(model_of("gpt2"), [grown("gpt2", layer) for layer in (0, 2)], PROMPT, check=3)
    told = found.to_dict()
    for i, layer in enumerate(found.layers):
        expected = [0.0] * len(found.tokens)
        for part in layer.parts:
            expected[part.token] += part.effect
        assert layer.by_token == pytest.approx(expected, abs=1e-9)
        one = told["layers"][i]
        assert one["atoms"] + one["mean"] + one["error"] == pytest.approx(one["sum"], abs=1e-5)
        assert one["atoms"] == pytest.approx(sum(expected), abs=1e-9)
        assert (one["layer"], one["rank_correlation"]) == (layer.layer, layer.rank_correlation)
    in_all = [one["effect"] for one in told["atoms_by_token"]]
    assert in_all == pytest.approx([*found.layers[0].by_token, *found.layers[1].by_token])


def test_one_more_part_is_removed_when_asked_for(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")
    (whole,) = attribute(model, dictionary, PROMPT, check=10**6).layers
    weak = whole.checked[-1]
    unused = next(i for i in range(len(dictionary)) if i not in {part.atom for part in whole.parts})
    besides = [(weak.token, weak.atom), (weak.token, unused)]
    (found,) = attribute(model, dictionary, PROMPT, check=2, besides=besides).layers
    (one,) = found.besides
    assert (one.token, one.atom, one.predicted) == (weak.token, weak.atom, weak.predicted)
    assert one.measured == pytest.approx(weak.measured, abs=1e-4)
    assert len(found.checked) == 2
    assert found.rank_correlation == rank_correlation(
        [part.predicted for part in found.checked], [part.measured for part in found.checked]
    )


def test_targets_are_what_they_say(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")

    def value(**asked: object) -> Attribution:
        return attribute(model, dictionary, PROMPT, check=0, **asked)  # pyright: ignore[reportArgumentType]

    one, other = value(target=40), value(target=41)
    difference = value(target=40, against=41)
    assert difference.value == pytest.approx(one.value - other.value, abs=1e-4)
    assert summed(difference.layers[0]) == pytest.approx(summed(one.layers[0]) - summed(other.layers[0]), abs=1e-3)
    assert value(target=40, kind="log-probability").value == pytest.approx(math.log(one.probability), abs=1e-4)
    assert value(target=40, kind="log-probability", against=41).value == pytest.approx(difference.value, abs=1e-4)
    assert value(token=2).token == 2
    assert not [part for part in value(token=2).layers[0].parts if part.token > 2 and part.effect]


def test_json_has_the_contracts_keys(grown: Grown, model_of: ModelOf) -> None:
    found = attribute(model_of("gpt2"), grown("gpt2"), PROMPT).to_dict()
    wanted = {"model", "prompt", "token", "target", "against", "value", "parts", "error", "mean", "sum", "checked"}
    assert wanted | {"rank_correlation"} <= set(found)
    assert set(found["parts"][0]) == {"dictionary", "layer", "token", "atom", "coefficient", "effect"}
    assert set(found["checked"][0]) >= {"atom", "token", "predicted", "measured"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"token": 99}, "does not exist"),
        ({"token": True}, "does not exist"),
        ({"target": 10**6}, "vocabulary"),
        ({"target": "The king of torsen"}, "several tokens"),
        ({"target": ""}, "no token"),
        ({"kind": "x"}, "unknown"),
        ({"integrated": -1}, "path"),
        ({"k": 10**6}, "k="),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: dict[str, object], told: str, grown: Grown, model_of: ModelOf) -> None:
    with pytest.raises(UserError, match=told):
        attribute(model_of("gpt2"), grown("gpt2"), PROMPT, **asked)  # pyright: ignore[reportArgumentType]


def test_an_encoder_and_another_models_dictionary_are_refused(grown: Grown, model_of: ModelOf) -> None:
    with pytest.raises(UserError, match="predicts no next token"):
        attribute(model_of("bert"), grown("bert"), PROMPT)
    with pytest.raises(UserError, match="built on"):
        attribute(model_of("llama"), grown("gpt2"), PROMPT)
    with pytest.raises(UserError, match="No dictionary"):
        attribute(model_of("llama"), [], PROMPT)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=30))
def test_rank_correlation_is_that_of_pandas(pairs: list[tuple[int, int]]) -> None:
    import pandas as pd

    one, other = (np.array([pair[i] for pair in pairs], dtype=float) for i in (0, 1))
    found = rank_correlation(one.tolist(), other.tolist())
    expected = pd.Series(one).rank().corr(pd.Series(other).rank())
    assert (found is None) == bool(np.isnan(expected))
    if found is not None:
        assert found == pytest.approx(expected, abs=1e-9)
    assert rank_correlation([1.0], [2.0]) is None
