"""Models' own files: config.json, the weights, and the index of shards."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from itda_core.dictionaries.config import TrainConfig
from itda_core.models import ModelSpec, load_model
from itda_core.models.loading import load_skeleton
from itda_core.runs.costs.model_description import describe
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.costs.model_shape import model_shape
from itda_core.text import Document, windows
from tests.conftest import byte_level, word_piece
from tests.fuzz.damage import damage_file, damage_json_file, damaged_json
from tests.fuzz.harness import Kind
from tests.models.zoo import FAMILIES, network

_KINDS = ("gpt2", "llama", "bert")
_CONFIG, _WEIGHTS, _INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
EACH = 30  # of a kind within the suite: a model is built and loaded each time


def _prepare(folder: Path) -> dict[str, Path]:
    made = {}
    for name in _KINDS:
        family = FAMILIES[name]
        tokenizer = word_piece() if family.encoder else byte_level("llama")
        made[name] = folder / f"fuzzed-{name}"
        network(family, len(tokenizer)).save_pretrained(made[name])
        tokenizer.save_pretrained(made[name])
    return made


def _attempt(damage: Callable[[Path, random.Random], None]) -> Callable[[dict[str, Path], Path, random.Random], None]:
    def attempt(prepared: dict[str, Path], folder: Path, rng: random.Random) -> None:
        model = folder / "model"
        shutil.copytree(prepared[rng.choice(_KINDS)], model)
        damage(model, rng)
        rng.choice((_load, _load, _stream, _plan))(ModelSpec(str(model), device="cpu"))

    return attempt


def _load(spec: ModelSpec) -> None:
    model = load_model(spec)
    site = model.site("resid_post", model.n_layers - 1)
    cuts = list(windows([Document("d", "Ba deki lo mura.")], model.tokenizer, context=min(8, model.context)))
    assert len(model.fingerprint) == 81
    for batch in model.stream(cuts, [site]):
        assert batch.activations[site].shape == (len(batch.tokens), batch.activations[site].shape[1])


def _stream(spec: ModelSpec) -> None:
    load_skeleton(spec).weights.close()


def _plan(spec: ModelSpec) -> None:
    assert model_shape(describe(spec)).blocks
    assert model_figures(spec) is not None
    assert TrainConfig(tokens=10).tokens == 10


def _damaged_config(model: Path, rng: random.Random) -> None:
    damage_json_file(model / _CONFIG, rng)


def _damaged_weights(model: Path, rng: random.Random) -> None:
    path = model / _WEIGHTS
    if rng.random() < 0.4:
        damage_file(path, rng)
        return
    weights = load_file(path)
    name = rng.choice(sorted(weights))
    match rng.randrange(6):
        case 0:
            weights[name] = (weights[name] * 100).to(rng.choice([torch.int8, torch.int32, torch.uint8, torch.bool]))
        case 1:
            weights[f"{name}_scale_inv"] = torch.ones(1)
        case 2:
            del weights[name]
        case 3:
            weights[name] = weights[name][..., :-1].contiguous()
        case 4:
            weights[name] = weights[name].to(rng.choice([torch.float64, torch.float16, torch.complex64]))
        case _:
            weights[name] = torch.full_like(weights[name], float("nan"))
    save_file(weights, path, {"format": "pt"})
    if rng.random() < 0.4:
        _damage_header(path, rng)


def _damage_header(path: Path, rng: random.Random) -> None:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = damaged_json(json.loads(raw[8 : 8 + length]), rng).encode("utf-8", "surrogatepass")
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw[8 + length :])


def _damaged_index(model: Path, rng: random.Random) -> None:
    weights = load_file(model / _WEIGHTS)
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, own in parts.items():
        save_file({name: weights[name] for name in own}, model / file, {"format": "pt"})
    index: Any = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in weights.values())},
        "weight_map": {name: file for file, own in parts.items() for name in own},
    }
    (model / _INDEX).write_text(json.dumps(index))
    if rng.random() < 0.7:
        (model / _WEIGHTS).unlink()
    match rng.randrange(3):
        case 0:
            damage_json_file(model / _INDEX, rng)
        case 1:
            damage_file(model / _INDEX, rng)
        case _:
            index["weight_map"][rng.choice(names)] = rng.choice(["", "../x.safetensors", "/etc/passwd", 3, None, "x"])
            (model / _INDEX).write_text(json.dumps(index))


KINDS = [
    Kind("configs", _prepare, _attempt(_damaged_config), each=EACH),
    Kind("weights", _prepare, _attempt(_damaged_weights), each=EACH),
    Kind("indices", _prepare, _attempt(_damaged_index), each=EACH),
]
