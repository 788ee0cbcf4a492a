"""`itda atoms show` and `itda atoms search`, on a bundled dictionary with an index and without one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from itda_core.dictionaries import AtomDictionary
from itda_core.models import load_model
from itda_core.runs.atoms.reading import honesty_of, index_of, truth_about
from itda_core.runs.library import Library
from tests.conftest import Cli

NAME = "demo-0-L1"
# The keys of the contract; more may be there.
SHOW = {
    *("dictionary", "atom", "labels", "tokens", "usage", "first_choice", "mean", "max", "min", "histogram"),
    *("positive", "negative", "quantiles", "neighbours", "opposite", "together", "logits", "honesty"),
}
LABEL = {"token", "context_before", "context_after", "document", "char_start", "char_end", "error"}
EXAMPLE = {
    *("document", "window_start", "position", "coefficient", "relative_coefficient", "tokens", "coefficients"),
}


@pytest.fixture
def indexed(itda: Cli) -> AtomDictionary:
    code, _, err = itda("atoms", "index", NAME, "--corpus", "demo", "--tokens", 1500)
    assert code == 0, err
    return AtomDictionary.load(Library().find(NAME))


def test_one_atom_in_full(itda: Cli, indexed: AtomDictionary) -> None:
    index = index_of(indexed)
    assert index is not None
    uses = index.sums["positive"] + index.sums["negative"]
    atom = int(uses.argmax())
    code, out, err = itda("atoms", "show", NAME, atom, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert {*found} >= SHOW
    assert {*found["labels"][0]} >= LABEL
    assert {*found["positive"][0]} >= EXAMPLE
    assert found["labels"][0]["token"] == indexed.label(atom).token
    entries = index.entries(atom)
    assert found["tokens"] == len(entries.token) == uses[atom]
    assert found["usage"] == pytest.approx(len(entries.token) / index.description.tokens)
    assert found["max"] == pytest.approx(float(entries.coefficient.max()))
    assert sum(found["histogram"]["counts"]) == found["tokens"]
    nearest = found["neighbours"][0]
    cosines = (indexed.atoms @ indexed.atoms[atom]).numpy()
    cosines[atom] = -np.inf
    assert (nearest["atom"], nearest["cosine"]) == (
        int(cosines.argmax()),
        pytest.approx(float(cosines.max()), abs=1e-5),
    )
    with_it = found["used_with"][0]
    both = sum(1 for row in np.asarray(index.codes) if {atom, with_it["atom"]} <= {*row.tolist()})
    assert with_it["tokens"] == both
    assert len(found["logits"]["raised"]) == 10
    assert found["honesty"]["grade"]
    assert {*found["honesty"]["same_token"]} == {"share", "chance", "lift", "low", "high"}
    assert {*found["quantiles"][0][0]} >= EXAMPLE
    code, out, err = itda("atoms", "show", NAME, atom, "--no-logits")
    assert code == 0, err
    assert found["honesty"]["grade"] in out
    for name, of in (("labels", "label"), ("positive", "positive"), ("negative", "negative")):
        lines = [line for line in out.splitlines() if line.split()[:1] == [of]]
        rest = len(found[name]) - 5
        assert len(lines) == min(len(found[name]), 6)
        assert [line for line in lines if "more; --json has all" in line] == lines[5:]
        assert rest <= 0 or f"… and {rest:,} more" in lines[5]


def test_labels_that_are_not_shown_are_counted(itda: Cli) -> None:
    consensus = "demo-0-L1-consensus"
    dictionary = AtomDictionary.load(Library().find(consensus))
    atom = next(i for i in range(len(dictionary)) if len(dictionary.labels(i)) > 5)
    code, out, err = itda("atoms", "show", consensus, atom, "--no-logits")
    assert code == 0, err
    assert f"… and {len(dictionary.labels(atom)) - 5} more; --json has all" in out


def test_an_atom_without_an_index_still_has_what_the_dictionary_knows(
    itda: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itda_core.runs.indexing.indices.BUNDLED", tmp_path / "none")
    code, out, err = itda("atoms", "show", NAME, 0, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert {*found} >= SHOW
    assert found["neighbours"]
    assert found["logits"]["raised"]
    assert found["honesty"] is found["tokens"] is found["positive"] is found["histogram"] is found["together"] is None
    assert "make one with itda atoms index" in err
    code, out, err = itda("atoms", "search", NAME, "the", "--by", "firing")
    assert (code, out) == (2, "")
    assert f"A search by firing needs an index of {NAME}; make one with itda atoms index" in err


@pytest.mark.parametrize("atom", [-1, 1024, 10**12])
def test_an_atom_that_is_not_there_is_refused(itda: Cli, atom: int) -> None:
    code, out, err = itda("atoms", "show", NAME, "--", atom)
    assert (code, out) == (2, "")
    assert f"There is no atom {atom}; this dictionary has atoms 0 to 1023." in err


def test_atoms_are_found_with_the_reason(itda: Cli, indexed: AtomDictionary) -> None:
    label = next(one for atom in range(len(indexed)) if (one := indexed.label(atom)).token.strip().isalpha())
    word = label.token.strip()
    code, out, err = itda("atoms", "search", NAME, "demo-0-L0", word.upper(), "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["query"] == word.upper()
    first = found["results"][0]
    place = {"token", "context_before", "context_after"}
    by_prompt = {"used_at", "share", "usual"}
    assert {*first} == {"dictionary", "atom", *place, "score", "label", "labels", "why", *by_prompt}
    assert first["token"].strip().lower() == word.lower()
    assert (NAME, label.atom) in {(one["dictionary"], one["atom"]) for one in found["results"]}
    context = json.loads(itda("atoms", "search", NAME, "the", "--by", "context", "--most", 3, "--json")[1])
    assert len(context["results"]) == 3
    firing = json.loads(itda("atoms", "search", NAME, "the", "--by", "firing", "--json")[1])
    assert "tokens of “the”" in firing["results"][0]["why"]
    code, out, _ = itda("atoms", "search", NAME, word)
    assert "its token is" in out


def test_a_prompt_finds_what_it_uses_most(itda: Cli, indexed: AtomDictionary) -> None:
    text = "The little dog ran to the park."
    code, out, err = itda("atoms", "search", NAME, text, "--by", "prompt", "--json")
    assert code == 0, err
    found = json.loads(out)["results"]
    model = load_model("demo:0", head=False)
    from itda_core.analysis import decompose

    tokens = [one for one in decompose(model, indexed, text).tokens if not one.special]
    uses = [(token, use) for token in tokens for use in token.atoms if use.atom == found[0]["atom"]]
    token, use = max(uses, key=lambda one: abs(one[1].coefficient))
    assert found[0]["used_at"][0] == {
        "index": token.index, "token": token.text, "coefficient": pytest.approx(use.coefficient, rel=1e-4)
    }  # fmt: skip
    share = sum(abs(use.coefficient) / token.norm for token, use in uses) / len(tokens)
    assert found[0]["share"] == pytest.approx(share, rel=1e-4)
    index = index_of(indexed)
    assert index is not None
    entries = index.entries(found[0]["atom"])
    norms = index.all_tokens.norm[entries.token]
    usual = float((np.abs(entries.coefficient) / norms).sum()) / index.description.tokens
    assert found[0]["usual"] == pytest.approx(usual, rel=0.2, abs=1e-4)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)


def test_all_dictionaries_of_a_model_are_searched(itda: Cli) -> None:
    code, out, err = itda("atoms", "search", "--all-of", "demo:0", "the", "--by", "context", "--json", "--most", 2000)
    assert code == 0, err
    searched = {one["dictionary"] for one in json.loads(out)["results"]}
    assert searched == {entry.name for entry in Library().entries() if entry.model == "demo:0"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dog"], "No dictionary was named"),
        (["--all-of", "nobody/nothing", "dog"], "No dictionary of nobody/nothing is in the library"),
        ([NAME, " "], "There is nothing to search for"),
        ([NAME, "dog", "--by", "magic"], "by='magic' is unknown; choose one of token, context, prompt, firing"),
        (["nothing-such", "dog"], "nothing-such"),
    ],
)
def test_what_cannot_be_searched_is_said(itda: Cli, arguments: list[str], sentence: str) -> None:
    code, out, err = itda("atoms", "search", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err


def test_nothing_found_is_said(itda: Cli) -> None:
    code, out, _ = itda("atoms", "search", NAME, "<script>alert(1)</script>")
    assert (code, out.startswith("No atom was found")) == (0, True)


def test_honesty_is_measured_once_and_kept(indexed: AtomDictionary, monkeypatch: pytest.MonkeyPatch) -> None:
    index = index_of(indexed)
    assert index is not None
    first = honesty_of(indexed, index)
    assert "same_span" in first.matches  # the bundled corpus knows
    monkeypatch.setattr("itda_core.analysis.atoms.honesty.honesty.measure", None)
    again = honesty_of(indexed, index)
    np.testing.assert_array_equal(first.matches["same_token"], again.matches["same_token"])


def test_a_kept_honesty_that_is_damaged_is_measured_again(indexed: AtomDictionary) -> None:
    index = index_of(indexed)
    assert index is not None
    first = honesty_of(indexed, index)
    (index.folder / "honesty.parquet").write_bytes(b"nothing")
    again = honesty_of(indexed, index)
    np.testing.assert_array_equal(first.matches["same_token"], again.matches["same_token"])


def test_only_labels_from_the_bundled_corpus_have_a_truth(itda: Cli) -> None:
    dictionary = AtomDictionary.load(Library().find(NAME))
    truth = truth_about(dictionary)
    assert truth is not None
    assert truth.kind(dictionary.label(0).document) is not None
    from dataclasses import replace

    other = AtomDictionary(
        dictionary.atoms, dictionary.mean, dictionary.provenance,
        replace(dictionary.spec, corpus_fingerprint="0" * 64), dictionary.config, dictionary.stats,
    )  # fmt: skip
    assert truth_about(other) is None
