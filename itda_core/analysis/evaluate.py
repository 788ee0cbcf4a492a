"""How good dictionaries are: what their reconstructions miss, and what that costs the model.

Source of the CE score: Leask, Nanda and Al Moubayed, "Inference-Time Decomposition of Activations" (ICML 2025).
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.decompose import check_model, defaults
from itda_core.analysis.evaluation_batches import batches, default_windows_per_batch
from itda_core.analysis.evaluation_text import Held, evaluation_text, n_text
from itda_core.arguments import plain, plain_list
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.errors import UserError
from itda_core.files.dataclass_schema import ADDED
from itda_core.pursuit.methods import method_named
from itda_core.text.corpus import Corpus
from itda_core.time_left import time_left

if TYPE_CHECKING:
    import torch

    from itda_core.analysis.evaluation_sums import PredictionSums, ReconstructionSums, Spread
    from itda_core.models import LanguageModel, Site
    from itda_core.text import Window

TOKENS = 4096  # measured on by default


class Encoding(NamedTuple):
    """One way to encode: k atoms per token by a pursuit (pursuit.methods)."""

    k: int
    method: str


@dataclass(frozen=True)
class Evaluation:
    """Figures of one dictionary at one k and by one method. `to_dict()` gives the keys of `itda evaluate --json`.

    A figure that is not defined is None: those of predictions where the model has no language-modelling head.
    """

    dictionary: str  # its folder; the dictionary's description where it was never saved
    k: int
    method: str
    tokens: int  # measured on, special ones not counted
    fvu: float | None  # sum |x - x_hat|^2 / sum |x - mean(x)|^2 over all tokens; None where all activations are equal
    relative_error: float  # mean of |x - x_hat|^2 / |x|^2 (x after centring, if centred)
    cosine: float  # mean cosine of x and x_hat (both after centring, if centred)
    l0: float  # mean number of distinct atoms per token
    dead_fraction: float  # atoms that no token uses, 0 to 1
    ce_original: float | None  # cross-entropy of the model as it is, nats per prediction
    ce_reconstructed: float | None  # with the reconstruction at the dictionary's site
    ce_zero: float | None  # with zeros there
    ce_score: float | None  # (ce_zero - ce_reconstructed) / (ce_zero - ce_original): 1 nothing lost, 0 as bad as zeros
    kl: float | None  # mean KL(original || reconstructed) of the next token's distribution, nats
    text: str  # what the text is to the dictionary: "held-out", "training" or "other corpus"
    corpus: str  # the text's name
    model: str
    layer: int | None  # 0-based
    site: str
    atoms: int  # in the dictionary
    sinks_left_out: int = 0  # tokens whose norm is above what the dictionary was built from: not among `tokens`
    identity: str | None = field(default=None, metadata=ADDED)  # of the dictionary, whatever its folder is called later
    centred: bool | None = field(default=None, metadata=ADDED)  # whether the dictionary is; None: not known

    @property
    def ce_rise(self) -> float | None:
        """ce_reconstructed - ce_original, nats per prediction: what the score, a share of what zeros cost, may hide."""
        if self.ce_reconstructed is None or self.ce_original is None:
            return None
        return self.ce_reconstructed - self.ce_original

    def to_dict(self) -> dict[str, Any]:
        """Plain values by the fields' names."""
        return asdict(self)


@dataclass(frozen=True)
class EvaluationProgress:
    """Where an evaluation stands."""

    step: str  # what is being done, for people
    share: float  # of the work that is done, 0 to 1
    tokens: int  # measured on so far
    seconds: float
    eta: float | None  # seconds to go; None while unknown
    notes: tuple[str, ...] = ()  # sentences about the text
    results: tuple[Evaluation, ...] = ()  # those that have begun, after `Evaluation.tokens` so far; at the end, all
    done: bool = False


