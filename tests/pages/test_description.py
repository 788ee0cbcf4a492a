"""What the library says of a bundled dictionary, against its dictionary.json."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from itda_core.runs.library import BUNDLED
from pages.ui.frame import engine


def test_figures_are_written_out_for_people() -> None:
    folder = BUNDLED / "demo-0-L3"
    said = json.loads((folder / "dictionary.json").read_text())
    shown = engine.description(engine.key_of(folder))
    assert float(shown.measured["tokens per second"].replace(",", "")) == round(said["stats"]["tokens_per_second"])
    assert shown.measured["fvu"] == f"{said['stats']['fvu']:.4g}"
    assert shown.settings["threshold"] == "0.315"
    assert shown.settings["centre"] == "no"


def test_two_configs_of_the_same_weights_are_told_apart(tmp_path: Path) -> None:
    weights, configs = "0123456789abcdef" * 4, ("a" * 16, "b" * 16)
    shown: list[str] = []
    for config in configs:
        folder = tmp_path / config
        folder.mkdir()
        file = Path(shutil.copy(BUNDLED / "demo-0-L3" / "dictionary.json", folder))
        said = json.loads(file.read_text())
        said["spec"]["weights_fingerprint"] = f"{weights}+{config}"
        file.write_text(json.dumps(said))
        origin = engine.description(engine.key_of(folder)).origin
        shown.append(origin["weights fingerprint"])
        assert origin["corpus fingerprint"] == said["spec"]["corpus_fingerprint"][:12]
    assert shown == [f"0123456789ab+{config}" for config in configs]
