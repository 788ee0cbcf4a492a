"""What the Atoms page asks of the engine, cached; what engine.py says of caches holds here as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from itda_core.errors import UserError
from itda_core.files import stamp
from pages.ui.frame import engine
from pages.ui.frame.engine import DictionaryKey
from pages.ui.frame.session_cache import cached

if TYPE_CHECKING:
    import numpy as np

    from itda_core.analysis import Decomposition
    from itda_core.analysis.atoms.atom_report import AtomReport
    from itda_core.analysis.atoms.examples import Examples
    from itda_core.analysis.atoms.honesty.grades import DictionaryHonesty
    from itda_core.analysis.atoms.honesty.tallies import Tallies
    from itda_core.analysis.atoms.index import AtomIndex
    from itda_core.analysis.atoms.layout import Layout
    from itda_core.analysis.atoms.logits.direct_logits import DirectLogits, Measured
    from itda_core.analysis.atoms.neighbours import Neighbours
    from itda_core.analysis.atoms.together import Together
    from itda_core.analysis.atoms.usage import AtomUsage
    from itda_core.dictionaries import AtomLabel


class IndexKey(NamedTuple):
    """Which index, and as of when."""

    path: str
    stamp: tuple[int, ...]


class Use(NamedTuple):
    """One atom in an index."""

    usage: AtomUsage
    examples: Examples


def index_key(identity: str | None) -> IndexKey | None:
    """The index of the dictionary of this identity that is shown: one's own newest, else the bundled one; None where
    there is none. Raises UserError, the sentence about it, where all there are cannot be read.
    """
    from itda_core.runs.indexing.indices import indices_of

    found = [] if identity is None else indices_of(identity)
    for entry in found:
        if entry.problem is None and (mark := stamp(entry.folder / "index.json")) is not None:
            return IndexKey(str(entry.folder), mark)
    if found:
        raise UserError(found[0].problem or "The atom index was removed a moment ago; look again.")
    return None


@cached(max_entries=16, ttl=300)
def text_changed(key: IndexKey) -> str | None:
    """A sentence where the text of the index is another now; looked at anew after some minutes, for it may be long."""
    from itda_core.runs.indexing.indices import text_changed as changed

    return changed(Path(key.path))


@cached(max_entries=4)
def index(key: IndexKey, n_atoms: int) -> AtomIndex:
    """The index, open. Raises UserError for one of another version, a damaged one, and one of another dictionary."""
    from itda_core.analysis.atoms.index import AtomIndex

    found = AtomIndex.open(Path(key.path))
    if found.description.n_atoms != n_atoms:
        raise UserError(
            f"The atom index has {found.description.n_atoms:,} atoms, the dictionary {n_atoms:,}; make the index anew."
        )
    return found


@cached(max_entries=128)
def use(key: DictionaryKey, index_of: IndexKey, atom: int) -> Use:
    """Where and how `atom` is used. Raises UserError for a damaged index."""
    from itda_core.analysis.atoms.examples import examples_of
    from itda_core.analysis.atoms.usage import usage_of

    dictionary = engine.dictionary(key)
    opened = index(index_of, len(dictionary))
    entries = opened.entries(atom)
    return Use(usage_of(opened, atom, entries), examples_of(opened, atom, dictionary.labels(atom), entries))


_FEWER = 8  # tokens, without which a window has room for those of a character that it was cut through


class Place(NamedTuple):
    """A token of a prompt."""

    prompt: str
    token: int


def in_decompose(key: DictionaryKey, index_of: IndexKey, token: int) -> Place:
    """The window of the index's token of this number as a prompt, and which of the prompt's tokens it is.

    A window that begins within a text may be cut into other tokens where it is read alone: the one that holds the
    token's last character is meant, and of the bytes of one character the same. Where it has become too long for the
    model, it ends with the token, and begins a few tokens later where that is not enough.
    """
    opened = index(index_of, len(engine.dictionary(key)))
    if not 0 <= token < opened.description.tokens:
        raise UserError(f"There is no token {token} in the atom index; choose another example.")
    known = opened.tokens([token])
    (window,) = opened.windows(known.window)
    end, rows = int(known.char_end[0]) - window.window_start, opened.all_tokens
    later = int(rows.char_start[min(token, window.first_token + _FEWER)]) - window.window_start
    for begin, behind in ((0, len(window.text)), (0, end), (later, end)):
        text = window.text[begin:behind]
        try:
            spans = engine.read_prompt(key, text).window.spans
            break
        except UserError as error:
            refused = error
    else:
        raise refused
    end -= begin
    holding = [i for i, (start, stop) in enumerate(spans) if start < end <= stop]
    if not holding:
        return Place(text, len(spans) - 1)
    same = rows.char_end[window.first_token : window.first_token + window.n_tokens] == known.char_end[0]
    at = token - window.first_token  # a window may begin, and end, between the bytes of a character
    place = int(same[:at].sum()) if same[-1] else len(holding) - 1 - int(same[at + 1 :].sum())
    return Place(text, holding[min(max(0, place), len(holding) - 1)])


class AtomRows(NamedTuple):
    """All atoms of a dictionary by columns: their first labels, and how they are used where there is an index."""

    token: Sequence[str]
    before: Sequence[str]
    after: Sequence[str]
    document: Sequence[str]
    names: Sequence[str]  # in a few words, see in_common.short_label
    labels: np.ndarray  # (n_atoms,) how many each has
    order: np.ndarray  # (n_atoms,) when it was added
    error: np.ndarray  # (n_atoms,) relative squared error when it was
    used: dict[str, np.ndarray]  # share, first, mean, absolute, largest, norm, energy: (n_atoms,) each; {} without an
    # index

    def __len__(self) -> int:
        return len(self.token)


@cached(max_entries=8)
def rows(key: DictionaryKey, index_of: IndexKey | None) -> AtomRows:
    """All atoms. Raises UserError for a damaged index."""
    import numpy as np

    from itda_core.analysis.in_common import short_label

    dictionary = engine.dictionary(key)
    frame = dictionary.provenance
    first = frame.drop_duplicates("atom").sort_values("atom")
    tokens: list[list[str]] = [[] for _ in range(len(dictionary))]
    for atom, token in zip(frame["atom"].tolist(), frame["token"].tolist(), strict=True):
        tokens[atom].append(token)
    counts = np.bincount(frame["atom"].to_numpy(), minlength=len(dictionary))
    return AtomRows(
        token=first["token"].tolist(),
        before=first["context_before"].tolist(),
        after=first["context_after"].tolist(),
        document=first["document"].tolist(),
        names=list(map(short_label, tokens)),
        labels=counts,
        order=first["order"].to_numpy(),
        error=first["error"].to_numpy(),
        used={} if index_of is None else _used(index(index_of, len(dictionary))),
    )


def _used(opened: AtomIndex) -> dict[str, np.ndarray]:
    import numpy as np

    sums, about = opened.sums, opened.description
    n = (sums["positive"] + sums["negative"]).astype(np.float64)
    least = np.maximum(n, 1)
    low, high = sums["smallest"].astype(np.float64), sums["largest"].astype(np.float64)
    return {
        "share": n / max(about.tokens, 1),
        "first": sums["first"] / least,
        "negative": sums["negative"] / least,
        "mean": sums["sum"] / least,
        "absolute": sums["sum_absolute"] / least,
        "largest": np.where(high >= -low, high, low),
        "norm": sums["sum_share"] / least,
        "energy": sums["energy"] / (about.energy or 1.0),
    }


@cached(max_entries=8)
def folded_labels(key: DictionaryKey) -> tuple[str, ...]:
    """Per atom its labels with their contexts, without case and accents, to look for words in."""
    from itda_core.analysis.atoms.examples import folded

    frame = engine.dictionary(key).provenance
    texts = [""] * len(engine.dictionary(key))
    columns = (frame[name].tolist() for name in ("atom", "context_before", "token", "context_after"))
    for atom, before, token, after in zip(*columns, strict=True):
        texts[atom] += f"{before}{token}{after}\n"
    return tuple(map(folded, texts))


@cached(max_entries=16)
def pca(key: DictionaryKey) -> Layout:
    """The map that is there at once."""
    from itda_core.analysis.atoms.layout import pca as laid_out

    return laid_out(engine.dictionary(key).atoms)


def umap(key: DictionaryKey) -> Layout | None:
    """The map by UMAP, if it was made. Raises UserError for a damaged one."""
    from itda_core.runs.atoms.mapping import path_of

    identity = engine.dictionary(key).identity
    mark = None if identity is None else stamp(path_of(identity))
    return None if mark is None else _umap(str(identity), len(engine.dictionary(key)), mark)


@cached(max_entries=8)
def _umap(identity: str, n_atoms: int, when: tuple[int, ...]) -> Layout | None:
    from itda_core.runs.atoms.mapping import kept

    return kept(identity, n_atoms)


@cached(max_entries=8)
def main_kinds(index_of: IndexKey, n_atoms: int) -> tuple[tuple[str, ...], np.ndarray]:
    """The kinds of document, and per atom that of the largest share of tokens that use it; -1 where it is not used."""
    import numpy as np

    opened = index(index_of, n_atoms)
    names, of_window = opened.kinds
    if not names:
        return (), np.full(n_atoms, -1)
    kinds = of_window[opened.all_tokens.window]
    sizes = np.maximum(np.bincount(kinds[kinds >= 0], minlength=len(names)), 1)
    uses = np.zeros((n_atoms, len(names)))
    for slot in range(opened.codes.shape[1]):
        atoms = np.asarray(opened.codes[:, slot])
        known = (atoms < n_atoms) & (kinds >= 0)
        np.add.at(uses, (atoms[known].astype(np.int64), kinds[known]), 1)
    return names, np.where(uses.any(1), (uses / sizes).argmax(1), -1)


@cached(max_entries=256)
def neighbours(key: DictionaryKey, atom: int) -> Neighbours:
    """The atoms nearest to `atom` by cosine, and the most opposite ones."""
    from itda_core.analysis.atoms.neighbours import neighbours as found

    return found(engine.dictionary(key).atoms, atom)


@cached(max_entries=256)
def together(key: DictionaryKey, index_of: IndexKey, atom: int, by: str) -> tuple[Together, ...]:
    """The atoms used at the same tokens as `atom`. Raises UserError for a damaged index."""
    from itda_core.analysis.atoms.together import together as found

    opened = index(index_of, len(engine.dictionary(key)))
    uses = opened.sums["positive"] + opened.sums["negative"]
    return found(opened.codes, opened.entries(atom).token, uses, atom, by=by)


@cached(max_entries=512)
def kept_logits(index_of: IndexKey | None, atom: int, n_atoms: int) -> Written | None:
    """What `atom` writes where that is kept beside the index; None for damage too: the model can be asked instead."""
    from itda_core.analysis.atoms.logits.stored_logits import stored

    try:
        found = None if index_of is None else stored(index(index_of, n_atoms), atom)
    except UserError:
        return None
    return None if found is None else Written(found)


def model_at_hand(key: DictionaryKey, *, bundled: bool) -> bool:
    """Whether the dictionary's model is in memory, or small enough to be loaded without being asked for."""
    return bundled or engine.holder().holds(engine.model_spec(key))


