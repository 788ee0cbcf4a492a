"""What the library says of a bundled dictionary, against its dictionary.json."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from itda_core.runs.library import BUNDLED
from itda_core.runs.units import duration
from pages.ui.library.description import description


def test_figures_are_written_out_for_people() -> None:
    folder = BUNDLED / "demo-0-L3"
    said = json.loads((folder / "dictionary.json").read_text())
    shown = description(folder)
    speed = shown.measured["tokens per second in training"]
    assert float(speed.replace(",", "")) == round(said["stats"]["tokens_per_second"])
    assert shown.measured["training took"] == duration(said["stats"]["seconds"])
    elsewhere = {*shown.measured} - {*description(folder, bundled=True).measured}
    assert elsewhere == {"training took", "tokens per second in training"}
    assert shown.measured["FVU"] == f"{said['stats']['fvu']:.4g}"
    assert shown.settings["threshold"] == "0.315"
    assert shown.settings["mean removed"] == "no"
    assert shown.measured["FVU measured on"] == "held-out text"
    assert shown.settings["tokens asked for"] == f"{said['config']['tokens']:,}"
    assert shown.measured["tokens read"] == f"{said['stats']['tokens']:,}"
    assert shown.measured["relative error, held-out text"] == f"{said['stats']['relative_error']:.4g}"
    assert shown.measured["relative error, training text"] == f"{said['stats']['mean_relative_error']:.4g}"
    assert not {"mean relative error", "relative error", "tokens"} & {*shown.measured, *shown.settings}


def test_what_has_no_value_is_not_shown(tmp_path: Path) -> None:
    file = Path(shutil.copy(BUNDLED / "demo-0-L3" / "dictionary.json", tmp_path))
    said = json.loads(file.read_text())
    said["config"]["threshold"] = None
    said["stats"] |= {"norm_median": 12.5, "stages": []}
    file.write_text(json.dumps(said))
    shown = description(tmp_path)
    assert said["spec"]["revision"] is None
    assert "revision" not in shown.origin
    assert "threshold" not in shown.settings
    assert "stages" not in shown.measured
    assert shown.measured["median norm"] == "12.5"


def test_a_stage_without_a_threshold_names_none() -> None:
    shown = description(BUNDLED / "demo-0-L3-consensus")
    assert shown.measured["stages"] == "200,000 tokens: 1,024 atoms"
    assert next(iter(shown.measured)) == "FVU"
    assert "—" not in "".join(word for part in shown for word in part.values())


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
        origin = description(folder).origin
        shown.append(origin["weights fingerprint"])
        assert origin["corpus fingerprint"] == said["spec"]["corpus_fingerprint"][:12]
    assert shown == [f"0123456789ab+{config}" for config in configs]
