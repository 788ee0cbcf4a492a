"""Steering: nothing changes where nothing is changed, and what changes is what a hook of the test's own gives."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from itda_core.analysis.interventions.change import Change
from itda_core.analysis.interventions.shifted import shifted
from itda_core.analysis.interventions.steer import Steering
from itda_core.dictionaries import AtomDictionary
from itda_core.errors import UserError
from itda_core.models import LanguageModel
from itda_core.text.windows import prompt_window
from tests.analysis.interventions.conftest import PROMPT
from tests.models.test_gradients import adding

Grown = Callable[..., AtomDictionary]
ModelOf = Callable[[str], LanguageModel]
FAMILIES = ("gpt2", "gpt_neox", "llama", "gemma2")


def used(model: LanguageModel, dictionary: AtomDictionary) -> tuple[int, int, float]:
    """A token of the prompt, its strongest atom, and the coefficient."""
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    x = model.capture(window, [model.site("resid_post", 1)])[model.site("resid_post", 1)]
    code = dictionary.encode(x).merged()
    token = len(window) - 1
    return token, int(code.indices[token, 0]), float(code.coefficients[token, 0])


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_changes_where_nothing_is_changed(family: str, grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of(family), grown(family)
    token, atom, coefficient = used(model, dictionary)
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    absent = next(
        i
        for i in range(len(dictionary))
        if i
        not in dictionary.encode(model.capture(window, [model.site("resid_post", 1)])[model.site("resid_post", 1)])
        .indices.flatten()
        .tolist()
    )
    norm = None
    for changes in (
        [Change(atom, 1.0)],
        [Change(absent, 0.0)],
        [Change(atom, 0.0), Change(atom, 1.0)],  # once removed it has no coefficient of its own
        [Change(absent, 0.5, "norm", added=True), Change(absent, -0.5, "norm", added=True)],
    ):
        steering = Steering(model, dictionary, PROMPT, changes, where="token")
        x = model.capture(window, [steering.site])[steering.site]
        found = steering.shifted(x, changes)
        norm = float(x[token].norm())
        if changes[-1] == Change(atom, 1.0) and len(changes) == 2:
            expected = -coefficient * dictionary.atoms[atom]
            torch.testing.assert_close(found.shift[token], expected, rtol=1e-4, atol=1e-4 * norm)
        else:
            assert float(found.shift.abs().max()) <= 1e-5 * norm
            effect = steering.effect()
            assert effect.kl < 1e-9
            assert effect.loss_after == pytest.approx(effect.loss_before, abs=1e-5)


@pytest.mark.parametrize("where", ["token", "prompt", "all", "generated"])
@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_are_those_of_a_hook_of_ones_own(family: str, where: str, grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of(family), grown(family)
    token, atom, _ = used(model, dictionary)
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    effect = Steering(model, dictionary, PROMPT, [Change(atom, -1.0)], where=where).effect()
    x = model.capture(window, [model.site("resid_post", 1)])[model.site("resid_post", 1)]
    code = dictionary.encode(x)
    shifts: dict[int, torch.Tensor] = {}
    for i in range(len(window)):
        own = float(code.coefficients[i][code.indices[i] == atom].sum())
        chosen = {"token": i == token, "prompt": True, "all": True, "generated": False}[where]
        if own and chosen and not window.special[i]:
            shifts[i] = -2 * own * dictionary.atoms[atom]
    handle = model.blocks.modules[1].register_forward_hook(adding(shifts))
    with torch.no_grad():
        logits = model.module(torch.tensor([window.token_ids])).logits[0]
    handle.remove()
    best = logits[-1].softmax(-1).topk(10)
    assert [one.probability for one in effect.after] == pytest.approx(best.values.tolist(), abs=1e-4)
    with torch.no_grad():
        before = model.module(torch.tensor([window.token_ids])).logits[0].double().log_softmax(-1)
    after = logits.double().log_softmax(-1)
    kl = float((before[-1].exp() * (before[-1] - after[-1])).sum())
    assert effect.kl == pytest.approx(kl, abs=1e-5)
    counted = [i for i in range(len(window) - 1) if not window.special[i] and not window.special[i + 1]]
    loss = -sum(float(after[i, window.token_ids[i + 1]]) for i in counted) / len(counted)
    assert effect.loss_after == pytest.approx(loss, abs=1e-4)
    assert {one.token for one in effect.changed} == (
        {i for i, special in enumerate(window.special) if not special}
        if where in ("prompt", "all")
        else ({token} if where == "token" else set())
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_steered_text_is_that_of_a_plain_loop(family: str, grown: Grown, model_of: ModelOf) -> None:
    """Each token's own coefficient is found anew as it is written, with the cache and without."""
    model, dictionary = model_of(family), grown(family)
    _, atom, _ = used(model, dictionary)
    ids = list(prompt_window(PROMPT, model.tokenizer, context=model.context).token_ids)
    n_special = sum(prompt_window(PROMPT, model.tokenizer, context=model.context).special)

    def removed(_: torch.nn.Module, __: object, output: object) -> object:
        first = output[0] if isinstance(output, tuple) else output
        assert isinstance(first, torch.Tensor)
        code = dictionary.encode(first[0])
        own = (code.coefficients * (code.indices == atom)).sum(dim=1)
        own[:n_special] = 0
        changed = first - own[None, :, None] * dictionary.atoms[atom]
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    written: list[int] = []
    handle = model.blocks.modules[1].register_forward_hook(removed)
    for _ in range(10):
        with torch.no_grad():
            written.append(int(model.module(torch.tensor([ids + written]), use_cache=False).logits[0, -1].argmax()))
        if written[-1] == model.tokenizer.eos_token_id:
            break
    handle.remove()
    steering = Steering(model, dictionary, PROMPT, [Change(atom, 0.0)], where="all")
    expected = model.tokenizer.decode(written)
    for cached in (True, False):
        *_, text = steering.continuation(10, changed=True, cached=cached)
        assert text == expected


