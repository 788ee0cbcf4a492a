"""How good dictionaries are: what their reconstructions miss, and what that costs the model.

Source of the CE score: Leask, Nanda and Al Moubayed, "Inference-Time Decomposition of Activations" (ICML 2025).
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.decompose import check_model, defaults
from itda_core.analysis.evaluation_text import evaluation_text, n_text
from itda_core.dictionaries.config import METHODS
from itda_core.errors import UserError

if TYPE_CHECKING:
    import torch

    from itda_core.analysis.evaluation_sums import PredictionSums, ReconstructionSums, Spread
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import LanguageModel, Site
    from itda_core.text import Corpus, Window

TOKENS = 4096  # measured on if nothing else is said
_MOST_WINDOWS = 16  # of one forward pass
_MOST_LOGITS = {"cpu": 2**25, "cuda": 2**28}  # entries of one forward pass: 128 MiB, 1 GiB in float32


class Encoding(NamedTuple):
    """One way to encode: k atoms per token by a pursuit ("mp", "omp", "gp")."""

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
    cosine: float  # mean cosine of x and x_hat, likewise
    l0: float  # mean number of distinct atoms per token
    dead_fraction: float  # atoms that no token uses, 0 to 1
    ce_original: float | None  # cross-entropy of the model as it is, nats per prediction
    ce_reconstructed: float | None  # with the reconstruction at the dictionary's site
    ce_zero: float | None  # with zeros there
    ce_score: float | None  # (ce_zero - ce_reconstructed) / (ce_zero - ce_original): 1 nothing lost, 0 as bad as zeros
    kl: float | None  # mean KL(original || reconstructed) of the next token's distribution, nats
    text: str  # what the text is to the dictionary: "held-out", "training" or "other corpus"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class EvaluationProgress:
    """Where an evaluation stands."""

    step: str  # what is being done, for people
    share: float  # of the work that is done, 0 to 1
    tokens: int  # measured on so far
    seconds: float
    eta: float | None  # seconds to go; None while that cannot be told
    notes: tuple[str, ...] = ()  # sentences about the text, said once known
    results: tuple[Evaluation, ...] = ()  # on the last progress only

    @property
    def done(self) -> bool:
        return bool(self.results)


def evaluate(
    model: LanguageModel,
    dictionaries: AtomDictionary | Sequence[AtomDictionary],
    corpus: Corpus,
    *,
    ks: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
    tokens: int = TOKENS,
    windows_per_batch: int | None = None,
) -> Generator[EvaluationProgress, None, None]:
    """Measure dictionaries of one model at every k and by every method; the last progress has the results.

    Results come dictionary by dictionary, for each k all methods. `ks` and `methods` default to each dictionary's own.

    **Text.** Windows of `corpus` as long as those the dictionary has read, up to the one in which the number of
    `tokens` is reached; text that a dictionary was built from is left out if it can be (`Evaluation.text`, and a
    note). Dictionaries with windows of one length share the text and the model's own forward passes; nothing is held
    but one batch, whatever the length of the text.

    **Reconstruction.** All tokens of text count; special tokens and padding do not.

    **Predictions**, for models with a language-modelling head. The reconstruction (or zeros) takes the place of the
    activation of every token of text at the dictionary's site, at once; special tokens keep theirs. Counted are the
    predictions of a token of text from the token of text before it in the same window: nothing is counted across
    windows, none from or of special tokens or padding.

    `windows_per_batch` changes speed and memory only; None chooses by the size of the vocabulary. Raises UserError at
    once when a dictionary belongs to another model or tokenizer, or for a k or method it does not have; later for a
    corpus without text, and for activations or predictions that are not finite.
    """
    chosen = [dictionaries] if not isinstance(dictionaries, Sequence) else list(dictionaries)
    encodings = encodings_of(chosen, ks, methods)
    if tokens < 1:
        raise UserError(f"tokens={tokens} measures nothing; give at least 1, for example {TOKENS}.")
    if windows_per_batch is not None and windows_per_batch < 1:
        raise UserError(f"windows_per_batch={windows_per_batch} is too small; use 1 or more.")
    for dictionary in chosen:
        check_model(model, dictionary)
        if dictionary.spec.tokenizer_fingerprint != model.tokenizer_fingerprint:
            raise UserError(
                f"{name_of(dictionary)} was built with another tokenizer than {model.name} has now; load the same "
                "revision."
            )
    return _evaluate(model, chosen, encodings, corpus, tokens, windows_per_batch)


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
            if k < 1:
                raise UserError(f"k={k} takes no atom; give at least 1.")
            if k > len(dictionary):
                raise UserError(
                    f"k={k} exceeds the {len(dictionary)} atoms of {name_of(dictionary)}; lower k or train further."
                )
            if method not in METHODS:
                raise UserError(f"There is no pursuit {method!r}; choose one of {', '.join(METHODS)}.")
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
    results: dict[int, list[Evaluation]] = {}
    for number, ((context, _), members) in enumerate(passes.items()):
        yield clock.now("finding text", number * tokens, notes)
        text = evaluation_text(model, [dictionaries[i] for i in members], corpus, tokens)
        notes += [text.note] if text.note else []
        measured = [_Measured(model, dictionaries[i], encodings[i]) for i in members]
        run = _Pass(model, measured)
        at_once = windows_per_batch or _windows_per_batch(model, context)
        for batch in _batches(text.windows, tokens, at_once):
            before, size = run.tokens, sum(map(n_text, batch))
            for share in run.take(batch):
                yield clock.now("measuring", number * tokens + min(tokens, before + share * size), notes)
        if run.tokens < tokens:
            notes.append(f"The text ended after {run.tokens:,} of {tokens:,} tokens.")
        for i, one, held in zip(members, measured, text.held, strict=True):
            results[i] = [run.result(one, encoding, held) for encoding in one.encodings]
    ordered = tuple(result for i in range(len(dictionaries)) for result in results[i])
    yield clock.now("done", clock.total, notes, ordered)


class _Clock:
    """Progress by tokens of text: `total` over all passes."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._started = time.monotonic()

    def now(
        self, step: str, tokens: float, notes: Sequence[str], results: tuple[Evaluation, ...] = ()
    ) -> EvaluationProgress:
        seconds, share = time.monotonic() - self._started, tokens / self.total
        eta = seconds / share * (1 - share) if share > 0 else None
        return EvaluationProgress(step, share, int(tokens), seconds, eta, tuple(notes), results)


