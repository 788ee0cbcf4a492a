"""A dictionary as a folder: dictionary.json, atoms.safetensors, provenance.parquet. Nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.dictionaries import provenance
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.dictionary import AtomDictionary, DictionarySpec
from itda_core.errors import UserError
from itda_core.files import new_folder, read_json, write_json

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

FORMAT, FORMAT_VERSION = "itda-dictionary", 1
SPECIFICATION, ATOMS, PROVENANCE = "dictionary.json", "atoms.safetensors", "provenance.parquet"
STORED_DTYPES = ("float32", "float16")
_REMEDY = "restore it from a copy or train anew."


@dataclass(frozen=True)
class DictionarySummary:
    """What a list of dictionaries shows of each, read from dictionary.json alone."""

    path: Path
    name: str
    model: str
    revision: str | None
    layer: int | None
    site: str
    atoms: int
    d_model: int
    k: int
    threshold: float | None
    selection: str
    method: str
    corpus: str
    fvu: float | None  # fraction of variance unexplained, see stats["fvu_text"]
    created: str  # ISO 8601, UTC
    bytes: int  # of the three files


@dataclass(frozen=True)
class Labelling:
    """A dictionary without its atoms: what it was grown from, how, and where its atoms were seen."""

    spec: DictionarySpec
    config: TrainConfig
    stats: dict[str, Any]
    provenance: pd.DataFrame
    path: Path


def save(dictionary: AtomDictionary, path: Path, *, dtype: str = "float32") -> Path:
    """Write `dictionary` as the folder `path` in one rename; atoms are stored as `dtype`, the mean as float32.

    Returns `path`. Raises UserError when `path` exists, cannot be written, the disk is full, or `dtype` is unknown.
    """
    import torch

    if dtype not in STORED_DTYPES:
        raise UserError(f"Atoms cannot be stored as {dtype!r}; choose {' or '.join(STORED_DTYPES)}.")
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "atoms": len(dictionary),
        "dtype": dtype,
        "spec": dictionary.spec.to_dict(),
        "config": dictionary.config.to_dict(),
        "stats": dictionary.stats,
        "software": {name: metadata.version(name) for name in ("torch", "transformers", "safetensors", "numpy")},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with new_folder(path) as folder:
        write_tensors(
            folder / ATOMS,
            {
                "atoms": dictionary.atoms.detach().to("cpu", getattr(torch, dtype)),
                "mean": dictionary.mean.detach().to("cpu", torch.float32),
            },
        )
        write_frame(folder / PROVENANCE, dictionary.provenance)
        write_json(folder / SPECIFICATION, description)
    return path


def load(path: Path) -> AtomDictionary:
    """The dictionary in the folder `path`; atoms and mean are float32 on the CPU.

    Atoms stored in half precision are normalised again. Raises UserError when `path` is missing, foreign, of another
    format version, or damaged in any way: shapes that disagree, atoms that are not unit norm, NaN, wrong labels.
    """
    description = _read_description(path)
    spec = DictionarySpec.from_dict(description["spec"])
    config = config_of(path / SPECIFICATION, description["config"])
    tensors = read_tensors(path / ATOMS, ("atoms", "mean"))
    atoms, mean = _checked(path / ATOMS, tensors["atoms"], tensors["mean"], description["atoms"], spec.d_model)
    frame = provenance.check(read_frame(path / PROVENANCE), len(atoms), str(path / PROVENANCE))
    return AtomDictionary(atoms, mean, frame, spec, config, description["stats"], path)


def read_summary(path: str | Path) -> DictionarySummary:
    """What dictionary.json in the folder `path` says, without reading the atoms and without loading torch.

    Raises UserError when the folder is no dictionary, is of another format version, or its dictionary.json is damaged.
    """
    path = Path(path)
    description = _read_description(path)
    spec, config = DictionarySpec.from_dict(description["spec"]), config_of(path / SPECIFICATION, description["config"])
    files = (path / name for name in (SPECIFICATION, ATOMS, PROVENANCE))
    return DictionarySummary(
        path=path,
        name=path.name,
        model=spec.model,
        revision=spec.revision,
        layer=spec.layer,
        site=spec.site,
        atoms=description["atoms"],
        d_model=spec.d_model,
        k=config.k,
        threshold=config.threshold_for(spec.d_model),
        selection=config.selection,
        method=config.method,
        corpus=spec.corpus,
        fvu=description["stats"].get("fvu"),
        created=description["created"],
        bytes=sum(file.stat().st_size for file in files if file.is_file()),
    )


def read_labelling(path: str | Path) -> Labelling:
    """The labels of the dictionary in the folder `path`, without reading the atoms and without loading torch.

    Raises UserError when the folder is no dictionary, is of another format version, or what is read is damaged.
    """
    path = Path(path)
    description = _read_description(path)
    frame = provenance.check(read_frame(path / PROVENANCE), description["atoms"], str(path / PROVENANCE))
    spec = DictionarySpec.from_dict(description["spec"])
    config = config_of(path / SPECIFICATION, description["config"])
    return Labelling(spec, config, description["stats"], frame, path)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """A safetensors file. Written by us, because safetensors hides from its errors whether the disk is full."""
    from safetensors.torch import save as to_bytes

    path.write_bytes(to_bytes({name: tensor.contiguous() for name, tensor in tensors.items()}))


def read_tensors(path: Path, names: Iterable[str]) -> dict[str, Tensor]:
    """The tensors `names` of a safetensors file. Raises UserError when the file or one of them is missing or broken."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"{path} is missing; {_REMEDY}")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise UserError(f"{path} is damaged ({error}); {_REMEDY}") from None


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """A parquet file."""
    path.write_bytes(frame.to_parquet(None, engine="pyarrow", index=False, compression="zstd"))


