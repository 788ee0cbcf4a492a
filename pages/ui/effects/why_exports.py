"""What of "Why the next token" can be taken along: JSON, a page that opens without network, the same in a terminal."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from itda_core.figures.attribution_page import attribution_page
from itda_core.files.without_paths import without_paths
from itda_core.files.writing import finite
from itda_core.runs.library import LibraryEntry
from pages.ui.frame import engine, shell
from pages.ui.frame.effects_engine import Asked, Pursued

if TYPE_CHECKING:
    from itda_core.analysis.interventions.attribute import Attribution


def command(found: Attribution, how: Pursued, asked: Asked) -> str:
    """The same attribution as a line for a terminal."""
    words = ["itda", "attribute", *(layer.dictionary for layer in found.layers)]
    words += ["--prompt", found.prompt, "--token", str(found.token), "--k", str(how.k), "--method", how.method]
    words += ["--non-negative"] if how.non_negative else []
    for name, given in (("--target", asked.target), ("--against", asked.against)):
        words += [name, given] if given else []
    words += [] if found.kind == "logit" else ["--kind", found.kind]
    words += ["--integrated", str(found.integrated)] if found.integrated else []
    return shlex.join(words)


def files(
    key: engine.DictionaryKey, found: Attribution, own: int, entry: LibraryEntry, how: Pursued, asked: Asked
) -> shell.Files:
    """own: which layer of `found` is that of `entry`, the dictionary that is shown."""
    stem = f"{entry.name}-why-token-{found.token}"
    told = replace(found, model=without_paths(found.model))  # a model may be a folder of this machine
    line = command(found, how, asked)

    def as_json() -> str:
        about = {"command": line, "identity": entry.identity}
        return json.dumps(finite({**about, **told.to_dict()}), indent=2, ensure_ascii=False)

    def page() -> str:
        dictionary = engine.dictionary(key)
        labels = {part.atom: dictionary.label(part.atom) for part in found.layers[own].parts}
        return attribution_page(told, labels, own=own, command=line)

    return {
        "Why the next token, JSON": (f"{stem}.json", "application/json", as_json),
        "Why the next token, web page": (f"{stem}.html", "text/html", page),
    }
