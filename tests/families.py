"""Every family that transformers can build small, through the whole product: `python -m tests.families`.

For each model type that transformers has a config for: a small model with random weights is saved, loaded here, read in
one batch of four uneven texts, and held against plain transformers, one text at a time; then a small dictionary is
trained on it and verified. Each family has a process of its own with a limit of time and memory. Results are kept in
--results as they come, so that an interrupted run goes on; the table is written to --table at the end.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes are forked: no pool of threads may be there before
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

NEAR = 1e-4  # of an activation's norm: what is further apart is another activation
TABLE = Path(__file__).resolve().parents[1] / "assets" / "docs" / "model-families.md"
MEMORY = 8 * 2**30  # bytes of address space, which torch takes more of than it uses
_CONTEXT = 24
_TEXTS = [
    "The king of torsen, 42.",
    "Ba deki lo mura sentor vi zan? Theing er the ba. " * 2,
    "Zan!",
    "Mu ra ki the er ba lo de, vi sen tor zan.",
]
EQUAL, REFUSED, DIFFERS, FAILS, NO_TEXT, NOT_SMALL = "equal", "refused", "differs", "fails", "no text", "not small"
NO_CLASS = "transformers has no model class that is made from this config alone"


class Outcome(NamedTuple):
    """What became of one family."""

    family: str
    outcome: str  # one of the words above
    said: str  # in a sentence
    seconds: float = 0.0


def outcome(family: str, folder: Path) -> Outcome:
    """Try one family, in this process. folder: an empty one to work in."""
    from itda_core.errors import UserError
    from tests.models.small import NotSmall, loader_of, reads_text, small_model

    tokenizer = _tokenizer(family)
    if loader_of(family) is None:
        return Outcome(family, NOT_SMALL, NO_CLASS)
    try:
        made = small_model(family, len(tokenizer))
    except NotSmall as error:
        return Outcome(family, NOT_SMALL, str(error))
    if not reads_text(made):
        return Outcome(family, NO_TEXT, "reads no token ids")
    try:
        made.save_pretrained(folder)
    except Exception as error:
        return Outcome(family, NOT_SMALL, f"transformers cannot save it ({_short(error)})")
    tokenizer.save_pretrained(folder)
    try:
        return _compared(family, folder)
    except UserError as error:
        return Outcome(family, REFUSED, str(error).replace(str(folder), family))


def _compared(family: str, folder: Path) -> Outcome:
    import torch

    from itda_core.models import ModelSpec, load_model
    from itda_core.text import Document, windows

    model = load_model(ModelSpec(str(folder), device="cpu", dtype="float32"))
    layers = range(model.n_layers)
    sites = [model.site("resid_post", layer) for layer in layers]
    documents = [Document(f"d{i}", text) for i, text in enumerate(_TEXTS)]
    cuts = list(windows(documents, model.tokenizer, context=min(_CONTEXT, model.context)))
    cuts = sorted(cuts, key=len)[:: max(1, len(cuts) // 4)][:4]
    got = next(model.stream(cuts, sites, windows_per_batch=4, include_special=True)).activations
    expected = _plain(folder, [window.token_ids for window in cuts], model.blocks.path, len(layers))
    if isinstance(expected, str):
        return Outcome(family, NOT_SMALL, f"plain transformers cannot run it ({expected})")
    worst = 0.0
    for site, theirs in zip(sites, expected, strict=True):
        if got[site].shape != theirs.shape:
            said = f"layer {site.layer} has shape {tuple(got[site].shape)}, in transformers {tuple(theirs.shape)}"
            return Outcome(family, DIFFERS, said)
        apart = (got[site] - theirs).norm(dim=-1) / theirs.norm(dim=-1).clamp(min=1e-12)
        worst = max(worst, float(apart.nan_to_num(nan=float("inf")).max()))
    if worst > NEAR:
        return Outcome(family, DIFFERS, f"a batch is off by {worst:.2g} of an activation's norm")
    verified = _trained(model, torch)
    return Outcome(family, EQUAL if verified is None else FAILS, verified or f"to {worst:.1g} of the norm")


def _plain(folder: Path, texts: Sequence[Sequence[int]], path: str, n_layers: int) -> list[Any] | str:
    """Of each layer (all tokens, width), by transformers alone, one text at a time; or why it cannot.

    By hidden_states where the family has them, which begin with the embeddings or with the first block's output; the
    last block's output, which is normalised there, and all of other families by a plain hook on the block.
    """
    import torch
    import transformers as hf

    from tests.models.small import loader_of

    config = hf.AutoConfig.from_pretrained(folder)
    auto: Any = getattr(hf, loader_of(config.model_type) or "AutoModel")
    theirs = auto.from_pretrained(folder, dtype=torch.float32).eval()
    options: dict[str, Any] = {"output_hidden_states": True}
    if "use_cache" in inspect.signature(theirs.forward).parameters:
        options["use_cache"] = False
    rows: list[list[Any]] = [[] for _ in range(n_layers)]
    for ids in texts:
        seen: dict[int, Any] = {}
        handles = []
        for layer in range(n_layers):

            def keep(_: Any, __: Any, output: Any, layer: int = layer, seen: dict[int, Any] = seen) -> None:
                seen[layer] = output[0] if isinstance(output, (tuple, list)) else output

            handles.append(theirs.get_submodule(f"{path}.{layer}").register_forward_hook(keep))
        row = torch.tensor([list(ids)])
        try:
            with torch.no_grad():
                output = theirs(input_ids=row, attention_mask=torch.ones_like(row), **options)
        except Exception as error:
            return _short(error)
        finally:
            for handle in handles:
                handle.remove()
        states = getattr(output, "hidden_states", None)
        for layer in range(n_layers):
            x = seen[layer]
            if states is not None and len(states) > n_layers - 1 > layer:
                x = next((state for state in states[layer : layer + 2] if _equal(state, x)), states[layer + 1])
            x = x.reshape(1, -1, x.shape[-1])[0, : len(ids)]
            rows[layer].append(x.float())
    return [torch.cat(row) for row in rows]


def _equal(state: Any, output: Any) -> bool:
    """Whether a hidden state is a block's output, what the block fills up at its end left out."""
    import torch

    state, output = (x.reshape(1, -1, x.shape[-1]) for x in (state, output))
    return state.shape[-1] == output.shape[-1] and torch.equal(state, output[:, : state.shape[1]])