def test_units_state_each_other(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")
    token, atom, coefficient = used(model, dictionary)
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    x = model.capture(window, [model.site("resid_post", 1)])[model.site("resid_post", 1)]
    norm = float((x[token] - dictionary.mean).norm())
    for change, after in (
        (Change(atom, 2.0, largest=8.0), 2 * coefficient),
        (Change(atom, 0.25, "norm", largest=8.0), 0.25 * norm),
        (Change(atom, 0.25, "norm", added=True), coefficient + 0.25 * norm),
        (Change(atom, -0.5, "max", largest=8.0), -4.0),
    ):
        effect = Steering(model, dictionary, PROMPT, [change], where="token").effect()
        (one,) = effect.changed
        assert (one.before, one.after) == (pytest.approx(coefficient, rel=1e-4), pytest.approx(after, rel=1e-4))
        in_largest = pytest.approx(after / 8.0, rel=1e-4) if change.largest else None
        in_norms = pytest.approx(after / norm, rel=1e-4)
        assert one.strengths == (pytest.approx(after / coefficient, rel=1e-4), in_largest, in_norms)


def test_a_large_change_is_warned_of_and_never_clipped(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")
    _, atom, _ = used(model, dictionary)
    effect = Steering(model, dictionary, PROMPT, [Change(atom, 3.0, "norm")], where="token").effect()
    assert effect.warning is not None
    assert "half its norm" in effect.warning
    (one,) = effect.changed
    assert one.after == pytest.approx(3.0 * one.norm)
    assert Steering(model, dictionary, PROMPT, [Change(atom, 1.0)], where="token").effect().warning is None


def test_reconstruction_alone_drops_the_error(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")
    token, atom, _ = used(model, dictionary)
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    x = model.capture(window, [model.site("resid_post", 1)])[model.site("resid_post", 1)]
    where = [i == token for i in range(len(window))]
    found = shifted(dictionary, x, window.special, where, [Change(atom, 1.0)])
    expected = dictionary.decode(dictionary.encode(x[token : token + 1]))[0]
    torch.testing.assert_close(x[token] + found.shift_without_error[token], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_dropping_the_rest_does_by_itself_is_that_of_a_hook(family: str, grown: Grown, model_of: ModelOf) -> None:
    """The reconstruction alone, without any change, put in by a hook of the test's own at the token."""
    model, dictionary = model_of(family), grown(family)
    token, atom, _ = used(model, dictionary)
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    effect = Steering(model, dictionary, PROMPT, [Change(atom, 0.0)], where="token").effect()

    def reconstructed(_: torch.nn.Module, __: object, output: object) -> object:
        first = (output[0] if isinstance(output, tuple) else output).clone()  # pyright: ignore[reportAttributeAccessIssue]
        first[0, token] = dictionary.decode(dictionary.encode(first[0, token : token + 1]))[0]
        return (first, *output[1:]) if isinstance(output, tuple) else first

    ids = torch.tensor([window.token_ids])
    with torch.no_grad():
        before = model.module(ids).logits[0, token].double().log_softmax(-1)
        handle = model.blocks.modules[1].register_forward_hook(reconstructed)
        after = model.module(ids).logits[0, token].double().log_softmax(-1)
        handle.remove()
    expected = float((before.exp() * (before - after)).sum())
    assert expected > 0
    assert effect.kl_reconstruction_unchanged == pytest.approx(expected, rel=1e-3, abs=1e-6)
    same = Steering(model, dictionary, PROMPT, [Change(atom, 1.0)], where="token").effect()
    assert same.kl_reconstruction_only == pytest.approx(effect.kl_reconstruction_unchanged, rel=1e-3, abs=1e-6)


def test_a_curve_passes_through_what_is_told_of_its_strengths(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")
    _, atom, _ = used(model, dictionary)
    steering = Steering(model, dictionary, PROMPT, [Change(atom, 1.0)])
    for point in steering.curve([-1.0, 0.0, 1.0, 2.0], 40):
        alone = Steering(model, dictionary, PROMPT, [Change(atom, point.strength)])
        assert point.kl == pytest.approx(alone.effect().kl, abs=1e-6)
    assert steering.curve([1.0], 40)[0].kl < 1e-9


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(10**6, 0.0), "no atom"),
        (Change(0, float("nan")), "strength"),
        (Change(0, float("inf")), "strength"),
        (Change(0, 1.0, "x"), "unknown"),
        (Change(0, 1.0, "max"), "index"),
        (Change(0, 1.0, "own", added=True), "scaled"),
    ],
)
def test_what_cannot_be_changed_is_refused(change: Change, told: str, grown: Grown, model_of: ModelOf) -> None:
    with pytest.raises(UserError, match=told):
        Steering(model_of("gpt2"), grown("gpt2"), PROMPT, [change])


def test_where_nothing_can_be_steered_it_is_said(grown: Grown, model_of: ModelOf) -> None:
    with pytest.raises(UserError, match="predicts no next token"):
        Steering(model_of("bert"), grown("bert"), PROMPT, [Change(0, 0.0)])
    with pytest.raises(UserError, match="built on"):
        Steering(model_of("llama"), grown("gpt2"), PROMPT, [Change(0, 0.0)])
    with pytest.raises(UserError, match="unknown"):
        Steering(model_of("gpt2"), grown("gpt2"), PROMPT, [Change(0, 0.0)], where="here")
    with pytest.raises(UserError, match="No atom"):
        Steering(model_of("gpt2"), grown("gpt2"), PROMPT, [])


def test_several_atoms_are_changed_at_once(grown: Grown, model_of: ModelOf) -> None:
    """Each as it would be alone: the shifts add up, from the coefficients that the model's own activations have."""
    model, dictionary = model_of("gpt2"), grown("gpt2")
    token, atom, _ = used(model, dictionary)
    changes = [Change(atom, 0.0), Change(atom + 1, 0.3, "norm"), Change(atom + 2, -0.2, "norm", added=True)]
    steering = Steering(model, dictionary, PROMPT, changes)
    x = steering.unchanged.x
    alone = torch.stack([steering.shifted(x, [change]).shift for change in changes]).sum(dim=0)
    torch.testing.assert_close(steering.shifted(x, changes).shift, alone, rtol=1e-5, atol=1e-5)
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    handle = model.blocks.modules[1].register_forward_hook(adding(dict(enumerate(alone))))
    with torch.no_grad():
        logits = model.module(torch.tensor([window.token_ids])).logits[0]
    handle.remove()
    effect = steering.effect()
    best = logits[token].softmax(-1).topk(10).values.tolist()
    assert [one.probability for one in effect.after] == pytest.approx(best, abs=1e-4)
    assert [change.atom for change in effect.changes] == [atom, atom + 1, atom + 2]


def test_what_is_compared_are_the_likeliest_before_and_after(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("gpt2"), grown("gpt2")
    _, atom, _ = used(model, dictionary)
    effect = Steering(model, dictionary, PROMPT, [Change(atom, -2.0)]).effect()
    p = {one.token_id: one for one in effect.compared}
    assert {one.token for one in effect.compared} == {one.token for one in (*effect.before, *effect.after)}
    assert sorted((one.before for one in p.values()), reverse=True)[:10] == pytest.approx(
        [one.probability for one in effect.before], abs=1e-6
    )
    tops = [max(one.before, one.after) for one in effect.compared]
    assert tops == sorted(tops, reverse=True)


def test_what_is_known_of_the_prompt_gives_the_same_again(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("llama"), grown("llama")
    _, atom, _ = used(model, dictionary)
    first = Steering(model, dictionary, PROMPT, [Change(atom, 0.0)])
    again = Steering(model, dictionary, PROMPT, [Change(atom, 0.0)], unchanged=first.unchanged)
    assert again.effect() == first.effect()


def grown_text(steering: Steering) -> list[str]:
    """What each token adds to the text that is written with the changes."""
    texts = ["", *steering.continuation(6, changed=True)]
    return [after.removeprefix(before) for before, after in pairwise(texts)]


@pytest.mark.parametrize("family", FAMILIES)
def test_where_atoms_were_changed_is_marked(family: str, grown: Grown, model_of: ModelOf) -> None:
    """In the prompt where the coefficient is another; in what is written at each token that was read again."""
    model, dictionary = model_of(family), grown(family)
    token, _, _ = used(model, dictionary)
    change = Change(0, 0.2, "norm")
    for where in ("token", "prompt", "generated", "all"):
        steering = Steering(model, dictionary, PROMPT, [change], where=where)
        special = steering.window.special
        prompt = [(not special[i] and where in ("prompt", "all")) or (where, i) == ("token", token)
                  for i in range(len(special))]  # fmt: skip
        assert list(steering.effect().marked) == prompt
        *_, pieces = steering.pieces(6, changed=True)
        written = [where in ("generated", "all")] * (len(pieces) - 1)
        assert [piece.changed for piece in pieces] == [*written, False]
        *_, text = steering.continuation(6, changed=True)
        assert "".join(piece.text for piece in pieces) == text
        for piece, one in zip(pieces, grown_text(steering), strict=True):
            assert piece.text == one
        *_, untouched = steering.pieces(6, changed=False)
        assert not any(piece.changed for piece in untouched)


def test_tokens_behind_a_closing_special_token_are_written_ones(grown: Grown, model_of: ModelOf) -> None:
    """A tokenizer that closes a text has a longer window than what is written on from."""
    from tokenizers.processors import TemplateProcessing

    model, dictionary = model_of("gpt2"), grown("gpt2")
    tokenizer = model.tokenizer.backend_tokenizer
    before, end = tokenizer.post_processor, model.tokenizer.eos_token
    tokenizer.post_processor = TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, model.tokenizer.eos_token_id)]
    )
    try:
        steering = Steering(model, dictionary, PROMPT, [Change(0, 0.2, "norm")], where="generated")
        assert steering.window.special[-1]
        *_, pieces = steering.pieces(4, changed=True)
        assert [piece.changed for piece in pieces] == [*[True] * (len(pieces) - 1), False]
        assert steering.room == model.context - len(steering.window) + 1
    finally:
        tokenizer.post_processor = before


def test_special_tokens_are_changed_where_they_are_asked_for(grown: Grown, model_of: ModelOf) -> None:
    model, dictionary = model_of("llama"), grown("llama")
    for asked in (False, True):
        effect = Steering(model, dictionary, PROMPT, [Change(0, 0.2, "norm")], include_special=asked).effect()
        window = prompt_window(PROMPT, model.tokenizer, context=model.context)
        assert any(window.special)
        assert [effect.marked[i] for i, special in enumerate(window.special) if special] == [asked] * sum(
            window.special
        )
