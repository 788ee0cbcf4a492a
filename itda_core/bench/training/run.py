"""Every way to build a dictionary, on the same activations in memory, in one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from itda_core.bench.surroundings import Surroundings
from itda_core.bench.timing import timed
from itda_core.bench.training import topk_sae
from itda_core.bench.training.harvest import Harvest, harvest
from itda_core.bench.training.missed import ENCODER, Missed, missed, missed_by
from itda_core.bench.training.ours import equivalent_threshold, grown, random_draw, reaching_config
from itda_core.bench.training.plan import METHODS, PAPER_WINDOWS, TrainingPlan
from itda_core.bench.training.results import SLACK, BuiltCase, SizesAtThreshold, TrainingBench
from itda_core.bench.training.textbook import Grown, batch_by_batch, one_at_a_time
from itda_core.dictionaries.growing.paper import PaperSelection
from itda_core.dictionaries.selections import TABLE, Selection
from itda_core.dictionaries.threshold import RELATIVE_ERROR
from itda_core.models import ModelSpec, load_model

Step = Callable[[str], None]
MOST_OF = 0.75  # of the tokens: a dictionary that is full before that has seen less text than the others
LONG = 60.0  # seconds of runs of one case, after which it is not repeated
SAME = 1e-5  # by how much the cosine of two atoms may fall short of 1 where they are the same


def bench_training(plan: TrainingPlan, on_step: Step = lambda _: None) -> TrainingBench:
    """Build the plan's dictionaries in every way there is, and measure them; `on_step` gets what is being done.

    Raises UserError for a model, corpus or size that does not work.
    """
    on_step("loading the model")
    model = load_model(
        ModelSpec(plan.model, plan.revision, plan.device, plan.dtype, plan.offline, plan.trust_remote_code)
    )
    on_step("reading")
    read = harvest(model, plan)
    del model
    bench = _Bench(plan, read, on_step)
    cases = bench.cases()
    return TrainingBench(
        plan=plan,
        machine=Surroundings.of(read.all.device.type),
        corpus=read.corpus.id,
        read=len(read.all),
        cases=tuple(cases),
        sizes=bench.sizes(),
        notes=(f"{read.sinks} attention sinks were left out, for everyone.",) if read.sinks else (),
    )


class _Bench:
    """One run: everything is built from `read.training` and measured on `read.held`."""

    def __init__(self, plan: TrainingPlan, read: Harvest, on_step: Step) -> None:
        self._plan, self._read, self._on_step = plan, read, on_step
        self._d_model, self._device = read.all.shape[1], read.all.device.type

    def cases(self) -> list[BuiltCase]:
        found = [
            self._random("random", "tokens drawn at random", centre=False),
            self._random("random_centred", "the same, mean removed", centre=True),
        ]
        x, plan = self._read.training, self._plan
        batches = self._read.batches(x)
        found += self._by_threshold(
            "sequential",
            "",
            "one at a time",
            lambda threshold: one_at_a_time(x, plan.k, threshold, plan.atoms),
        )
        found += self._by_threshold(
            "paper",
            "_paper",
            "the published code's rule, batch by batch",
            lambda threshold: batch_by_batch(batches, plan.k, threshold, plan.atoms),
        )
        found += [self._of_wanted_size(selection) for selection in TABLE if selection.sized]
        return found + self._saes()

    def sizes(self) -> SizesAtThreshold:
        """What both threshold rules take of the first `counted` tokens."""
        plan, x = self._plan, self._read.all[: self._plan.counted]
        self._on_step(f"sequential at threshold {RELATIVE_ERROR}")
        config = plan.config("sequential", atoms=None, tokens=len(x), threshold=RELATIVE_ERROR)
        sequential = len(grown(self._read, config).atoms)
        threshold = equivalent_threshold("paper", RELATIVE_ERROR, self._d_model)
        by_windows = {}
        for windows in PAPER_WINDOWS:
            self._on_step(f"paper at threshold {RELATIVE_ERROR}, batches of {windows} windows")
            rule = PaperSelection(
                plan.config("paper", atoms=None, threshold=threshold), self._d_model, torch.device(self._device)
            )
            for batch in self._read.batches(x, windows):
                rule.judge(batch)
            by_windows[windows] = len(rule)
        return SizesAtThreshold(RELATIVE_ERROR, threshold, plan.k, len(x), sequential, by_windows)

    def _random(self, name: str, what: str, *, centre: bool) -> BuiltCase:
        x, plan = self._read.training, self._plan
        self._on_step(name)
        seconds, drawn = self._timed(lambda: random_draw(x, plan.atoms, centre=centre, seed=plan.seed))
        return self._case(name, what, drawn, seconds)

    def _by_threshold(
        self, selection: str, suffix: str, what: str, textbook: Callable[[float], Grown]
    ) -> list[BuiltCase]:
        """Ours and the textbook's dictionary by one rule, at the threshold that makes it end with the wanted size."""
        self._on_step(f"threshold of {selection}")
        config, reached = reaching_config(self._read, self._plan.config(selection))
        assert config.threshold is not None, "it was just chosen"
        threshold = config.threshold
        self._on_step(f"ours {selection}")
        seconds, own = self._timed(lambda: grown(self._read, config))
        self._on_step(f"textbook {selection}")
        textbook_seconds, theirs = timed(lambda: textbook(threshold), self._device)
        ours = self._case(f"ours{suffix}", f"{selection}: {what}", own, seconds)
        written = self._case(f"textbook{suffix}", f"the same in plain torch, {what}", theirs, textbook_seconds)
        at = (self._plan.k, METHODS[-1], len(self._read.held))
        own_fvu, their_fvu = ours.fvu(*at), written.fvu(*at)
        as_good = own_fvu is not None and their_fvu is not None and own_fvu <= their_fvu + SLACK
        notes = [] if as_good else ["It misses more than the textbook's, so no speedup is claimed."]
        if own.tokens < MOST_OF * len(self._read.training):
            notes.append(
                f"It is full after {own.tokens:,} of {len(self._read.training):,} tokens, and no threshold was found "
                "that fills it closer to their end, so it is compared with dictionaries that saw more text."
            )
        ours = replace(
            ours,
            threshold=threshold,
            trials=reached.trials,
            textbook=written.name,
            textbook_seconds=textbook_seconds,
            shared_with_textbook=shared(own.atoms, theirs.atoms),
            as_good=as_good,
            notes=tuple(notes),
        )
        return [ours, replace(written, threshold=threshold)]

    def _of_wanted_size(self, selection: Selection) -> BuiltCase:
        name = selection.name
        config = self._plan.config(name, centre=True)
        self._on_step(f"ours {name}")
        seconds, own = self._timed(lambda: grown(self._read, config))
        return self._case(f"ours_{name}", f"{name}: {selection.words}, mean removed", own, seconds)

    def _saes(self) -> list[BuiltCase]:
        """An autoencoder for each k, the one of the dictionaries' own k under the plain name."""
        plan = self._plan
        if plan.sae_seconds is None:
            return []
        if not topk_sae.installed():
            what = "not trained"
            return [BuiltCase("topk_sae", what, plan.k, self._d_model, plan.atoms, notes=(topk_sae.MISSING,))]
        ordered = sorted(plan.ks, reverse=True)
        return [self._sae("topk_sae" if k == plan.k else f"topk_sae_k{k}", k, plan.sae_seconds) for k in ordered]

    def _sae(self, name: str, k: int, most_seconds: float) -> BuiltCase:
        plan, x, held = self._plan, self._read.training, self._read.held

        def tell(passes: int, now: float) -> None:
            self._on_step(f"TopK SAE k={k}: pass {passes}, FVU {now:.3f}")

        sae = topk_sae.train_topk_sae(x, held, plan.atoms, k, seconds=most_seconds, seed=plan.seed, on_pass=tell)
        own = tuple(missed_by(held, sae.reconstructed, k, ENCODER, plan.first))
        by_pursuit = tuple(missed(Grown(sae.decoder, sae.bias, sae.tokens), held, (k,), METHODS, plan.first))
        notes = [] if sae.settled else [f"It still improved when its {most_seconds:g} s were up (--sae-seconds)."]
        if sae.dead:
            notes.append(f"{sae.dead} of its latents are dead.")
        return BuiltCase(
            name,
            f"TopK SAE by SAELens, k={k}",
            k,
            self._d_model,
            plan.atoms,
            sae.seconds,
            sae.tokens,
            own + by_pursuit,
            passes=sae.tokens / len(x),
            notes=tuple(notes),
        )

    def _case(self, name: str, what: str, dictionary: Grown, seconds: float) -> BuiltCase:
        self._on_step(f"FVU of {name}")
        atoms = len(dictionary.atoms)
        return BuiltCase(
            name, what, self._plan.k, self._d_model, atoms, seconds, dictionary.tokens, self._missed(dictionary)
        )

    def _missed(self, dictionary: Grown) -> tuple[Missed, ...]:
        ks = [k for k in self._plan.ks if k <= len(dictionary.atoms)]
        return tuple(missed(dictionary, self._read.held, ks, METHODS, self._plan.first))

    def _timed(self, build: Callable[[], Grown]) -> tuple[float, Grown]:
        """Median seconds of several runs, fewer where they are long; and what the first gave."""
        seconds, first = timed(build, self._device)
        every = [seconds]
        while len(every) < self._plan.repeats and sum(every) < LONG:
            every.append(timed(build, self._device)[0])
        return statistics.median(every), first


def shared(atoms: Tensor, others: Tensor) -> float:
    """How many of `atoms` (n, d_model) are among `others` (m, d_model), both of unit norm, as a share of `atoms`."""
    closest = torch.cat([(part.double() @ others.double().T).amax(dim=1) for part in atoms.split(1024)])
    return float((closest >= 1 - SAME).double().mean())
