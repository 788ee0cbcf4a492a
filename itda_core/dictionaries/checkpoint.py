"""The state of a training on disk, so that a run that was killed can go on and end as if it had not been."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.dictionaries.growth import Growth, Kept
from itda_core.dictionaries.predicted_size import GrowthCurve
from itda_core.dictionaries.provenance import check, to_frame, to_labels
from itda_core.dictionaries.snapshot import Snapshot
from itda_core.dictionaries.storage import read_frame, read_tensors, write_frame, write_tensors
from itda_core.errors import UserError
from itda_core.files import PARTIAL, new_folder, read_json, write_json
from itda_core.fingerprints import same_model

if TYPE_CHECKING:
    import torch
    from torch import Tensor

VERSION = 3
_PREFIX = "checkpoint-"
_LABELLED, _MEAN = "labelled", "mean"
_KEYS = {"identity", "tensors", "norm_medians", "curves", "facts", *Snapshot._fields}
_STATE, _TENSORS = "state.json", "tensors.safetensors"
_POOL = ".pool-"  # of use only with a checkpoint that names it


def pool_folder(work: Path, site: int) -> Path:
    """Where site number `site` of a run keeps its pool on disk; its checkpoints name what of it counts."""
    return work / f"{_POOL}{site}"


class Checkpoints:
    """The checkpoints of one run in the folder `work`: each a folder that appears in one rename; the newest counts.

    `identity` is what a run must share with a checkpoint to go on from it.
    """

    def __init__(self, work: Path, identity: dict[str, Any]) -> None:
        self._work, self._identity = work, identity

    def clear(self, *, only_partial: bool = False) -> None:
        """Remove all checkpoints, or only what a killed process left unfinished."""
        for path in self._work.glob(f"{PARTIAL}*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in () if only_partial else (*self._all(), *self._work.glob(f"{_POOL}*")):
            shutil.rmtree(path)

    def save(self, snapshot: Snapshot, growths: Sequence[Growth]) -> None:
        """Write the state of `snapshot`, of which `growths` may be ahead; then drop the one before.

        Raises UserError when the disk is full; the checkpoint before then stays.
        """
        steps = f"-{snapshot.steps:06d}" if snapshot.steps else ""
        path = self._work / f"{_PREFIX}{snapshot.tokens:012d}{steps}"
        earlier, new = [other for other in self._all() if other != path], not path.exists()
        if new:
            with new_folder(path) as folder:
                self._write(folder, snapshot, growths)
        for other in earlier:
            shutil.rmtree(other)
        for growth in growths if new else ():
            growth.tidy()

    def load(self, growths: Sequence[Growth], device: torch.device) -> Snapshot | None:
        """Put the newest checkpoint into `growths` and say where it stood; None when there is none.

        Raises UserError when the checkpoint belongs to another run (naming what differs) or is damaged.
        """
        if not (found := self._all()):
            return None
        path = found[-1]
        state = read_json(path / _STATE)
        if not isinstance(state, dict) or state.get("version") != VERSION or not state.keys() >= _KEYS:
            raise UserError(f"{path} was written by another version of this program; start the training anew.")
        if different := differences(state["identity"], self._identity):
            raise UserError(
                f"The run in {self._work} cannot go on, because it had {'; '.join(different)}; "
                "use the same settings, or start anew."
            )
        snapshot = Snapshot.from_dict({name: state[name] for name in Snapshot._fields})
        tensors = {name: tensor.to(device) for name, tensor in read_tensors(path / _TENSORS, state["tensors"]).items()}
        for i, (growth, totals) in enumerate(zip(growths, snapshot.layers, strict=True)):
            own = {name.partition(".")[2]: x for name, x in tensors.items() if name.partition(".")[0] == str(i)}
            if own:
                file = path / f"{i}.parquet"
                labelled, mean = own.pop(_LABELLED), own.pop(_MEAN, None)
                labels = to_labels(check(read_frame(file), len(labelled), str(file)))
                growth.norm_median = state["norm_medians"][i]
                growth.curve = GrowthCurve(state["curves"][i])
                growth.restore(Kept(labelled, labels, own, state["facts"][i]), mean, totals)
        return snapshot

    def _write(self, folder: Path, snapshot: Snapshot, growths: Sequence[Growth]) -> None:
        tensors: dict[str, Tensor] = {}
        facts: list[dict[str, Any]] = []
        for i, (growth, totals) in enumerate(zip(growths, snapshot.layers, strict=True)):
            facts.append({})
            if growth.begun:
                kept = growth.kept(totals)
                own = {_LABELLED: kept.labelled, **kept.more}
                if growth.mean is not None:
                    own[_MEAN] = growth.mean
                tensors |= {f"{i}.{name}": tensor.cpu() for name, tensor in own.items()}
                facts[i] = kept.facts
                write_frame(folder / f"{i}.parquet", to_frame(kept.labels))
        write_tensors(folder / _TENSORS, tensors)
        state = {
            **snapshot._asdict(),
            "version": VERSION,
            "identity": self._identity,
            "tensors": sorted(tensors),
            "facts": facts,
            "norm_medians": [growth.norm_median for growth in growths],
            "curves": [
                growth.curve.points_until(totals.tokens)
                for growth, totals in zip(growths, snapshot.layers, strict=True)
            ],
        }
        write_json(folder / _STATE, state)

    def _all(self) -> list[Path]:
        """Oldest first."""
        return sorted(self._work.glob(f"{_PREFIX}*"))


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs, in words; settings that are themselves tables are compared one by one."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            found += differences(was, now)
        elif was != now and not (key == "model" and same_model(str(was), str(now))):
            found.append(f"{key} {_short(was)} and not {_short(now)}")
    return found


def _short(value: object) -> str:
    """Fingerprints are recognised by their beginning."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 and text.isalnum() else text