def evaluate(
    model: LanguageModel,
    dictionaries: AtomDictionary | str | Path | Sequence[AtomDictionary | str | Path],
    corpus: Corpus | str | Path,
    *,
    ks: Sequence[int] | int | None = None,
    methods: Sequence[str] | str | None = None,
    tokens: int = TOKENS,
    windows_per_batch: int | None = None,
) -> Generator[EvaluationProgress, None, None]:
    """Measure dictionaries of one model at every k and by every method; the last progress (`done`) has the results.

    Dictionaries may be given by their folders, `corpus` by what Corpus.open takes.

    Results come dictionary by dictionary, for each k all methods. `ks` and `methods` default to each dictionary's own.
    Earlier progresses have them as they stand: each over the tokens it counts so far.

    **Text.** Windows of `corpus` as long as those the dictionary has read, up to the one in which the number of
    `tokens` is reached; text that a dictionary was built from is left out if it can be (`Evaluation.text`, and a
    note). Dictionaries with windows of one length share the text and the model's own forward passes; nothing is held
    but one batch, whatever the length of the text.

    **Reconstruction.** All tokens of text count, that for unknown words too; special tokens and padding do not, nor do
    those that the dictionary leaves out as attention sinks (`TrainConfig.sinks`), which are counted and, among
    predictions, keep what they have.

    **Predictions**, for models with a language-modelling head. The reconstruction (or zeros) takes the place of the
    activation of every token of text at the dictionary's site, at once; special tokens keep theirs. Counted are the
    predictions of a token of text from the token of text before it in the same window: nothing is counted across
    windows, none from or of special tokens or padding.

    `windows_per_batch` changes speed and memory, and figures by no more than rounding (the last bits of a forward pass
    depend on its batch); None chooses by the size of the vocabulary. Raises UserError at once when a dictionary belongs
    to another model or tokenizer, or for a k or method it does not have; later for a corpus without text, and for
    activations or predictions that are not finite.
    """
    given = [dictionaries] if isinstance(dictionaries, (AtomDictionary, str, Path)) else dictionaries
    chosen = [AtomDictionary.of(one) for one in given]
    ks = None if ks is None else plain_list(ks)
    methods = None if methods is None else plain_list(methods)
    tokens, windows_per_batch, corpus = plain(tokens), plain(windows_per_batch), Corpus.of(corpus)
    encodings = encodings_of(chosen, ks, methods)
    if tokens < 1:
        raise UserError(f"tokens={tokens} measures nothing; give at least 1, for example {TOKENS}.")
    if windows_per_batch is not None and windows_per_batch < 1:
        raise UserError(f"windows_per_batch={windows_per_batch} is too small; use 1 or more.")
    for dictionary in chosen:
        check_reads(model, dictionary)
    return _evaluate(model, chosen, encodings, corpus, tokens, windows_per_batch)


def check_reads(model: LanguageModel, dictionary: AtomDictionary) -> None:
    """Raises UserError unless `dictionary` was built on these weights, and from text that was cut into these tokens."""
    check_model(model, dictionary)
    if dictionary.spec.tokenizer_fingerprint != model.tokenizer_fingerprint:
        raise UserError(
            f"{name_of(dictionary)} was built with another tokenizer than {model.name} has now; load the same revision."
        )


def encodings_of(
    dictionaries: Sequence[AtomDictionary], ks: Sequence[int] | None, methods: Sequence[str] | None
) -> list[list[Encoding]]:
    """Per dictionary every k by every method, its own where None. Raises UserError for what it cannot do."""
    if not dictionaries:
        raise UserError("No dictionary was given; name at least one.")
    found = []
    for dictionary in dictionaries:
        own_k, own_method = defaults(dictionary, None, None)
        wanted = [Encoding(k, method) for k in ks or [own_k] for method in methods or [own_method]]
        for k, method in wanted:
            if isinstance(k, bool) or not isinstance(k, int) or k < 1:
                raise UserError(f"k={k!r:.200} is no number of atoms; give a whole number of at least 1.")
            if k > len(dictionary):
                raise UserError(
                    f"k={k} exceeds the {len(dictionary)} atoms of {name_of(dictionary)}; lower k or train further."
                )
            method_named(method)
        found.append(list(dict.fromkeys(wanted)))
    return found


def name_of(dictionary: AtomDictionary) -> str:
    """The dictionary's folder; where it was never saved, what it is a dictionary of."""
    spec = dictionary.spec
    layer = "" if spec.layer is None else f" layer {spec.layer}"
    return str(dictionary.path) if dictionary.path else f"{spec.model}{layer} {spec.site}"