class Written(NamedTuple):
    """What an atom writes, or the sentence why that cannot be said."""

    logits: DirectLogits | None
    why: str = ""


@cached(max_entries=512)
def written(key: DictionaryKey, index_of: IndexKey | None, atom: int) -> Written:
    """The tokens whose logits `atom` raises and lowers most on the direct path. Raises UserError as loading a model."""
    from itda_core.analysis.atoms.logits.direct_logits import DirectPath, NoDirectPath

    with engine.holder().lend(engine.model_spec(key)) as model:
        try:
            path = DirectPath(model, _direct_path(key, index_of))
            return Written(path.of(engine.dictionary(key).atoms[atom]))
        except NoDirectPath as reason:
            return Written(None, str(reason))


@cached(max_entries=32)
def _direct_path(key: DictionaryKey, index_of: IndexKey | None) -> Measured:
    """What is the same for all atoms of a dictionary. Raises NoDirectPath as direct_path_of."""
    from itda_core.runs.atoms.reading import direct_path_of

    dictionary = engine.dictionary(key)
    opened = None if index_of is None else index(index_of, len(dictionary))
    with engine.holder().lend(engine.model_spec(key)) as model:
        return direct_path_of(dictionary, model, opened).measured


def report(key: DictionaryKey, index_of: IndexKey | None, atom: int, name: str, writes: Written | None) -> AtomReport:
    """All that is known of one atom, as `itda atoms show --json` has it. Raises UserError for a damaged index."""
    from itda_core.analysis.atoms.atom_report import report_of

    dictionary = engine.dictionary(key)
    opened = None if index_of is None else index(index_of, len(dictionary))
    honesty = None if index_of is None else tallies(index_of, len(dictionary))
    logits, why = (None, "the model was not asked") if writes is None else writes
    return report_of(name, dictionary, atom, opened, honesty, logits, why)


