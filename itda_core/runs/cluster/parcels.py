"""Folders of plain files as bytes, so that no disk need be shared: checkpoints and dictionaries on their way."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path, PurePath
from typing import NamedTuple

from itda_core.errors import UserError
from itda_core.files import new_folder


class Parcel(NamedTuple):
    """The files of one folder."""

    name: str  # the folder's
    content: bytes  # an uncompressed zip of its files

    @classmethod
    def of(cls, folder: Path) -> Parcel:
        """The plain files directly in `folder`. Raises FileNotFoundError when it is gone."""
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
        return cls(folder.name, target.getvalue())

    def unpack(self, root: Path) -> Path:
        """Write the folder into `root` in one rename. Raises UserError when the disk is full or a name leads elsewhere.

        A folder of its name that is there already is kept as it is.
        """
        target = root / self.name
        if target.exists():
            return target
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive, new_folder(target) as partial:
            for member in archive.infolist():
                if PurePath(member.filename).name != member.filename:
                    raise UserError(f"A worker sent the file {member.filename!r}, which leads elsewhere; not written.")
                (partial / member.filename).write_bytes(archive.read(member))
        return target


def keep_newest(parcel: Parcel, state: Path) -> None:
    """Put a checkpoint into the folder `state` of a training, then drop those before it."""
    kept = parcel.unpack(state)
    for other in checkpoints_in(state):
        if other.name < kept.name:
            shutil.rmtree(other)


def newest_in(state: Path) -> Path | None:
    """The newest checkpoint in the folder `state` of a training."""
    return max(checkpoints_in(state), default=None)


def checkpoints_in(state: Path) -> list[Path]:
    """The finished checkpoints in the folder of a run; none where there is no such folder."""
    return [path for path in state.iterdir() if not path.name.startswith(".")] if state.is_dir() else []
