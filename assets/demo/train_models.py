"""Trains the five bundled language models: one architecture, one text, five seeds.

    python assets/demo/train_models.py --english FILE [FILE ...] --work DIR [--seeds 0 1 2 3 4]
    python assets/demo/train_models.py --english FILE [FILE ...] --work DIR --seeds 0 --checkpoints 8 --into DIR

The text is the generator's passages (itda_core.text.passages, seed 1; the bundled corpus is seed 0, so no model has
seen a passage its dictionaries are built on) mixed with real English: the plain-text files given by --english (the
bundled models used WikiText-2's validation text and Tiny Shakespeare) and the documentation that comes with the Python
interpreter. None of the real English is kept in the repository.

Deterministic for a given processor and torch version (one thread; seeds can be trained side by side in processes of
their own). Resumable: started again with the same --work after an interruption, it goes on from the last checkpoint.
Progress goes to stderr. Models land in assets/demo/models as
ordinary Hugging Face folders, weights in float16; assets/demo/models/training.json tells their losses.

With --checkpoints the bundled models are left as they are: the training is gone through again, and the model as it
stands at so many steps on the way (see `checkpoint_steps`) is written into --into as a folder like theirs, with a
checkpoints.json that says when each was and what its loss is. build_dictionaries.py grows dictionaries of them.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import json
import math
import os
import platform
import re
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from itda_core.files import new_folder, read_json, write_json
from itda_core.text.passages import passages

MODELS = 5
VOCABULARY = 4000
BOS = "<|endoftext|>"
ROW = 256  # tokens of a training row, and the models' context
ROWS_PER_STEP = 8
PASSAGES = 34_000
REPEATS = {"wikitext2_valid": 2}  # the only modern prose among the real English, and the smallest
HELD_OUT = 0.04  # of every source
PEAK_RATE_MATRICES = 1e-2
PEAK_RATE_OTHERS = 1.5e-2
WARM_UP = 0.03
CHECKPOINT_EVERY = 50
TARGET = Path(__file__).parent / "models"
WEIGHTS = "model.safetensors"


def english_documents(files: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """(source, document) of the real English: paragraphs joined to about a row's length."""
    for file in files:
        text = file.read_text(encoding="utf-8")
        paragraphs = re.split(r"\n\s*\n", _readable(text) if "<unk>" in text or " @-@ " in text else text)
        yield from ((file.stem, document) for document in _joined(paragraphs))
    yield from (("python documentation", document) for document in _joined(_python_documentation()))


def _readable(wikitext: str) -> str:
    """WikiText without its tokenisation marks. A blanked-out word is dropped, a sentence with several of them too."""
    lines = []
    for line in wikitext.split("\n"):
        line = " . ".join(sentence for sentence in line.strip().split(" . ") if sentence.count("<unk>") < 2)
        line = line.replace("<unk> ", "")
        line = re.sub(r" @(.)@ ", r"\1", line)
        line = re.sub(r" ([,.;:!?)\]'’%])", r"\1", line)
        line = re.sub(r"([(\[$£]) ", r"\1", line)
        line = re.sub(r'" ([^"]*?) "', r'"\1"', line)
        line = line.replace(" n't", "n't").replace(" – ", "–").strip("= ")
        lines.append(line)
    return "\n\n".join(line for line in lines if line)


def _python_documentation() -> Iterator[str]:
    """Paragraphs of the language reference's topics and of the standard library's docstrings."""
    from pydoc_data.topics import topics

    for name in sorted(topics):
        yield from topics[name].split("\n\n")
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8", errors="replace"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield ast.get_docstring(node) or ""


def _joined(paragraphs: Iterable[str], characters: int = 700) -> Iterator[str]:
    """Paragraphs of at least a few words, joined until a document has about `characters`, to fill rows well."""
    document = ""
    for paragraph in paragraphs:
        if len(paragraph) < 30:
            continue
        document = f"{document}\n\n{paragraph.strip()}" if document else paragraph.strip()
        if len(document) >= characters:
            yield document
            document = ""
    if document:
        yield document


