"""The prompt as a row of tokens to click, coloured by error, by one atom, or by each token's strongest atom."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from itda_core.analysis.decompose import Decomposition, TokenDecomposition
from itda_core.figures.token_colours import piece_marks, shading
from itda_core.printable import indentation
from pages.ui.components.answered import answered, choice
from pages.ui.components.component import component
from pages.ui.components.printable import unseen, visible_token

_component = component("token_row")


def first_choice(shown: Decomposition) -> int:
    """The token that is chosen when none was asked for: the last one with a letter or a digit in it."""
    texts = [token.index for token in shown.tokens if not token.special]
    words = [index for index in texts if any(sign.isalnum() for sign in shown.tokens[index].text)]
    return (words or texts or [len(shown.tokens) - 1])[-1]


def token_row(
    tokens: Sequence[TokenDecomposition],
    *,
    colour: str,
    selected: int | None,
    pinned: int | None,
    on_pick: Callable[[int], None],
    key: str,
    label: str = "Tokens of the prompt",
) -> None:
    """Draws `tokens` (those to show, in order). A click or an arrow key calls `on_pick` with the token's index.

    Those that use the atom `pinned` are underlined, whatever their colour says.
    """
    shades, legend = shading(tokens, colour, pinned)
    marks = piece_marks(tokens)
    data = {
        "label": label,
        "selected": selected,
        "answered": answered(key),
        "legend": legend,
        "tokens": [
            {
                "index": token.index,
                "text": visible_token(token.text.removesuffix(indentation(token.text))),
                "name": visible_token(token.text) + mark,
                "mark": mark,
                "unseen": unseen(token.text),
                "special": token.special,
                "breaks": "\n" in token.text,
                "indent": indentation(token.text),
                "rgb": shade.rgb,
                "alpha": round(shade.alpha, 3),
                "tip": shade.tip,
                "pinned": pinned is not None and any(use.atom == pinned for use in token.atoms),
            }
            for token, shade, mark in zip(tokens, shades, marks, strict=True)
        ],
    }

    def picked() -> None:
        hit = choice(key)
        if hit is not None:
            on_pick(int(hit["index"]))

    _component(data=data, key=key, on_pick_change=picked)