class _Measured:
    """A dictionary on the model's device, with its sums for every encoding."""

    def __init__(self, model: LanguageModel, dictionary: AtomDictionary, encodings: list[Encoding]) -> None:
        from itda_core.analysis.evaluation_sums import PredictionSums, ReconstructionSums

        self.name = name_of(dictionary)
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


class _Pass:
    """One reading of a text for dictionaries that share it; the model's own forward pass is run once per batch."""

    def __init__(self, model: LanguageModel, measured: Sequence[_Measured]) -> None:
        from itda_core.analysis.evaluation_sums import PredictionSums, Spread

        self.tokens = 0
        self._model, self._measured = model, measured
        self._sites = list(dict.fromkeys(one.site for one in measured))
        self._spread: dict[Site, Spread] = {site: Spread() for site in self._sites}
        self._original = PredictionSums()
        self._zero: dict[Site, PredictionSums] = {site: PredictionSums() for site in self._sites}

    def take(self, windows: Sequence[Window]) -> Iterator[float]:
        """Measure on one batch; yields how much of it is done, 0 to 1."""
        if self._model.has_lm_head:
            yield from self._take_predictions(windows)
        else:
            (batch,) = self._model.stream(windows, self._sites, windows_per_batch=len(windows))
            n_encodings = sum(len(one.encodings) for one in self._measured)
            for number, _ in enumerate(self._reconstructed(batch.activations), start=1):
                yield number / n_encodings

    def _take_predictions(self, windows: Sequence[Window]) -> Iterator[float]:
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
        n_passes = len(self._sites) + sum(len(one.encodings) for one in self._measured)
        done = 0
        for site, x in activations.items():
            self._zero[site].take(self._model.predict_spliced(windows, site, x.new_zeros(x.shape)), targets)
            done += 1
            yield done / n_passes
        for one, encoding, x_hat in self._reconstructed(activations):
            spliced = self._model.predict_spliced(windows, one.site, x_hat)
            one.predictions[encoding].take(spliced, targets, own)
            done += 1
            yield done / n_passes

    def _reconstructed(
        self, activations: dict[Site, torch.Tensor]
    ) -> Iterator[tuple[_Measured, Encoding, torch.Tensor]]:
        for site, x in activations.items():
            self._spread[site].take(x)
        self.tokens += len(activations[self._sites[0]])
        for one in self._measured:
            for encoding in one.encodings:
                yield one, encoding, one.take(activations[one.site], encoding)

    def result(self, one: _Measured, encoding: Encoding, held: str) -> Evaluation:
        sums, predictions, variance = one.sums[encoding], one.predictions[encoding], self._spread[one.site].squares
        original, zero = self._original.cross_entropy, self._zero[one.site].cross_entropy
        now = predictions.cross_entropy
        score = None
        if original is not None and zero is not None and now is not None and zero != original:
            score = (zero - now) / (zero - original)
        return Evaluation(
            dictionary=one.name,
            k=encoding.k,
            method=encoding.method,
            tokens=self.tokens,
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
            text=held,
        )


def _windows_per_batch(model: LanguageModel, context: int) -> int:
    """As many windows as have logits within bounds."""
    if not model.has_lm_head:
        return _MOST_WINDOWS
    most = _MOST_LOGITS.get(model.device.type, _MOST_LOGITS["cpu"])
    return max(1, min(_MOST_WINDOWS, most // (context * model.module.config.get_text_config().vocab_size)))


def _batches(windows: Iterable[Window], tokens: int, at_once: int) -> Iterator[list[Window]]:
    """Windows up to the one in which `tokens` is reached, `at_once` at a time."""
    wanted = _up_to(windows, tokens)
    while batch := list(islice(wanted, at_once)):
        yield batch


def _up_to(windows: Iterable[Window], tokens: int) -> Iterator[Window]:
    for window in windows:
        yield window
        tokens -= n_text(window)
        if tokens <= 0:
            return