def _evaluate(
    model: LanguageModel,
    dictionaries: list[AtomDictionary],
    encodings: list[list[Encoding]],
    corpus: Corpus,
    tokens: int,
    windows_per_batch: int | None,
) -> Generator[EvaluationProgress, None, None]:
    passes: dict[tuple[int, str], list[int]] = {}  # dictionaries that have read windows of one length
    for i, dictionary in enumerate(dictionaries):
        passes.setdefault((dictionary.config.context, dictionary.config.windows), []).append(i)
    clock = _Clock(tokens * len(passes))
    notes: list[str] = []
    results: dict[_ResultKey, Evaluation] = {}
    order = [_ResultKey(i, encoding) for i in range(len(dictionaries)) for encoding in encodings[i]]

    def now(step: str, done: float) -> EvaluationProgress:
        return clock.now(step, done, notes, tuple(results[key] for key in order if key in results))

    for number, ((context, _), members) in enumerate(passes.items()):
        yield now("finding text", number * tokens)
        finding = evaluation_text(model, [dictionaries[i] for i in members], corpus, tokens)
        while isinstance(found := next(finding), int):
            yield now(f"skipping the text that the dictionaries were built from: {found:,} tokens", number * tokens)
        notes += [found.note] if found.note else []
        measured = [
            _Measured(model, i, dictionaries[i], encodings[i], held)
            for i, held in zip(members, found.held, strict=True)
        ]
        run = _Pass(model, measured, corpus.id)
        for batch in batches(found.windows, tokens, windows_per_batch or default_windows_per_batch(model, context)):
            before, size = run.tokens, sum(map(n_text, batch))
            for step in run.take(batch):
                if step.key is not None and step.result is not None:
                    results[step.key] = step.result
                yield now("measuring", number * tokens + min(tokens, before + step.share * size))
        if run.tokens < tokens:
            notes.append(f"The text ended after {run.tokens:,} of {tokens:,} tokens.")
        elif run.tokens > tokens:
            notes.append(f"{tokens:,} tokens were asked for and {run.tokens:,} read: windows are read whole.")
        for one in measured:
            if one.sinks:
                notes.append(f"{one.name}: {one.sinks:,} attention sinks left out, as they were when it was built.")
    yield replace(now("done", clock.total), done=True)


class _ResultKey(NamedTuple):
    """Which result: the dictionary's number among those given, and the encoding."""

    number: int
    encoding: Encoding


class _Clock:
    """Progress by tokens of text: `total` over all passes."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._started = time.monotonic()

    def now(
        self, step: str, tokens: float, notes: Sequence[str], results: tuple[Evaluation, ...]
    ) -> EvaluationProgress:
        seconds, share = time.monotonic() - self._started, tokens / self.total
        eta = time_left(share, seconds)
        return EvaluationProgress(step, share, int(tokens), seconds, eta, tuple(notes), results)


class _Measured:
    """A dictionary on the model's device, with its sums for every encoding."""

    def __init__(
        self, model: LanguageModel, number: int, dictionary: AtomDictionary, encodings: list[Encoding], held: Held
    ) -> None:
        from itda_core.analysis.evaluation_sums import PredictionSums, ReconstructionSums

        self.number, self.held, self.name = number, held, name_of(dictionary)
        self.sinks = 0  # tokens of the text so far
        self.dictionary = dictionary if dictionary.atoms.device == model.device else dictionary.to(model.device)
        self.site: Site = model.site(dictionary.spec.site, dictionary.spec.layer)
        self.encodings = encodings
        self.sums: dict[Encoding, ReconstructionSums] = {e: ReconstructionSums(len(dictionary)) for e in encodings}
        self.predictions: dict[Encoding, PredictionSums] = {encoding: PredictionSums() for encoding in encodings}

    def take(self, x: torch.Tensor, encoding: Encoding) -> torch.Tensor:
        """Encode activations x (n_tokens, d_model); returns what they are reconstructed as, the mean added back."""
        code = self.dictionary.encode(x, k=encoding.k, method=encoding.method)
        x_hat = self.dictionary.decode(code)
        mean = self.dictionary.mean if self.dictionary.config.centre else 0
        self.sums[encoding].take(x - mean, x_hat - mean, code)
        return x_hat


class _Step(NamedTuple):
    """The end of one forward pass; `result`: the figures so far of the encoding it was for, if it was for one."""

    share: float  # of the batch that is done, 0 to 1
    key: _ResultKey | None = None
    result: Evaluation | None = None