def read_frame(path: Path) -> pd.DataFrame:
    """The table in a parquet file. Raises UserError when the file is missing or damaged."""
    import pyarrow
    import pyarrow.parquet

    if not path.is_file():
        raise UserError(f"{path} is missing; {_REMEDY}")
    try:
        # Plain columns only: what pandas would rebuild from the file's metadata is not wanted from a stranger's file.
        return pyarrow.parquet.read_table(path).replace_schema_metadata(None).to_pandas()
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path} is damaged ({error}); {_REMEDY}") from None


def _read_description(path: Path) -> dict[str, Any]:
    """dictionary.json, its outline checked."""
    if not path.is_dir():
        raise UserError(f"{path} does not exist; check the path, or list what there is with itda library list.")
    if not (path / SPECIFICATION).is_file():
        raise UserError(f"{path} is not a dictionary (it has no {SPECIFICATION}); choose a folder that itda wrote.")
    file = path / SPECIFICATION
    description = read_json(file)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise UserError(f"{file} does not describe a dictionary of atoms; choose a folder that itda wrote.")
    if description.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{file} has format version {description.get('format_version')!r}, this program reads {FORMAT_VERSION}; "
            "update itda-studio or train it anew."
        )
    for key, kind in (("atoms", int), ("spec", dict), ("config", dict), ("stats", dict), ("created", str)):
        if not isinstance(description.get(key), kind) or isinstance(description[key], bool):
            raise UserError(f"{file} is damaged ({key!r} is missing or of a wrong type); {_REMEDY}")
    check_spec(file, description["spec"])
    check_stats(file, description["stats"])
    return description


def check_stats(file: Path, stats: dict[str, Any]) -> None:
    """Raises UserError, naming `file`, when a figure that is computed with is none."""
    for name in ("fvu", "norm_median"):
        value = stats.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise UserError(f"{file} is damaged (stats.{name} is {value!r}, not a number); {_REMEDY}")


def check_spec(file: Path, spec: dict[str, Any]) -> None:
    """Raises UserError, naming `file`, unless `spec` has the fields of a DictionarySpec and no others."""
    optional = {"revision": str, "layer": int}
    for field in fields(DictionarySpec):
        kind = optional.get(field.name) or (int if field.name == "d_model" else str)
        value = spec.get(field.name)
        fits = isinstance(value, kind) and not isinstance(value, bool)
        if field.name not in spec or not (fits or (value is None and field.name in optional)):
            raise UserError(f"{file} is damaged (spec.{field.name} is missing or of a wrong type); {_REMEDY}")
    if unknown := sorted(set(spec) - {field.name for field in fields(DictionarySpec)}):
        raise UserError(f"{file} is damaged (unknown keys spec.{', spec.'.join(unknown)}); {_REMEDY}")


def config_of(file: Path, values: dict[str, Any]) -> TrainConfig:
    """The settings that `file` holds. Raises UserError, naming it, for unknown ones and bad values."""
    try:
        return TrainConfig.from_dict({"sinks": None, **values})  # older ones left no sink out
    except UserError as error:
        raise UserError(f"{file} is damaged: {error}") from None


def _checked(file: Path, atoms: Tensor, mean: Tensor, n_atoms: int, d_model: int) -> tuple[Tensor, Tensor]:
    """Atoms and mean as float32, or UserError."""
    import torch

    if tuple(atoms.shape) != (n_atoms, d_model) or tuple(mean.shape) != (d_model,) or n_atoms < 1:
        raise UserError(
            f"{file} is damaged (atoms {tuple(atoms.shape)} and mean {tuple(mean.shape)} where {SPECIFICATION} says "
            f"{n_atoms} atoms of {d_model}); {_REMEDY}"
        )
    if not (atoms.is_floating_point() and mean.is_floating_point()):
        raise UserError(f"{file} is damaged (atoms {atoms.dtype}, mean {mean.dtype}, not floating point); {_REMEDY}")
    half = atoms.element_size() < 4
    atoms, mean = atoms.float(), mean.float()
    if not (torch.isfinite(atoms).all() and torch.isfinite(mean).all()):
        raise UserError(f"{file} is damaged (it contains NaN or infinity); {_REMEDY}")
    norms = torch.linalg.vector_norm(atoms, dim=1)
    if ((norms - 1).abs() > (1e-2 if half else 1e-3)).any():
        worst = int((norms - 1).abs().argmax())
        raise UserError(f"{file} is damaged (atom {worst} has norm {float(norms[worst]):.4g}, not 1); {_REMEDY}")
    return (atoms / norms[:, None] if half else atoms), mean