def tallies(index_of: IndexKey, n_atoms: int) -> Tallies | None:
    """What was found of the labels' honesty; None where it was not measured. Raises UserError for damage."""
    kept = _tallies(index_of, n_atoms, stamp(Path(index_of.path) / "honesty.json"))
    return _measured().get(index_of) if kept is None else kept


@st.cache_resource
def _measured() -> dict[IndexKey, Tallies]:
    """What was measured since the server began, for indices whose folder is not written to."""
    return {}


@cached(max_entries=8)
def _tallies(index_of: IndexKey, n_atoms: int, when: tuple[int, ...] | None) -> Tallies | None:
    from itda_core.analysis.atoms.honesty.stored import stored

    return None if when is None else stored(index(index_of, n_atoms))


def grades(index_of: IndexKey | None, n_atoms: int) -> np.ndarray | None:
    """Per atom the number of its grade in GRADES; None where honesty was not measured. Raises UserError for damage."""
    from itda_core.analysis.atoms.honesty.grades import grades as graded

    found = None if index_of is None else tallies(index_of, n_atoms)
    return None if found is None else graded(found)


def measure_honesty(key: DictionaryKey, index_of: IndexKey, on_share: Callable[[float], None]) -> None:
    """Measures whether labels say where their atoms fire, and keeps it; `on_share` gets the share that is done."""
    from itda_core.runs.atoms.reading import honesty_of

    dictionary = engine.dictionary(key)
    _measured()[index_of] = honesty_of(dictionary, index(index_of, len(dictionary)), on_share)


def labels(key: DictionaryKey, atom: int) -> tuple[AtomLabel, ...]:
    """Where `atom` was seen."""
    return engine.dictionary(key).labels(atom)


def decomposed(key: DictionaryKey, prompt: str) -> Decomposition:
    """One's own text by the dictionary's k and pursuit. Raises UserError for one that is too long."""
    config = engine.dictionary(key).config
    return engine.decomposition(key, prompt, min(config.k, len(engine.dictionary(key))), config.method)


def honesty(index_of: IndexKey) -> DictionaryHonesty | None:
    """What is known of the honesty of a dictionary's labels; None where it was not measured, which is not done here.

    Raises UserError for damage.
    """
    kept = _honesty(index_of, stamp(Path(index_of.path) / "honesty.json"))
    if kept is None and (measured := _measured().get(index_of)) is not None:
        from itda_core.analysis.atoms.honesty.grades import of_dictionary

        return of_dictionary(measured)
    return kept


@cached(max_entries=64)
def _honesty(index_of: IndexKey, when: tuple[int, ...] | None) -> DictionaryHonesty | None:
    from itda_core.analysis.atoms.honesty.stored import stored_summary

    return None if when is None else stored_summary(Path(index_of.path))