def make_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE: every input can be represented. A text starts with BOS, so that attention has a place to rest."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[BOS],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=BOS, pad_token=BOS, model_max_length=ROW
    )


def rows(tokenizer: PreTrainedTokenizerFast, documents: list[str]) -> np.ndarray:
    """(n_rows, ROW) uint16: documents one after another, each after a BOS; every row starts at a document's start."""
    bos = tokenizer.bos_token_id
    packed, row = [], []
    for ids in tokenizer(documents, add_special_tokens=False)["input_ids"]:
        while ids:
            row += [bos, *ids]
            ids = []
            if len(row) >= ROW:
                packed.append(row[:ROW])
                row = row[ROW:]
                # What is left of a document is kept when it is long enough to be worth a row's start.
                if len(row) >= 64:
                    ids = row
                row = []
    return np.array(packed, dtype=np.uint16)


def prepare(english: list[Path], work: Path) -> dict:
    """The tokenizer and the packed rows of every source, made once and kept in `work`."""
    if (work / "texts.json").exists():
        return read_json(work / "texts.json")
    sources: dict[str, list[str]] = {}
    for source, document in english_documents(english):
        sources.setdefault(source, []).append(document)
    sources["passages"] = [passage.text for passage in passages(PASSAGES, seed=1)]
    split: dict[str, tuple[list[str], list[str]]] = {}
    for source, documents in sources.items():
        order = np.random.default_rng(0).permutation(len(documents))
        held_out = set(order[: max(8, int(HELD_OUT * len(documents)))].tolist())
        split[source] = (
            [d for i, d in enumerate(documents) if i not in held_out],
            [d for i, d in enumerate(documents) if i in held_out],
        )
    tokenizer = make_tokenizer(d for train, _ in split.values() for d in train)
    tokenizer.save_pretrained(work / "tokenizer")
    _tidy(work / "tokenizer")
    about = {}
    for source, (train, held_out) in split.items():
        train_rows, held_out_rows = rows(tokenizer, train), rows(tokenizer, held_out)
        np.save(work / f"{source}.train.npy", train_rows)
        np.save(work / f"{source}.held_out.npy", held_out_rows)
        about[source] = {
            "sha256": hashlib.sha256("\0".join(sources[source]).encode()).hexdigest(),
            "train_tokens": int(train_rows.size),
            "held_out_tokens": int(held_out_rows.size),
        }
    write_json(work / "texts.json", about)
    return about


def _tidy(folder: Path) -> None:
    """Without white space the five copies are a third smaller; the old class name is known to every transformers."""
    tokenizer, settings = folder / "tokenizer.json", folder / "tokenizer_config.json"
    tokenizer.write_text(json.dumps(read_json(tokenizer), ensure_ascii=False, separators=(",", ":")))
    write_json(settings, read_json(settings) | {"tokenizer_class": "PreTrainedTokenizerFast"})


def training_rows(work: Path, sources: list[str]) -> np.ndarray:
    """(n_rows, ROW) uint16: all that a model is trained on, in the sources' order."""
    return np.concatenate(
        [np.load(work / f"{source}.train.npy") for source in sources for _ in range(REPEATS.get(source, 1))]
    )


