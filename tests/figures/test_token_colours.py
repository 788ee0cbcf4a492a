"""How tokens are coloured, against sums done by hand."""

import pytest

from itda_core.analysis.decompose import AtomUse, TokenDecomposition
from itda_core.figures.token_colours import piece_marks, shading


def use(atom: int, coefficient: float, share: float = 0.5) -> AtomUse:
    return AtomUse(atom, coefficient, share, f"t{atom}", "before", "after", "d", 0, 1)


def token(index: int, error: float, *atoms: AtomUse, span: tuple[int, int] | None = None, special: bool = False):
    start, end = span or (index, index + 1)
    return TokenDecomposition(index, "x", start, end, special, error, 0.9, len(atoms), 1.0, atoms)


def test_error_is_relative_to_the_largest_of_ordinary_tokens() -> None:
    shades, legend = shading([token(0, 0.9, special=True), token(1, 0.1), token(2, 0.4)], "error", None)
    assert [shade.alpha for shade in shades] == pytest.approx([0.55, 0.55 / 4, 0.55])
    assert legend["high"] == "0.400"


def test_pinned_atom_shows_sign_and_size() -> None:
    tokens = [token(0, 0.1, use(7, 2.0)), token(1, 0.1, use(3, 1.0), use(7, -1.0)), token(2, 0.1, use(3, 1.0))]
    shades, legend = shading(tokens, "atom", 7)
    assert [shade.alpha for shade in shades] == pytest.approx([0.55, 0.275, 0.0])
    assert shades[0].rgb != shades[1].rgb
    assert "not used" in shades[2].tip
    assert legend["high"] == "+2.00"


def test_the_scale_of_a_pinned_atom_goes_only_where_coefficients_are() -> None:
    for weights, low, high, colours in (
        ((2.0, 1.0), "0", "+2.00", 2),
        ((2.0, -1.0), "−2.00", "+2.00", 4),
        ((-2.0, -1.0), "−2.00", "0", 2),
    ):
        _, legend = shading([token(i, 0.1, use(7, weight)) for i, weight in enumerate(weights)], "atom", 7)
        assert (legend["low"], legend["high"], len(legend["ramp"])) == (low, high, colours)


def test_pinned_atom_that_nothing_uses_says_so() -> None:
    shades, legend = shading([token(0, 0.1, use(1, 1.0))], "atom", 9)
    assert shades[0].alpha == 0
    assert "no token" in legend["title"]


def test_strongest_gives_tokens_of_one_atom_one_hue() -> None:
    tokens = [token(0, 0.1, use(5, 1.0)), token(1, 0.1, use(5, 2.0, 1.0)), token(2, 0.1, use(6, 1.0)), token(3, 0.1)]
    shades, legend = shading(tokens, "strongest", None)
    assert shades[0].rgb == shades[1].rgb != shades[2].rgb
    assert shades[0].alpha < shades[1].alpha == pytest.approx(0.55)
    assert shades[3].alpha == 0
    assert [entry["note"] for entry in legend["entries"]] == [
        "atom 5 × 2",
        "Strongest for this token only. Deeper colour: larger share.",
    ]


def test_no_colour_hides_the_text() -> None:
    tokens = [token(i, e, use(i % 2, c)) for i, (e, c) in enumerate([(1.0, 9.0), (0.5, -9.0), (0.0, 1.0), (0.2, 3.0)])]
    for colour in ("error", "atom", "strongest"):
        assert all(0 <= shade.alpha <= 0.55 for shade in shading(tokens, colour, 0)[0])


def test_pieces_of_one_character_are_numbered() -> None:
    tokens = [token(0, 0.1, span=(0, 2)), *(token(i, 0.1, span=(2, 3)) for i in (1, 2, 3)), token(4, 0.1, span=(3, 4))]
    assert piece_marks(tokens) == ["", "1/3", "2/3", "3/3", ""]
