"""Dictionaries of one model at several moments of its training: which checkpoint each is of, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from itda_core.comparison.label_sets import LabelSet
from itda_core.comparison.natural_order import natural
from itda_core.comparison.overlap.refusals import check
from itda_core.errors import UserError
from itda_core.fingerprints import same_model

if TYPE_CHECKING:
    from itda_core.dictionaries import DictionarySpec

_COMMIT_SHOWN = 7  # digits
_MOST_NAMED = 12  # checkpoints in a sentence


@dataclass(frozen=True, eq=False)
class Course:
    """Checkpoints from the first to the last, and their dictionaries."""

    checkpoints: tuple[str, ...]  # what figures call them
    numbered: bool  # whether their names hold the order; else they come as they were given
    sets: Mapping[tuple[int, int], LabelSet]  # by (place in `checkpoints`, layer); the last has every layer
    left_out: tuple[int, ...]  # layers that the last checkpoint has no dictionary of

    def sentences(self) -> Iterator[str]:
        """Their order, and what is missing."""
        names = ", ".join(self.checkpoints)
        if len(self.checkpoints) > _MOST_NAMED:
            names = f"{', '.join(self.checkpoints[: _MOST_NAMED - 1])}, …, {self.checkpoints[-1]}"
        how = "as they were given, because several names hold no number"
        if self.numbered:
            bare = re.search(r"\d", self.checkpoints[-1]) is None
            how = f"by the numbers in their names{', the one without a number last' if bare else ''}"
        yield f"Checkpoints come {how}: {names}. The last is what the others are compared with."
        if self.left_out:
            layers = ", ".join(map(str, self.left_out))
            one = len(self.left_out) == 1
            yield (
                f"{f'Layer {layers} is' if one else f'Layers {layers} are'} left out, because the last checkpoint, "
                f"{self.checkpoints[-1]}, has no dictionary of {'it' if one else 'them'}."
            )
        layers = {layer for _, layer in self.sets}
        if empty := len(self.checkpoints) * len(layers) - len(self.sets):
            yield f"{empty} {'cell is' if empty == 1 else 'cells are'} empty, because there is no dictionary."


class _Name(NamedTuple):
    text: str
    numbered: bool  # whether it holds a number


def course_of(sets: Sequence[LabelSet]) -> Course:
    """The checkpoints that dictionaries are of, recognised by what differs in the names of their models: the folder, or
    the revision (of a Hub commit its branch or tag, where the local cache knows it).

    They are ordered by the numbers in these names, one without a number (main) last; where several have no number, by
    the order of `sets`. A layer that the last one lacks is left out.

    Raises UserError when sets differ in corpus, site or width, are of no block of the model, or are two of one layer
    of one checkpoint; and when two models of different weights have the same name.
    """
    check(sets)
    _check_alike(sets)
    by_name: dict[_Name, dict[int, LabelSet]] = {}
    for one, name in zip(sets, _names([each.specs[0] for each in sets]), strict=True):
        layers, layer = by_name.setdefault(name, {}), one.specs[0].layer
        if layer is None:
            raise UserError(f"{one.name} is of no layer (site {one.specs[0].site}); choose dictionaries of layers.")
        for other in layers.values():
            if not same_model(other.specs[0].weights_fingerprint, one.specs[0].weights_fingerprint):
                raise UserError(
                    f"{other.name} and {one.name} are of different weights, but both models are called "
                    f"{one.specs[0].model}, so their order is not known; leave one out."
                )
        if layer in layers:
            raise UserError(
                f"{layers[layer].name} and {one.name} are both of layer {layer} at {name.text}; leave one out."
            )
        layers[layer] = one
    numbered = sum(not name.numbered for name in by_name) <= 1
    ordered = sorted(by_name, key=lambda name: (not name.numbered, natural(name.text))) if numbered else list(by_name)
    last = by_name[ordered[-1]]
    found = {
        (place, layer): one
        for place, name in enumerate(ordered)
        for layer, one in by_name[name].items()
        if layer in last
    }
    kept = sorted({place for place, _ in found})  # all layers of a checkpoint may have been left out
    return Course(
        checkpoints=tuple(ordered[place].text for place in kept),
        numbered=numbered,
        sets={(kept.index(place), layer): one for (place, layer), one in found.items()},
        left_out=tuple(sorted({layer for layers in by_name.values() for layer in layers} - set(last))),
    )


def _check_alike(sets: Sequence[LabelSet]) -> None:
    first = sets[0]
    for one in sets:
        assert one.spec is not None, "one dictionary each"
        a, b = first.specs[0], one.specs[0]
        if a.site != b.site:
            raise UserError(
                f"{first.name} and {one.name} are of different sites ({a.site}, {b.site}); choose one site."
            )
        if a.d_model != b.d_model:
            raise UserError(
                f"{first.name} and {one.name} are of models of different widths ({a.d_model}, {b.d_model}), so not of "
                "checkpoints of one model; leave one out."
            )


def _names(specs: Sequence[DictionarySpec]) -> list[_Name]:
    """What differs in the names of the specs' models: of paths the parts that not all begin or end with."""
    revisions = {(one.model, one.revision): _revision(one.model, one.revision) for one in specs}
    paths = [(*_parts(one.model), *revisions[one.model, one.revision]) for one in specs]
    shortest = min(map(len, paths))
    begin = 0
    while begin < shortest - 1 and len({path[begin] for path in paths}) == 1:
        begin += 1
    end = 0
    while end < shortest - begin - 1 and len({path[-1 - end] for path in paths}) == 1:
        end += 1
    found = []
    for one, path in zip(specs, paths, strict=True):
        commit = one.revision is not None and revisions[one.model, one.revision] == (one.revision[:_COMMIT_SHOWN],)
        text = "/".join(path[begin : len(path) - end])
        found.append(_Name(text, not commit and re.search(r"\d", text) is not None))
    return found


def _parts(model: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[/\\]", model) if part) or (model,)


def _revision(model: str, revision: str | None) -> tuple[str, ...]:
    """Of a commit the branch or tag with a number, if there is one; () where there is no revision."""
    from itda_core.models.folder.revisions import revision_names

    if revision is None:
        return ()
    named = sorted(revision_names(model, revision), key=lambda name: (re.search(r"\d", name) is None, natural(name)))
    return (named[0] if named else revision[:_COMMIT_SHOWN],)
