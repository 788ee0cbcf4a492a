"""From one atom to the previous, the next, one of a number or one drawn at random; also by the keys ← and →."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pages.ui.components.answered import answered, choice
from pages.ui.components.component import component

_component = component("atom_stepper")


def atom_stepper(
    atom: int, count: int, *, random: Sequence[int] = (), on_pick: Callable[[int], None], key: str
) -> None:
    """Draws where `atom` stands among `count`; `on_pick` gets the one to go to. random: from which one is drawn."""

    def picked() -> None:
        hit = choice(key)
        if hit is not None and 0 <= int(hit["atom"]) < count:
            on_pick(int(hit["atom"]))

    data = {"atom": atom, "count": count, "random": list(random), "answered": answered(key)}
    _component(data=data, key=key, on_pick_change=picked)
