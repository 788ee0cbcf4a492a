"""An attribution as pictures and as a page: every figure is the attribution's, every text stays text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from itda_core.analysis.interventions.attribute import Attribution, Checked, LayerAttribution, Part
from itda_core.dictionaries import AtomLabel
from itda_core.figures import attribution, effects
from itda_core.figures.attribution_page import attribution_page
from itda_core.figures.heatmaps import matrix
from tests.figures.test_charts import drawn as as_drawn
from tests.figures.test_pages import SCRIPT, assert_safe, contrast, drawn

TOKENS = ("<s>", " dog", SCRIPT, " later")


def layer(number: int, *, checked: bool = True) -> LayerAttribution:
    parts = (Part(2, 7, 1.5, -3.25), Part(1, 4, -0.5, 1.0 + number), Part(1, 7, 0.5, 0.5), Part(3, 1, 1.0, 0.0))
    removed = (Checked(2, 7, 3.25, 2.0), Checked(1, 4, -1.0 - number, -1.5)) if checked else ()
    return LayerAttribution(
        dictionary=f"own-L{number}",
        layer=number,
        site="resid_post",
        k=2,
        parts=parts,
        error=(0.25, -0.5, 0.125, 0.0),
        mean=(0.0, 0.75, 0.0, 0.0),
        sum=-0.125 + number,
        checked=removed,
        rank_correlation=1.0 if checked else None,
    )


def found(*layers: LayerAttribution, integrated: int = 0) -> Attribution:
    return Attribution(
        model="demo:0",
        prompt="the prompt",
        tokens=TOKENS,
        special=(True, False, False, False),
        token=2,
        target=SCRIPT,
        target_id=5,
        against=" cat",
        kind="logit",
        value=2.5,
        probability=0.25,
        integrated=integrated,
        layers=layers,
    )


def test_cells_are_the_sums_of_effects_and_tell_all_parts() -> None:
    cells = attribution.token_by_layer(found(layer(0), layer(3)))
    assert cells.rows == ("layer 3", "layer 0")
    assert len(cells.columns) == 3  # what comes later has no part in it
    np.testing.assert_allclose(cells.values, [[0.0, 4.5, -3.25], [0.0, 1.5, -3.25]])
    assert (cells.low, cells.high, cells.two_sided) == (-4.5, 4.5, True)
    told = cells.hover[1][1]
    for said in (
        "own-L0, token 1",
        "2 atoms +1.500",
        "mean +0.750",
        "not explained −0.500",
        "strongest: atom 4 +1.000",
    ):
        assert said in told
    assert all(len(row) == 3 for row in (*cells.written, *cells.hover))


def test_nothing_but_zeros_has_a_scale() -> None:
    none = LayerAttribution("x", None, "transformer.h.1", 1, (), (0.0,) * 4, (0.0,) * 4, 0.0)
    cells = attribution.token_by_layer(found(none))
    assert (cells.low, cells.high, cells.rows) == (-1.0, 1.0, ("transformer.h.1",))
    assert attribution.agreement(none) == ""


def test_a_two_sided_matrix_has_a_tint_of_its_own_below_zero() -> None:
    text = matrix(attribution.token_by_layer(found(layer(3))))
    assert text.count('class="below"') == 1
    assert 'class="below" style="--share:0.722"' in text  # 3.25 of 4.5
    assert '<td style="--share:1.000"' in text
    whole = attribution_page(found(layer(0), layer(3)), {})
    assert "td.below[style]{background:rgb(234 88 12 / calc(.55*var(--share)))}" in whole
    assert "td.below[style]{background:rgb(234 88 12 / calc(.06 + .56*var(--share)))}" in whole
    for alpha, ground, ink in ((0.55, (255,) * 3, (0x25, 0x25, 0x2E)), (0.62, (0x15, 0x15, 0x1A), (255,) * 3)):
        deepest = [alpha * tint + (1 - alpha) * behind for tint, behind in zip((234, 88, 12), ground, strict=True)]
        assert contrast(deepest, ink) >= 4.5


def test_points_are_what_was_predicted_and_what_happened() -> None:
    figure = attribution.checked(found(layer(0)))
    (line, points), _ = as_drawn(figure)
    assert points["x"] == [3.25, -1.0]
    assert points["y"] == [2.0, -1.5]
    assert line["x"] == line["y"] == [-1.5, 3.25]
    assert SCRIPT not in str(points["customdata"])
    assert len(list(drawn(figure).iter("circle"))) == 2


def test_bars_of_one_sign_stand_on_each_other_in_the_page_too() -> None:
    """Token 1 has atoms 1.5, mean 0.75 above zero and -0.5 below; token 2 has 0.125 above and -3.25 below."""
    figure = effects.by_token(found(layer(0)))
    bars: dict[float, list[tuple[float, float]]] = {}
    for rect in drawn(figure).iter("rect"):
        left, top, height = (float(rect.get(name) or 0) for name in ("x", "y", "height"))
        if height:
            bars.setdefault(left, []).append((top, top + height))
    for drawn_at in bars.values():
        ends = sorted(drawn_at)
        for (_, bottom), (top, _) in pairwise(ends):
            assert top == pytest.approx(bottom, abs=0.02)  # neither a gap nor one over the other
    heights = [sum(bottom - top for top, bottom in bars[left]) for left in sorted(bars)]
    assert heights[1] / heights[2] == pytest.approx((1.5 + 0.75 + 0.5) / (0.125 + 3.25), rel=0.01)


@pytest.mark.parametrize("layers", [(layer(0),), (layer(0, checked=False), layer(3))])
def test_the_page_has_everything_as_text(layers: tuple[LayerAttribution, ...]) -> None:
    labels: dict[int, AtomLabel] = {7: AtomLabel(7, 7, "d", 0, 3, 7, SCRIPT, 10, 12, "before", "after", 0.5)}
    one = found(*layers, integrated=16)
    text = attribution_page(one, labels, own=len(layers) - 1, command=f"itda '{SCRIPT}'")
    read = assert_safe(text)
    assert read.text.count(SCRIPT) >= 4  # the target, the prompt, the command and a label
    assert ("By layer" in read.text) == (len(layers) > 1)
    assert "Checked by removing" in read.text
    assert "against “ cat” behind token 2" in read.text
    assert "path of 16 steps" in read.text
    for figure in ("−3.250", "+1.50", "25.0%", "+2.000"):
        assert figure in read.text
