"""Label honesty against a plain loop over all entries, and the atoms it was made to tell apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from itda_core.analysis.atoms.honesty import drawn as drawing
from itda_core.analysis.atoms.honesty.context_vectors import HashedWords
from itda_core.analysis.atoms.honesty.grades import GRADES, grades, of_atom, of_dictionary
from itda_core.analysis.atoms.honesty.honesty import measure
from itda_core.analysis.atoms.honesty.tallies import EVERYWHERE, MEASURES, STRONGEST, Tallies
from itda_core.analysis.atoms.honesty.token_class import class_of
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.dictionaries import AtomLabel
from tests.analysis.atoms.samples import Drawn, drawn, hash_of, write_index

KINDS = ["story", "recipe", "news"]


def label(atom: int, words: Sequence[str], at: int, document: str = "elsewhere") -> AtomLabel:
    """A label on the word number `at` of a window of `words`."""
    before, token, after = "".join(words[:at]), words[at], "".join(words[at + 1 :])
    end = len(before) + len(token)
    return AtomLabel(
        atom, atom, document, 0, at, hash_of(token), token, len(before), end, before[-80:], after[:40], 0.5
    )


def run(index: AtomIndex, labels: Sequence[AtomLabel], truth=None) -> Tallies:
    steps, work = [], measure(index, labels, truth)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as ended:
            assert steps == sorted(steps)
            assert steps[-1] == pytest.approx(1)
            return ended.value


class Truth:
    """Every label's character is what its word is; its document's kind is known by name."""

    def __init__(self, labels: Sequence[AtomLabel]) -> None:
        self._spans = {(one.document, one.char_end - 1): f"outer/{one.token.strip()}" for one in labels}

    def kind(self, document: str) -> str | None:
        return KINDS[len(document) % 3]

    def spans(self, document: str, character: int) -> str | None:
        return self._spans.get((document, character), "")


def plain(index: AtomIndex, sample: Drawn, labels: Sequence[AtomLabel], truth: Truth, near: float) -> dict:
    """Per atom and bin: entries, and per measure what is in common and the chance, one entry after the other."""
    tokens = [(number, at, words) for number, words in enumerate(sample.windows) for at in range(len(words))]
    texts = ["".join(words) for words in sample.windows]
    contexts = HashedWords(texts)

    def facts(number: int, at: int, words: list[str]) -> dict:
        start, text = len("".join(words[:at])), texts[number]
        end = start + len(words[at])
        return {
            "same_token": hash_of(words[at]),
            "same_class": class_of(words[at], text[:start], text[end:]),
            "same_span": words[at].strip(),
            "same_kind": KINDS[number % 3],
            "vector": contexts.of(text, [start], [end])[0],
        }

    def of_label(one: AtomLabel) -> dict:
        text = one.context_before + one.token + one.context_after
        start = len(one.context_before)
        return {
            "same_token": one.token_id,
            "same_class": class_of(one.token, one.context_before, one.context_after),
            "same_span": one.token.strip(),
            "same_kind": truth.kind(one.document),
            "vector": contexts.of(text, [start], [start + len(one.token)])[0],
        }

    def common(name: str, fact: dict, atom: int) -> bool:
        if name == "same_neighbourhood":
            return max(float(fact["vector"] @ other["vector"]) for other in own[atom]) >= near
        return any(fact[name] == other[name] for other in own[atom])

    own = {atom: [of_label(one) for one in labels if one.atom == atom] for atom in range(sample.n_atoms)}
    known = [facts(*token) for token in tokens]
    uses = np.array([sum(atom == a for code in sample.codes for a, _ in code) for atom in range(sample.n_atoms)])
    references = np.random.default_rng(0).choice(sample.n_atoms, 256, p=uses / uses.sum())
    found = {}
    for atom in range(sample.n_atoms):
        places = {(one.document, one.char_end) for one in labels if one.atom == atom}
        entries = [
            (abs(value), token, value)
            for token, code in enumerate(sample.codes)
            for a, value in code
            if a == atom
            and (f"doc-{tokens[token][0]}", len("".join(tokens[token][2][: tokens[token][1] + 1]))) not in places
        ]
        entries.sort()
        for rank, (_, token, value) in enumerate(entries):
            bin = rank * 4 // len(entries) * 2 + (value < 0)
            row = found.setdefault((atom, bin), {"entries": 0, **{name: [0, 0.0] for name in MEASURES}})
            row["entries"] += 1
            for name in MEASURES:
                row[name][0] += common(name, known[token], atom)
                if name == "same_neighbourhood":
                    row[name][1] += np.mean([common(name, known[token], other) for other in references])
                else:
                    row[name][1] += sum(uses[a] / uses.sum() for a in own if common(name, known[token], a))
    return found


@pytest.mark.parametrize("several", [False, True])
def test_every_count_and_chance_is_that_of_a_plain_loop(tmp_path: Path, several: bool) -> None:
    sample = drawn(n_windows=18, length=10, n_atoms=8)
    index = AtomIndex.open(write_index(tmp_path / "index", sample, kinds=KINDS))
    draw = np.random.default_rng(4)
    labels = []
    for atom in range(8):
        for _ in range(1 + several * int(draw.integers(0, 3))):
            if atom % 2 == 0 and index.entries(atom).token.size:  # half of the labels are from the indexed text
                window, at = divmod(int(draw.choice(index.entries(atom).token)), 10)
                labels.append(label(atom, sample.windows[window], at, f"doc-{window}"))
            else:
                words = sample.windows[int(draw.integers(18))]
                labels.append(label(atom, words, int(draw.integers(10)), "x" * (1 + len(labels))))
    truth = Truth(labels)
    tallies = run(index, labels[::-1] if not several else labels, truth)
    wanted = plain(index, sample, labels, truth, tallies.near)
    assert {*zip(*np.nonzero(tallies.entries), strict=True)} == {*wanted}
    for (atom, bin), row in wanted.items():
        assert tallies.examples[atom, bin] == tallies.entries[atom, bin] == row["entries"]
        for name in MEASURES:
            assert tallies.matches[name][atom, bin] == row[name][0], (atom, bin, name)
            assert tallies.chances[name][atom, bin] == pytest.approx(row[name][1], rel=1e-4, abs=1e-6), name
    assert sum(row["entries"] for row in wanted.values()) < sum(map(len, sample.codes))  # own places are left out


def test_shares_weigh_each_bin_by_its_entries() -> None:
    entries = np.array([[0, 0, 0, 0, 0, 0, 30, 10]])
    tallies = Tallies.empty(entries, "", 0.5)
    examples = np.repeat([6, 7], [10, 5])
    tallies.count_examples(np.zeros(15, int), examples)
    matched = np.array([1] * 4 + [0] * 6 + [1] * 5)
    tallies.add("same_token", np.zeros(15, int), examples, matched, np.full(15, 0.1), np.array([True]))
    found = tallies.shares("same_token", STRONGEST)
    assert found is not None
    share = 0.75 * 0.4 + 0.25 * 1.0
    n = 1 / (0.75**2 / 10 + 0.25**2 / 5)
    centre, half = (
        share + 1.959964**2 / (2 * n),
        1.959964 * np.sqrt(share * (1 - share) / n + 1.959964**2 / (4 * n * n)),
    )
    low, high = ((centre + sign * half) / (1 + 1.959964**2 / n) for sign in (-1, 1))
    assert [float(value[0]) for value in found] == pytest.approx(
        [share, 0.1, share / 0.1, low / 0.1, high / 0.1], rel=1e-5
    )


HOMEWORK = re.findall(r"\S+", "I can help you with the homework that your teacher gave for school tomorrow")
GARDEN = re.findall(r"\S+", "we saw a green bird in a tall tree near the old garden wall and")
WEATHER = re.findall(r"\S+", "rain and wind will reach the coast by 7 and 12 or 30 degrees")


def planted(n: int = 120) -> Drawn:
    """Atom 0 fires on its own word, 1 on offers to help with homework, 2 on numbers, 3 three times, 4 on everything."""
    draw = np.random.default_rng(0)
    windows, codes = [], []
    for number in range(n):
        words = [f" {word}" for word in draw.permutation((HOMEWORK, GARDEN, WEATHER)[number % 3])]
        windows.append(words)
        for word in words:
            strong, code = 5.0 + draw.random(), [(4, 0.5 + float(draw.random()))]
            code += (
                [(0, strong)] if word == " tree" else [(0, 0.2 + 0.1 * draw.random())] if draw.random() < 0.02 else []
            )
            code += [(1, -strong)] if number % 3 == 0 and word in (" help", " homework", " teacher") else []
            code += [(2, strong)] if word.strip().isdigit() else []
            code += [(3, strong)] if number < 3 and word == " garden" else []
            codes.append([(atom, float(np.float32(value))) for atom, value in code])
    norms = np.ones(len(codes), np.float32)
    return Drawn(windows, codes, norms, 6)


LABELS = [
    label(0, [" the", " tall", " tree", " near"], 2),
    label(1, [" saw", " a", " bird", " in", " a", " tall", " tree"], 4),  # "a", as the paper's atom 17002
    label(2, [" costs", " 99", " euros"], 1),
    label(3, [" the", " garden"], 1),
    label(4, [" green", " bird"], 1),
    label(5, [" wall"], 0),
]


def test_grades_tell_honest_labels_from_those_that_mislead(tmp_path: Path) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", planted()))
    tallies = run(index, LABELS)
    assert [GRADES[i] for i in grades(tallies)] == [
        "fires on its own word",
        "label misleads",
        "fires on its kind",
        "too rare to say",
        "label misleads",
        "too rare to say",  # it is never used
    ]
    own, misleading, kind = (of_atom(tallies, atom) for atom in (0, 1, 2))
    assert own.same_token is not None
    assert own.same_token.share == 1
    assert own.everywhere.same_token is not None
    assert own.everywhere.same_token.share < 0.9  # it also fires elsewhere, weakly
    assert misleading.same_token is not None
    assert misleading.same_class is not None
    assert misleading.same_token.share == 0
    assert misleading.same_class.share > 0.5  # small words after a space, as most are
    assert {one.sign for one in misleading.bins} == {"negative"}
    assert kind.same_class is not None
    assert kind.same_class.lift is not None
    assert kind.same_class.lift > 3
    assert own.same_span is own.same_kind is None  # this text knows no truth
    assert of_atom(tallies, 5).same_token is None


def test_an_atom_that_fires_where_its_label_stands_is_of_its_kind(tmp_path: Path) -> None:
    """The same atom 1, labelled "a" still, but where homework is spoken of."""
    labels = [LABELS[0], label(1, [f" {word}" for word in [*HOMEWORK[:6], "a", *HOMEWORK[6:]]], 6), *LABELS[2:]]
    tallies = run(AtomIndex.open(write_index(tmp_path / "index", planted())), labels)
    found = of_atom(tallies, 1)
    assert found.grade == "fires on its kind"
    assert found.same_neighbourhood is not None
    assert found.same_neighbourhood.low is not None
    assert found.same_neighbourhood.low > 1


def test_of_several_labels_any_will_do(tmp_path: Path) -> None:
    several = [*LABELS, label(1, [" your", " homework"], 1), label(1, [" please", " help", " me"], 1)]
    tallies = run(AtomIndex.open(write_index(tmp_path / "index", planted())), several)
    found = of_atom(tallies, 1)
    assert found.grade == "fires on its own word"
    assert found.same_token is not None
    assert found.same_token.share == pytest.approx(2 / 3, abs=0.15)  # "teacher" is none of them


def test_chance_is_what_permuted_labels_give(tmp_path: Path) -> None:
    """The closed form against labels dealt anew 4,000 times, atoms drawn by use."""
    sample = planted()
    index = AtomIndex.open(write_index(tmp_path / "index", sample))
    several = [*LABELS, label(1, [" your", " homework"], 1), label(3, [" a", " tree"], 1)]
    tallies = run(index, several)
    found = tallies.shares("same_token", EVERYWHERE)
    assert found is not None
    uses = np.bincount([atom for code in sample.codes for atom, _ in code], minlength=6)
    draw = np.random.default_rng(1)
    ids = {atom: {one.token_id for one in several if one.atom == atom} for atom in range(6)}
    entries = index.entries(0).token
    tokens = index.all_tokens.token_id[draw.choice(entries, 4000)]
    others = draw.choice(6, 4000, p=uses / uses.sum())
    hits = np.mean([token in ids[other] for token, other in zip(tokens.tolist(), others.tolist(), strict=True)])
    assert found.chance[0] == pytest.approx(hits, abs=4 * np.sqrt(hits / 4000))


def test_a_dictionary_s_shares_of_grades_and_measures(tmp_path: Path) -> None:
    tallies = run(AtomIndex.open(write_index(tmp_path / "index", planted())), LABELS)
    whole = of_dictionary(tallies)
    uses = tallies.entries.sum(1)
    assert [(one.grade, one.atoms) for one in whole.grades] == list(zip(GRADES, (1, 1, 2, 2), strict=True))
    assert [one.share for one in whole.grades] == pytest.approx([1 / 6, 1 / 6, 2 / 6, 2 / 6])
    used = [uses[0], uses[2], uses[1] + uses[4], uses[3] + uses[5]]
    assert [one.share_of_use for one in whole.grades] == pytest.approx([float(n / uses.sum()) for n in used])
    shares = tallies.shares("same_token", EVERYWHERE)
    assert shares is not None
    assert whole.everywhere.same_token is not None
    wanted = sum(uses[atom] * shares.share[atom] for atom in range(5)) / uses.sum()
    assert whole.everywhere.same_token.share == pytest.approx(wanted)
    assert whole.everywhere.same_span is None


def test_what_is_drawn_depends_on_nothing_but_the_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", planted()))
    monkeypatch.setattr(drawing, "PER_BIN", 7)

    def everything() -> list:
        parts = list(drawing.drawn(index, np.zeros(0, np.int64)))
        rows = zip(
            *(np.concatenate([getattr(p, n) for p in parts]).tolist() for n in ("atom", "token", "bin")), strict=True
        )
        return [*rows, np.sum([p.entries for p in parts], axis=0).tolist()]

    at_once = everything()
    monkeypatch.setattr(drawing, "_ENTRIES_AT_ONCE", 50)
    assert everything() == at_once
    *rows, entries = at_once
    counted = np.zeros((6, 8), int)
    for atom, token, bin in rows:
        counted[atom, bin] += 1
        assert (index.entries(atom).token == token).sum() == 1
    assert (counted == np.minimum(entries, 7)).all()
    assert len({token for atom, token, _ in rows if atom == 4}) > 20
    assert (
        max(token for atom, token, _ in rows if atom == 4) > index.description.tokens / 2
    )  # not merely the first ones


def test_figures_are_found_again_whatever_stretch_of_windows_is_read(tmp_path: Path, monkeypatch) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", planted()))
    whole = run(index, LABELS)
    monkeypatch.setattr("itda_core.analysis.atoms.honesty.honesty._WINDOWS_AT_ONCE", 7)
    parts = run(index, LABELS)
    for name in whole.matches:
        np.testing.assert_array_equal(whole.matches[name], parts.matches[name])
        np.testing.assert_allclose(whole.chances[name], parts.chances[name], rtol=1e-6)


def test_labels_are_words_that_nothing_reads_as_a_pattern(tmp_path: Path) -> None:
    """Hostile tokens and contexts are text like any other."""
    odd = [label(atom, [" (.*", "<script>", "\x00", "[a-"], atom % 3) for atom in range(6)]
    tallies = run(AtomIndex.open(write_index(tmp_path / "index", planted())), odd)
    assert GRADES[int(grades(tallies)[4])] == "label misleads"