def _trained(model: Any, torch: Any) -> str | None:
    """Train a small dictionary and verify it; what is wrong with it, None if nothing is."""
    from itda_core import Corpus, TrainConfig, train
    from itda_core.runs.verify import verify
    from itda_core.text import Document

    corpus = Corpus.from_documents("four texts", [Document(f"d{i}", text) for i, text in enumerate(_TEXTS)])
    config = TrainConfig(k=4, tokens=40, context=min(_CONTEXT, model.context))
    *_, last = train(model, corpus, [model.n_layers - 1], config)
    (dictionary,) = last.dictionaries
    assert torch.isfinite(dictionary.atoms).all()
    checked = verify(dictionary, model, corpus)
    if checked.wrong:
        return f"{len(checked.wrong)} of {len(checked.checks)} labels do not verify (worst {checked.worst_cosine})"
    return None


def _tokenizer(family: str) -> Any:
    from transformers.models.auto import modeling_auto as auto

    return _made_tokenizer(encoder=family in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES)


@cache
def _made_tokenizer(*, encoder: bool) -> Any:
    from tests.conftest import byte_level, word_piece

    return word_piece() if encoder else byte_level("llama")


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def _process(family: str, said: Any) -> None:
    """One family in a forked process; what it prints is nobody's."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["ITDA_HOME"] = f"{folder}/home"
            (Path(folder) / "model").mkdir()
            result = outcome(family, Path(folder) / "model")
    except BaseException as error:
        result = Outcome(family, FAILS, _short(error))
    said.send(result)
    said.close()


def _load_what_all_need() -> None:
    """Before processes are forked, so that none of them does it again: modules, and the two tokenizers."""
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for name in (
        "accelerate",
        "pandas",
        "pyarrow.parquet",
        "transformers.conversion_mapping",
        "transformers.generation",
        "transformers.modeling_utils",
        "transformers.models.auto.modeling_auto",
        "itda_core.analysis.decompose",
        "itda_core.dictionaries.growing.training",
        "itda_core.models.loading",
        "itda_core.pursuit.encoding",
        "itda_core.runs.verify",
        "tests.conftest",
    ):
        importlib.import_module(name)
    for family in ("bert", "gpt2"):
        _tokenizer(family)


def _watched(family: str, seconds: float) -> Outcome:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_process, args=(family, theirs))
    began = time.monotonic()
    process.start()
    theirs.close()
    try:
        result = ours.recv() if ours.poll(seconds) else Outcome(family, FAILS, f"not done after {seconds:g} s")
    except EOFError:
        process.join()
        result = Outcome(family, FAILS, f"its process ended with {process.exitcode}")
    if process.is_alive():
        process.join(1)
    if process.is_alive():
        process.kill()
    process.join()
    return result._replace(seconds=round(time.monotonic() - began, 1))


def table(results: Sequence[Outcome], n_families: int) -> str:
    """The page for people, one row a family; n_families: how many there are, of which `results` are those tried."""
    import transformers

    count = {word: sum(one.outcome == word for one in results) for word in (EQUAL, REFUSED, DIFFERS, FAILS)}
    lines = [
        "# Which families of models can be read",
        "",
        f"{len(results)} of the {n_families} model types of transformers {transformers.__version__}, built small with "
        "random weights, saved, loaded, read in a batch of four uneven texts, and held against plain transformers run "
        "on one text at a time; then a small dictionary was trained on it and its labels verified. "
        "`python -m tests.families` makes this page.",
        "",
        f"- **equal** ({count[EQUAL]}): every layer's residual stream equals transformers' to {NEAR:g} of its norm, "
        "and all labels of the dictionary verify;",
        f"- **refused** ({count[REFUSED]}): not read, with the sentence that a user sees;",
    ]
    if count[DIFFERS] + count[FAILS]:
        lines.append(f"- **differs**, **fails** ({count[DIFFERS] + count[FAILS]}): a fault, or chance in the model.")
    lines += ["", "| family | outcome | |", "|---|---|---|"]
    rows = [one for one in sorted(results) if one.outcome not in (NO_TEXT, NOT_SMALL)]
    lines += [f"| `{one.family}` | {one.outcome} | {one.said.replace('|', '/')} |" for one in rows]
    no_text = [f"`{one.family}`" for one in sorted(results) if one.outcome == NO_TEXT]
    lines += ["", "Models of images or sound, which read no token ids: " + ", ".join(no_text) + "."]
    parts = [f"`{one.family}`" for one in sorted(results) if one.said == NO_CLASS]
    lines += ["", "Configs of parts of other models, of which no model is made: " + ", ".join(parts) + "."]
    unknown = [one for one in sorted(results) if one.outcome == NOT_SMALL and one.said != NO_CLASS]
    lines += ["", "Not built small here, so nothing is known of them:", ""]
    lines += [f"- `{one.family}`: {one.said}" for one in unknown]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help="only these model types")
    parser.add_argument("--seconds", type=float, default=90, help="that one family may take")
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "itda-families.jsonl")
    parser.add_argument("--again", action="store_true", help="do not go on from earlier results")
    parser.add_argument("--table", type=Path, default=TABLE)
    given = parser.parse_args()
    _load_what_all_need()
    from tests.models.small import families

    wanted = given.families or families()
    done: dict[str, Outcome] = {}
    if given.results.exists() and not given.again:
        done = {one[0]: Outcome(*one) for one in map(json.loads, given.results.read_text().splitlines())}
    with given.results.open("w" if given.again else "a") as kept:
        for family in wanted:
            if family not in done or given.families:
                done[family] = _watched(family, given.seconds)
                print(*done[family], flush=True)
                kept.write(json.dumps(done[family]) + "\n")
                kept.flush()
    if not given.families:
        given.table.parent.mkdir(parents=True, exist_ok=True)
        given.table.write_text(table([done[family] for family in wanted], len(wanted)))
    faults = [done[family] for family in wanted if done[family].outcome in (DIFFERS, FAILS)]
    print(f"{len(wanted)} families, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
