"""How well attribution predicts what really removing an atom does: the table in assets/docs/interventions.md.

    python assets/demo/attribution_table.py

For each layer of demo:0, 50 held-out passages (the text that follows those its dictionaries were built from), cut after
160 characters: the next token that the model finds likeliest, its logit attributed to atoms, and the 20 strongest that
have an effect removed one by one. The rank correlation is Spearman's, of predicted and measured change; each way of
attributing has its own twenty. It takes about ten minutes on two cores.
"""

from __future__ import annotations

import statistics
from itertools import islice

from itda_core.analysis.interventions.attribute import LayerAttribution, attribute
from itda_core.dictionaries import AtomDictionary
from itda_core.models import load_model
from itda_core.runs.library import Library
from itda_core.text.passages import passages

N_PROMPTS, FIRST, CHARACTERS = 50, 20_000, 160
STEPS = 16
WAYS = {
    "logit": ("logit", 0),
    f"logit, path of {STEPS} steps": ("logit", STEPS),
    "log probability": ("log-probability", 0),
    "log probability, path": ("log-probability", STEPS),
}


def main() -> None:
    """Prints one row per layer."""
    model = load_model("demo:0")
    prompts = [passage.text[:CHARACTERS] for passage in islice(passages(FIRST + N_PROMPTS), FIRST, None)]
    columns = ("layer", "removed", *WAYS, "share of effects of atoms")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for layer in range(model.n_layers):
        dictionary = AtomDictionary.load(Library().find(f"demo-0-L{layer}-consensus"))
        found: dict[str, list[LayerAttribution]] = {
            name: [attribute(model, dictionary, prompt, kind=kind, integrated=steps).layers[0] for prompt in prompts]
            for name, (kind, steps) in WAYS.items()
        }
        removed = statistics.median(len(one.checked) for one in found["logit"])
        explained = statistics.median(one.explained for one in found["logit"])
        cells = [str(layer), f"{removed:.0f}", *map(_ranks, found.values()), f"{explained:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def _ranks(found: list[LayerAttribution]) -> str:
    """The median over prompts, and the quartiles."""
    ranks = [one.rank_correlation for one in found if one.rank_correlation is not None]
    low, middle, high = statistics.quantiles(ranks, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
