"""Which layers are judged together by one worker."""

from __future__ import annotations

from collections.abc import Sequence


def groups_of(layers: Sequence[int], workers: int) -> tuple[tuple[int, ...], ...]:
    """`layers` in as many groups as there are layers or workers, whichever is less, of sizes as equal as can be.

    The cost model: with F seconds of forward passes to the deepest layer and J of judging per layer, n layers in
    groups of at most g on w workers take max(g J, (F + n J) / w) seconds, because forward passes are shared out to
    idle workers and judging is not. That is least for the most equal groups, whatever F and J are. Groups that
    forwarded on their own would each pay for all blocks up to their deepest layer.
    """
    ordered = sorted(layers)
    n_groups = max(1, min(workers, len(ordered)))
    least, larger = divmod(len(ordered), n_groups)
    found, start = [], 0
    for i in range(n_groups):
        end = start + least + (i < larger)
        found.append(tuple(ordered[start:end]))
        start = end
    return tuple(found)