def checkpoint_steps(steps: int, count: int) -> list[int]:
    """`count` steps of a training of `steps`, ascending, the last its end: every halving of it (1/2, 1/4, ...), because
    early layers settle within the first hundredths, and 3/4, because the last half is long.
    """
    halvings = [steps >> n for n in range(count - 1 if count > 2 else count)]
    return sorted({*halvings, *([3 * steps // 4] if count > 2 else [])} - {0})


def train_model(
    seed: int,
    work: Path,
    sources: list[str],
    visit: Callable[[GPT2LMHeadModel, int], None] = lambda model, step: None,
    visited: Collection[int] = (),
) -> tuple[GPT2LMHeadModel, float]:
    """One pass over all rows in an order of the seed's own. Returns the model and the seconds this call took.

    After each of the steps `visited` (1 for the first), `visit` gets a copy of the model and the step.
    """
    train = training_rows(work, sources)
    order = np.random.default_rng(seed).permutation(len(train))
    steps = len(train) // ROWS_PER_STEP
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(architecture())
    # Muon for the blocks' matrices: after 360,000 tokens its loss was 4.8 where AdamW's was 5.5.
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and ".h." in name]
    others = [p for name, p in model.named_parameters() if not (p.ndim == 2 and ".h." in name)]
    optimizers = [
        torch.optim.Muon(matrices, lr=PEAK_RATE_MATRICES, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=PEAK_RATE_OTHERS, weight_decay=0.0, betas=(0.9, 0.95), fused=True),
    ]
    peaks = (PEAK_RATE_MATRICES, PEAK_RATE_OTHERS)
    first = _load_checkpoint(work / f"checkpoint-{seed}", model, optimizers)
    model.train()
    started = time.monotonic()
    for step in range(first, steps):
        if step % CHECKPOINT_EVERY == 0 and step > first:
            _save_checkpoint(work / f"checkpoint-{seed}", model, optimizers, step)
        warm = min(1.0, (step + 1) / (WARM_UP * steps))
        schedule = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * schedule
        batch = torch.from_numpy(train[order[step * ROWS_PER_STEP : (step + 1) * ROWS_PER_STEP]].astype(np.int64))
        loss = next_token_loss(model, batch).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if step + 1 in visited:
            visit(copy.deepcopy(model).eval(), step + 1)
        if step % 20 == 0 or step == steps - 1:
            speed = (step + 1 - first) * ROWS_PER_STEP * ROW / (time.monotonic() - started)
            print(
                f"demo-{seed} step {step}/{steps} loss {loss.item():.3f} {speed:,.0f} tokens/s",
                file=sys.stderr,
                flush=True,
            )
    return model.eval(), time.monotonic() - started


def architecture() -> GPT2Config:
    return GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=ROW,
        n_embd=128,
        n_layer=6,
        n_head=4,
        n_inner=256,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )


def next_token_loss(model: GPT2LMHeadModel, batch: torch.Tensor) -> torch.Tensor:
    """Cross-entropy in nats of every token that is not a BOS. batch: (n_rows, ROW)."""
    logits = model(input_ids=batch[:, :-1], use_cache=False).logits
    wanted = batch[:, 1:]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    return losses[wanted.flatten() != 0]


def _save_checkpoint(folder: Path, model: GPT2LMHeadModel, optimizers: list[torch.optim.Optimizer], step: int) -> None:
    tensors = {f"model.{name}": p.detach().contiguous() for name, p in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{name}": value.contiguous() for name, value in state.items()}
    tensors["step"] = torch.tensor(step)
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "next.safetensors")
    os.replace(folder / "next.safetensors", folder / "state.safetensors")


def _load_checkpoint(folder: Path, model: GPT2LMHeadModel, optimizers: list[torch.optim.Optimizer]) -> int:
    path = folder / "state.safetensors"
    if not path.exists():
        return 0
    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
    for number, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(f"optimizer.{number}."):
                _, _, index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(tensors["step"])


@torch.no_grad()
def held_out_losses(model: GPT2LMHeadModel, work: Path, sources: list[str]) -> dict[str, dict[str, float]]:
    """Per source and for all together: loss, unigram entropy of the same tokens, and how far the loss is below it."""
    losses: dict[str, torch.Tensor] = {}
    tokens: dict[str, np.ndarray] = {}
    for source in sources:
        held_out = np.load(work / f"{source}.held_out.npy").astype(np.int64)
        batches = [torch.from_numpy(held_out[i : i + 16]) for i in range(0, len(held_out), 16)]
        losses[source] = torch.cat([next_token_loss(model, batch) for batch in batches])
        wanted = held_out[:, 1:].ravel()
        tokens[source] = wanted[wanted != 0]
    losses["all"] = torch.cat(list(losses.values()))
    tokens["all"] = np.concatenate(list(tokens.values()))
    report = {}
    for source, values in losses.items():
        counts = np.bincount(tokens[source]).astype(float)
        shares = counts[counts > 0] / counts.sum()
        entropy = float(-(shares * np.log(shares)).sum())
        loss = values.mean().item()
        report[source] = {"loss": loss, "unigram_entropy": entropy, "below": 1 - loss / entropy, "tokens": len(values)}
    return report


def save_model(model: GPT2LMHeadModel, work: Path, folder: Path) -> None:
    """As an ordinary Hugging Face folder, weights in float16."""
    with new_folder(folder) as partial:
        model.half().save_pretrained(partial)
        for file in (work / "tokenizer").iterdir():
            shutil.copy(file, partial / file.name)


def keep_checkpoints(seed: int, count: int, work: Path, sources: list[str], into: Path) -> None:
    """Train the model of `seed` again and write it into `into` as it stands at `count` steps of the way.

    Says on stderr whether the last checkpoint's weights are
    the bundled model's.
    """
    steps = checkpoint_steps(len(training_rows(work, sources)) // ROWS_PER_STEP, count)

    def keep(model: GPT2LMHeadModel, step: int) -> None:
        folder = into / f"step-{step}"
        if folder.exists():
            return
        model.half().float()
        loss = held_out_losses(model, work, sources)["all"]["loss"]
        save_model(model, work, folder)
        write_json(
            into / f"step-{step}.json", {"step": step, "tokens": step * ROWS_PER_STEP * ROW, "held_out_loss": loss}
        )
        print(f"demo-{seed} checkpoint {step}: held-out loss {loss:.3f}", file=sys.stderr, flush=True)

    into.mkdir(parents=True, exist_ok=True)
    train_model(seed, work, sources, keep, steps)
    kept = [read_json(into / f"step-{step}.json") for step in steps]
    write_json(into / "checkpoints.json", {"model": f"demo:{seed}", "checkpoints": kept})
    same = load_file(TARGET / f"demo-{seed}" / WEIGHTS), load_file(into / f"step-{steps[-1]}" / WEIGHTS)
    equal = same[0].keys() == same[1].keys() and all(torch.equal(same[0][name], same[1][name]) for name in same[0])
    print(f"demo-{seed}: the last checkpoint {'is' if equal else 'is not'} the bundled model", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--english", nargs="+", type=Path, required=True, help="plain-text files of real English")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and packed text")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(MODELS)), help="the models to train now")
    parser.add_argument("--checkpoints", type=int, metavar="N", help="keep the model at so many steps; needs --into")
    parser.add_argument("--into", type=Path, metavar="DIR", help="folder for the checkpoints of one seed")
    options = parser.parse_args()
    if options.checkpoints is not None and (options.into is None or len(options.seeds) != 1 or options.checkpoints < 1):
        parser.error("--checkpoints N (at least 1) needs --into DIR and one seed, for example --seeds 0")
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # sums depend on the number of threads; train several seeds side by side instead
    torch.use_deterministic_algorithms(True)
    texts = prepare(options.english, options.work)
    sources = sorted(texts)
    print(json.dumps(texts, indent=2), file=sys.stderr)
    if options.checkpoints is not None:
        keep_checkpoints(options.seeds[0], options.checkpoints, options.work, sources, options.into)
        return
    for seed in options.seeds:
        folder, figures = TARGET / f"demo-{seed}", options.work / f"figures-{seed}.json"
        if figures.exists() and folder.exists():
            continue
        model, seconds = train_model(seed, options.work, sources)
        model.half().float()  # what is measured is what is shipped: the float16 weights
        report = held_out_losses(model, options.work, sources)
        print(f"demo-{seed}: {report['all']}", file=sys.stderr, flush=True)
        if folder.exists():
            shutil.rmtree(folder)
        save_model(model, options.work, folder)
        write_json(figures, {"seed": seed, "seconds": seconds, "held_out": report})
    figures = [options.work / f"figures-{seed}.json" for seed in range(MODELS)]
    if not all(path.exists() for path in figures):
        return
    write_json(
        TARGET / "training.json",
        {
            "texts": texts,
            "models": [read_json(path) for path in figures],
            "recipe": {"rows_per_step": ROWS_PER_STEP, "peak_rates": [PEAK_RATE_MATRICES, PEAK_RATE_OTHERS]},
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        },
    )


if __name__ == "__main__":
    main()