class _Pass:
    """One reading of a text for dictionaries that share it; the model's own forward pass is run once per batch."""

    def __init__(self, model: LanguageModel, measured: Sequence[_Measured], corpus: str) -> None:
        from itda_core.analysis.evaluation_sums import PredictionSums, Spread

        self.tokens = 0
        self._model, self._measured, self._corpus = model, measured, corpus
        self._sites = list(dict.fromkeys(one.site for one in measured))
        self._spread: dict[tuple[Site, float | None], Spread] = {
            (one.site, one.dictionary.sink_norm): Spread() for one in measured
        }
        self._original = PredictionSums()
        self._zero: dict[Site, PredictionSums] = {site: PredictionSums() for site in self._sites}

    def take(self, windows: Sequence[Window]) -> Iterator[_Step]:
        """Measure on one batch."""
        n_encodings = sum(len(one.encodings) for one in self._measured)
        if self._model.has_lm_head:
            steps, n_steps = self._take_predictions(windows), 1 + len(self._sites) + n_encodings
        else:
            (batch,) = self._model.stream(windows, self._sites, windows_per_batch=len(windows))
            steps, n_steps = (found[:2] for found in self._reconstructed(batch.activations)), n_encodings
        for done, step in enumerate(steps, start=1):
            if step is None:
                yield _Step(done / n_steps)
            else:
                one, encoding = step
                yield _Step(done / n_steps, _ResultKey(one.number, encoding), self._result(one, encoding))

    def _take_predictions(self, windows: Sequence[Window]) -> Iterator[tuple[_Measured, Encoding] | None]:
        """Yields the reconstruction of each forward pass, or None, once the pass is over."""
        from itda_core.analysis.evaluation_sums import log_probabilities

        activations, logits, targets = self._model.predict(windows, self._sites)
        self._original.take(logits, targets)
        own = log_probabilities(logits)
        del logits  # as large as all the rest together
        if own.isnan().any():
            raise UserError(
                f"What {self._model.name} predicts is not finite ({self._model.dtype}); load it with dtype float32, or "
                "check its weights."
            )
        yield None
        for site, x in activations.items():
            self._zero[site].take(self._model.predict_spliced(windows, site, x.new_zeros(x.shape)), targets)
            yield None
        for one, encoding, x_hat in self._reconstructed(activations):
            spliced = self._model.predict_spliced(windows, one.site, x_hat)
            one.predictions[encoding].take(spliced, targets, own)
            yield one, encoding

    def _reconstructed(
        self, activations: dict[Site, torch.Tensor]
    ) -> Iterator[tuple[_Measured, Encoding, torch.Tensor]]:
        from itda_core.dictionaries.growing.sinks import sinks_in

        for (site, sink_norm), spread in self._spread.items():
            spread.take(activations[site][~sinks_in(activations[site], sink_norm)])
        self.tokens += len(activations[self._sites[0]])
        for one in self._measured:
            x = activations[one.site]
            sinks = sinks_in(x, one.dictionary.sink_norm)
            one.sinks += int(sinks.sum())
            for encoding in one.encodings:
                x_hat = x.clone()
                x_hat[~sinks] = one.take(x[~sinks], encoding)
                yield one, encoding, x_hat

    def _result(self, one: _Measured, encoding: Encoding) -> Evaluation:
        if one.sinks == self.tokens:
            raise UserError(
                f"Every token of this text so far is an attention sink to {one.name}; choose another text, or train "
                "with --sinks 0."
            )
        sums, predictions = one.sums[encoding], one.predictions[encoding]
        variance = self._spread[one.site, one.dictionary.sink_norm].squares
        original, zero = self._original.cross_entropy, self._zero[one.site].cross_entropy
        now, spec = predictions.cross_entropy, one.dictionary.spec
        score = None
        if original is not None and zero is not None and now is not None and zero != original:
            score = (zero - now) / (zero - original)
        return Evaluation(
            dictionary=one.name,
            k=encoding.k,
            method=encoding.method,
            tokens=self.tokens - one.sinks,
            fvu=sums.residual / variance if variance > 0 else None,
            relative_error=sums.relative_error,
            cosine=sums.cosine,
            l0=sums.l0,
            dead_fraction=sums.dead_fraction,
            ce_original=original,
            ce_reconstructed=now,
            ce_zero=zero,
            ce_score=score,
            kl=predictions.divergence,
            text=one.held,
            corpus=self._corpus,
            model=spec.model,
            layer=spec.layer,
            site=spec.site,
            atoms=len(one.dictionary),
            sinks_left_out=one.sinks,
            identity=one.dictionary.identity,
            centred=one.dictionary.config.centre,
        )
