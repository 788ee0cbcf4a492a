"""What it costs to choose a dictionary's atoms once the text is read ("sampled", "consensus")."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from itda_core.dictionaries.config import TrainConfig

LABEL_BYTES = 250  # of provenance, packed
_LABEL_OBJECT_BYTES = 1000  # of a label as Python objects
_INDEX_BYTES = 3 * 8  # of an activation that is held on disk


class ChoosingCost(NamedTuple):
    """What choosing atoms once the text is read costs in addition."""

    memory: int = 0  # bytes
    disk: int = 0  # bytes
    operations: float = 0.0


def choosing_cost(config: TrainConfig, d_model: int, n_layers: int, atoms: int, tokens: int) -> ChoosingCost:
    """The cost of `atoms` atoms for each layer, from `tokens` tokens; zero for selections that grow with the text."""
    if not config.rule.sized:
        return ChoosingCost()
    from itda_core.dictionaries.choosing.learning import choosing_memory, choosing_operations  # torch comes with it
    from itda_core.dictionaries.choosing.reservoir import MOST_ON_DISK, SEGMENT_BYTES, SLACK, reservoir_room

    row = d_model * 4
    held = min(tokens, reservoir_room(atoms))
    most = min(tokens, round((1 + SLACK) * held))
    in_memory = min(most, 2 * SEGMENT_BYTES // row)  # of each layer; while they are joined, two copies exist
    working = choosing_memory(atoms, held, d_model, config.rule.members)
    # When segments are written anew, the old ones stay until the next checkpoint.
    on_disk = min(tokens, round((MOST_ON_DISK + 1 + SLACK) * held))
    return ChoosingCost(
        memory=n_layers * (in_memory * (row + _LABEL_OBJECT_BYTES) + most * _INDEX_BYTES) + working,
        disk=n_layers * on_disk * (row + LABEL_BYTES) + 3 * held * row,
        operations=n_layers * choosing_operations(atoms, held, d_model),
    )
