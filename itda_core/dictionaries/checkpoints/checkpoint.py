"""The state of a training on disk, so that a killed run can go on and end with the same result."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.dictionaries.checkpoints.snapshot import SNAPSHOT, Snapshot
from itda_core.dictionaries.growing.growth import Growth, GrowthState
from itda_core.dictionaries.growing.predicted_size import GrowthCurve
from itda_core.dictionaries.provenance import check, to_frame, to_labels
from itda_core.dictionaries.storage.digested_files import (
    DIGESTS,
    is_as_sealed,
    read_frame,
    read_tensors,
    sealed,
    write_frame,
    write_tensors,
)
from itda_core.dictionaries.storage.json_schema import (
    Form,
    anything,
    listed,
    matching,
    number,
    optional,
    row,
    table,
    text,
    whole,
)
from itda_core.dictionaries.storage.json_schema import check as check_form
from itda_core.errors import UserError
from itda_core.files import PARTIAL, new_folder, read_json, shown, write_json
from itda_core.fingerprints import same_model, weights_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

VERSION = 3
UNSAID = {"paper rule": 1, "windows read": "together"}  # what an identity without these keys means
_PREFIX = "checkpoint-"
_LABELLED, _MEAN = "labelled", "mean"
_STATE, _TENSORS = "state.json", "tensors.safetensors"
_RESERVOIR = ".pool-"  # used only with a checkpoint that names it
_REMEDY = "start the training anew."
_COUNT = whole()
_SEGMENT = matching(r"[0-9]{8,12}", "the name of a segment")  # a folder's name, which must not lead elsewhere
_FACTS = table({}, {"step": _COUNT, "relative_error": number(), "segments": listed(_SEGMENT, most=1_000_000)})


def _state(n_sites: int) -> Form:
    """The form of state.json for `n_sites` sites."""
    return table(
        {
            **SNAPSHOT,
            "version": whole(),
            "identity": anything(),
            "tensors": listed(text()),
            "norm_medians": listed(optional(number(0)), length=n_sites),
            "curves": listed(listed(row(_COUNT, _COUNT)), length=n_sites),
            "facts": listed(_FACTS, length=n_sites),
        },
        {DIGESTS: table({}, others=text(64))},
    )


def reservoir_folder(folder: Path, site: int) -> Path:
    """Where site number `site` of a run keeps its reservoir on disk; its checkpoints name the segments that count."""
    return folder / f"{_RESERVOIR}{site}"


class Checkpoints:
    """The checkpoints of one run in `folder`: each a folder that appears in one rename; the newest counts.

    `identity` gives what a run must share with a checkpoint to go on from it, as far as it is known: that a model must
    read windows alone may be found only after reading has begun.
    """

    def __init__(self, folder: Path, identity: Callable[[], dict[str, Any]]) -> None:
        self._folder, self._identity = folder, identity

    def clear(self, *, only_partial: bool = False) -> None:
        """Remove all checkpoints, or only what a killed process left unfinished."""
        for path in self._folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in () if only_partial else (*self._all(), *self._folder.glob(f"{_RESERVOIR}*")):
            shutil.rmtree(path)

    def save(self, snapshot: Snapshot, growths: Sequence[Growth]) -> None:
        """Write the state of `snapshot`, of which `growths` may be ahead; once it is on the disk, drop the one before.

        Raises UserError when the disk is full; the checkpoint before then stays.
        """
        steps = f"-{snapshot.steps:06d}" if snapshot.steps else ""
        path = self._folder / f"{_PREFIX}{snapshot.tokens:012d}{steps}"
        earlier, new = [other for other in self._all() if other != path], not path.exists()
        if new:
            with new_folder(path) as folder:
                self._write(folder, snapshot, growths)
        for other in earlier:
            shutil.rmtree(other)
        for growth in growths if new else ():
            growth.tidy()

    def load(self, growths: Sequence[Growth], device: torch.device) -> Snapshot | None:
        """Put the newest checkpoint into `growths` and return its snapshot; None when there is none.

        Raises UserError when the checkpoint belongs to another run (naming what differs) or is damaged: every file is
        held against the digest that state.json has of it (those of an earlier version of this program have none).
        """
        if not (found := self._all()):
            return None
        path = found[-1]
        state = self._read_state(path / _STATE, len(growths))
        snapshot = Snapshot.from_dict({name: state[name] for name in Snapshot._fields})
        digests = state.get(DIGESTS, {})
        read = read_tensors(path / _TENSORS, state["tensors"], digest=digests.get(_TENSORS))
        tensors = {name: tensor.to(device) for name, tensor in read.items()}
        for i, (growth, totals) in enumerate(zip(growths, snapshot.layers, strict=True)):
            own = {name.partition(".")[2]: x for name, x in tensors.items() if name.partition(".")[0] == str(i)}
            if own:
                labelled, mean = own.pop(_LABELLED, None), own.pop(_MEAN, None)
                if labelled is None or labelled.ndim != 2 or (mean is not None and mean.shape != labelled.shape[1:]):
                    raise UserError(f"{shown(path / _TENSORS)} is damaged (the atoms of site {i}); {_REMEDY}")
                file, name = path / f"{i}.parquet", f"{i}.parquet"
                frame = read_frame(file, len(labelled), digest=digests.get(name))
                labels = to_labels(check(frame, len(labelled), str(file)))
                growth.norm_median = state["norm_medians"][i]
                growth.curve = GrowthCurve(state["curves"][i])
                growth.restore(GrowthState(labelled, labels, own, state["facts"][i]), mean, totals)
        return snapshot

    def _read_state(self, file: Path, n_sites: int) -> dict[str, Any]:
        """The checked content of a checkpoint's state.json. Raises UserError as `load`."""
        state = read_json(file, strict=True)
        if not isinstance(state, dict) or state.get("version") != VERSION:
            raise UserError(f"{shown(file.parent)} was written by another version of this program; {_REMEDY}")
        if not isinstance(state.get(DIGESTS, {}), dict) or not is_as_sealed(state, _STATE):
            raise UserError(f"{shown(file)} is damaged (it is not what was written); {_REMEDY}")
        check_form(state.get("identity"), table({}, others=anything()), file, _REMEDY)
        if different := differences(state["identity"], self._identity()):
            raise UserError(
                f"The run in {shown(self._folder)} cannot go on, because it had {'; '.join(different)}; "
                "use the same settings, or start anew."
            )
        check_form(state, _state(n_sites), file, _REMEDY)
        check_form(state["layers"], listed(anything(), length=n_sites), file, _REMEDY)
        return state

    def _write(self, folder: Path, snapshot: Snapshot, growths: Sequence[Growth]) -> None:
        tensors: dict[str, Tensor] = {}
        facts: list[dict[str, Any]] = []
        digests: dict[str, str] = {}
        for i, (growth, totals) in enumerate(zip(growths, snapshot.layers, strict=True)):
            facts.append({})
            if growth.begun:
                kept = growth.kept(totals)
                growth.sync()
                own = {_LABELLED: kept.labelled, **kept.more}
                if growth.mean is not None:
                    own[_MEAN] = growth.mean
                tensors |= {f"{i}.{name}": tensor.cpu() for name, tensor in own.items()}
                facts[i] = kept.facts
                digests[f"{i}.parquet"] = write_frame(folder / f"{i}.parquet", to_frame(kept.labels))
        digests[_TENSORS] = write_tensors(folder / _TENSORS, tensors)
        state = {
            **snapshot._asdict(),
            "version": VERSION,
            "identity": self._identity(),
            "tensors": sorted(tensors),
            "facts": facts,
            "norm_medians": [growth.norm_median for growth in growths],
            "curves": [
                growth.curve.points_until(totals.tokens)
                for growth, totals in zip(growths, snapshot.layers, strict=True)
            ],
        }
        write_json(folder / _STATE, sealed(state, _STATE, digests))

    def _all(self) -> list[Path]:
        """Oldest first."""
        return sorted(self._folder.glob(f"{_PREFIX}*"))


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The differences as text; settings that are themselves tables are compared one by one."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        was, now = (state.get(key, UNSAID.get(key)) for state in (old, new))
        if isinstance(was, dict) and isinstance(now, dict):
            found += differences(was, now)
        elif was != now and not (key == "model" and same_model(str(was), str(now))):
            found.append(f"{key} {_short(was)} and not {_short(now)}")
    return found


def _short(value: object) -> str:
    """A value as text, fingerprints cut to their beginning (a model's also keeps the part from its config)."""
    words = shown(", ".join(map(str, value)) if isinstance(value, list) else value)
    weights = weights_of(words)
    return f"{weights[:12]}...{words[len(weights) :]}" if len(weights) == 64 and weights.isalnum() else words
