"""The Atoms page: one atom, all of them, without an index, with a damaged one; whatever the labels and notes hold."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from itda_core.analysis.atoms.build import index_atoms
from itda_core.analysis.atoms.honesty.grades import GRADES, of_atom
from itda_core.analysis.atoms.honesty.grades import grades as graded
from itda_core.analysis.atoms.honesty.stored import stored
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.logits.direct_logits import DirectLogits, TokenLogit
from itda_core.analysis.atoms.logits.stored_logits import store as store_logits
from itda_core.dictionaries import AtomDictionary
from itda_core.runs.atoms.notes import keep_note, path_of, read_notes
from itda_core.runs.indexing import indices
from itda_core.runs.library import LibraryEntry
from pages.ui.frame import atoms_engine, engine
from pages.ui.home.day import of_the_day
from tests.pages.conftest import (
    HOSTILE,
    N_ATOMS,
    SCRIPT,
    Studio,
    asked_for,
    components,
    grow,
    notices,
    page_links,
    parsed_text,
)

TOKENS = 400


@pytest.fixture(scope="session")
def index_made(grown: Path, model_folder_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the small dictionary."""
    folder = tmp_path_factory.mktemp("index") / "made"
    make_index(grown, model_folder_of("gpt2"), folder)
    return folder


def make_index(grown: Path, model_folder: Path, folder: Path) -> None:
    """An index of text that is as hostile as the labels."""
    from itda_core.models import load_model
    from itda_core.text import Corpus, Document
    from tests.conftest import generated_text

    texts = [f"{SCRIPT} {text}\n{HOSTILE[1]}\n{text}" for text in generated_text(20)]
    corpus = Corpus.from_documents("other", [Document(f"d{i}{SCRIPT}", text) for i, text in enumerate(texts)])
    model = load_model(str(model_folder))
    dictionary = AtomDictionary.load(grown)
    dictionary.config = replace(dictionary.config, context=model.context)
    for _ in index_atoms(model, dictionary, corpus, tokens=TOKENS, folder=folder):
        pass


@pytest.fixture
def identity(studio: Studio) -> str:
    return str(AtomDictionary.load(studio.dictionary).identity)


@pytest.fixture
def indexed(studio: Studio, index_made: Path, identity: str) -> AtomIndex:
    """The studio's dictionary has this index."""
    target = indices.folder_for(identity, "0" * 64, TOKENS)
    shutil.copytree(index_made, target)
    return AtomIndex.open(target)


def used_most(index: AtomIndex) -> int:
    return int(np.argmax(index.sums["positive"] + index.sums["negative"]))


def table(test: Any) -> dict[str, Any]:
    return components(test, "atom_table")[0]


def listed(test: Any) -> list[int]:
    return [row["atom"] for row in table(test)["rows"]]


def test_an_atom_shows_its_label_and_where_it_fires(studio: Studio, indexed: AtomIndex) -> None:
    atom = used_most(indexed)
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom=str(atom))
    assert not notices(test)
    (label,) = components(test, "label_list")[0]["labels"]
    assert label["token"] == HOSTILE[atom % 2]
    entries = indexed.entries(atom)
    facts = dict(components(test, "fact_table")[0]["facts"])
    n = indexed.description.tokens
    assert f"{len(entries.token):,} of {n:,}" in facts["Used by"]
    (examples,) = components(test, "example_list")
    strongest = examples["sections"][0]["groups"]
    shown = {piece[1]: piece[2] for group in strongest for one in group["examples"] for piece in one["pieces"]}
    expected = dict(zip(entries.token.tolist(), entries.coefficient.tolist(), strict=True))
    assert shown
    for token, value in shown.items():
        if token is not None:
            assert value == pytest.approx(expected.get(token, 0.0), abs=1e-4)
    assert examples["top"] == pytest.approx(np.abs(entries.coefficient).max(), rel=1e-6)
    assert all(text not in parsed_text(test) for text in HOSTILE)


@pytest.mark.parametrize("text", ["running", "tokens"])
def test_an_example_holds_the_windows_text(studio: Studio, indexed: AtomIndex, text: str) -> None:
    atom = used_most(indexed)
    test = studio.open(
        "atoms", dictionary=studio.dictionary.name, atom=str(atom), text=text, window="whole", breaks="shown"
    )
    (examples,) = components(test, "example_list")
    assert (examples["separate"], examples["breaks"]) == (text == "tokens", True)
    one = examples["sections"][0]["groups"][0]["examples"][0]
    token = one["pieces"][one["at"]][1]
    (window,) = indexed.windows(indexed.tokens([token]).window)
    written = "".join(piece[0] for piece in one["pieces"])
    if text == "running":
        assert written.replace("↵", "\n").strip() == window.text.strip()
    breaks = [piece for piece in one["pieces"] if piece[3]]
    assert len(breaks) >= 1, "the text has lines"


def test_an_example_leads_to_its_token_in_decompose(studio: Studio, indexed: AtomIndex, identity: str) -> None:
    atom = used_most(indexed)
    entries = indexed.entries(atom)
    token = int(entries.token[int(np.argmax(np.abs(entries.coefficient)))])
    key = engine.key_of(studio.dictionary)
    index_of = atoms_engine.index_key(identity)
    assert index_of is not None
    place = atoms_engine.in_decompose(key, index_of, token)
    (window,) = indexed.windows(indexed.tokens([token]).window)
    assert place.prompt == window.text
    shown = engine.decomposition(key, place.prompt, 4, "mp").tokens[place.token]
    end = int(indexed.tokens([token]).char_end[0]) - window.window_start
    assert shown.char_start < end <= shown.char_end
    value = next(use.coefficient for use in shown.atoms if use.atom == atom)
    assert value == pytest.approx(float(np.abs(entries.coefficient).max()) * np.sign(value), rel=1e-3)


def test_a_dead_atom_says_so(studio: Studio, indexed: AtomIndex) -> None:
    uses = indexed.sums["positive"] + indexed.sums["negative"]
    dead = np.flatnonzero(uses == 0)
    if not len(dead):
        pytest.skip("every atom is used")
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom=str(dead[0]))
    assert any("dead" in text for text in notices(test))


def test_without_an_index_what_needs_none_is_there(studio: Studio) -> None:
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom="3")
    assert any("no index" in text for text in notices(test))
    assert not components(test, "example_list")
    atoms = AtomDictionary.load(studio.dictionary).atoms
    cosines = (atoms @ atoms[3]).numpy()
    cosines[3] = -2
    nearest = components(test, "atom_table")[0]["rows"]
    assert nearest[0]["atom"] == int(cosines.argmax())
    test.session_state["atoms.prompt"] = "My sister walked"
    test.run()
    (row,) = components(test, "token_row")
    assert "".join(token["text"] for token in row["tokens"]).startswith("My")
    assert asked_for(test)["own"] == "My sister walked"


def test_an_atom_out_of_range_is_named_and_all_are_shown(studio: Studio) -> None:
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom="4000")
    assert any(f"There is no atom 4000; this dictionary has atoms 0 to {N_ATOMS - 1}" in text for text in notices(test))
    assert listed(test) == list(range(N_ATOMS))


@pytest.mark.parametrize("file", ["entries.parquet", "index.json", "codes.npy"])
def test_a_damaged_index_is_said_and_the_rest_is_there(studio: Studio, indexed: AtomIndex, file: str) -> None:
    (indexed.folder / file).write_bytes(b"nothing of the kind")
    for address in ({}, {"atom": "1"}):
        test = studio.open("atoms", dictionary=studio.dictionary.name, **address)
        assert len([text for text in notices(test) if "damaged" in text]) == 1
        assert components(test, "atom_table")


def test_an_index_of_another_version_is_said(studio: Studio, indexed: AtomIndex) -> None:
    path = indexed.folder / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom="1")
    assert any("format version 99" in text for text in notices(test))


def test_an_index_of_a_text_that_changed_says_so_and_is_read(studio: Studio, indexed: AtomIndex) -> None:
    text = studio.home / "text.txt"
    text.write_text("Something else by now.")
    indices.remember_source(indexed.folder, str(text))
    text.write_text("Something else again, and longer.")
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom=str(used_most(indexed)))
    assert any("has changed since" in said for said in notices(test))
    assert components(test, "example_list")


def test_the_table_is_sorted_on_the_server(studio: Studio, indexed: AtomIndex) -> None:
    test = studio.open("atoms", dictionary=studio.dictionary.name)
    uses = indexed.sums["positive"] + indexed.sums["negative"]
    assert listed(test) == np.lexsort((np.arange(N_ATOMS), -uses)).tolist()
    error = AtomDictionary.load(studio.dictionary).provenance["error"].to_numpy()
    test = studio.open("atoms", dictionary=studio.dictionary.name, sort="error", down="no")
    assert listed(test) == np.lexsort((np.arange(N_ATOMS), error)).tolist()
    largest = np.maximum(np.abs(indexed.sums["largest"]), np.abs(indexed.sums["smallest"]))
    test = studio.open("atoms", dictionary=studio.dictionary.name, sort="largest")
    assert [largest[atom] for atom in listed(test)] == sorted(largest, reverse=True)
    assert all(text not in parsed_text(test) for text in HOSTILE)


def test_the_table_is_filtered_and_says_when_nothing_passes(studio: Studio, indexed: AtomIndex) -> None:
    test = studio.open("atoms", dictionary=studio.dictionary.name, find="ALERT(1)")
    labels = [row["token"] + row["before"] for row in table(test)["rows"]]
    assert labels
    assert all("alert(1)" in text for text in labels)
    test.text_input(key="atoms.find").set_value("nowhere at all").run()
    assert listed(test) == []
    assert table(test)["empty"] == "No atom passes these filters."
    assert asked_for(test)["find"] == "nowhere at all"


def test_pages_of_the_table_hold_all_atoms_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.ui.atoms import browse

    monkeypatch.setattr(browse, "PER_PAGE", 15)
    test = studio.open("atoms", dictionary=studio.dictionary.name)
    seen = []
    for page in (1, 2, 3):
        test.query_params["page"] = str(page)
        test.run()
        seen.append(listed(test))
    assert [len(part) for part in seen] == [15, 15, 10]
    assert sorted(atom for part in seen for atom in part) == list(range(N_ATOMS))


def test_stars_and_notes_are_kept_and_stay_text(studio: Studio, identity: str) -> None:
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom="5")
    test.button(key="atoms.star").click().run()
    test.text_area[0].set_value("=1+1 " + SCRIPT).run()
    assert read_notes(identity).of(5).star
    assert read_notes(identity).of(5).text == "=1+1 " + SCRIPT
    assert test.text_area[0].proto.default == "=1+1 " + SCRIPT  # what a browser shows that draws the field anew
    test = studio.open("atoms", dictionary=studio.dictionary.name, only="starred")
    assert listed(test) == [5]
    assert table(test)["rows"][0]["cells"]["star"] == "★✎"
    assert SCRIPT not in parsed_text(test)


def test_damaged_notes_are_said_and_nothing_of_them_is_lost(studio: Studio, identity: str) -> None:
    keep_note(identity, 1, star=True)
    path_of(identity).write_text("{")
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom="2")
    assert any("damaged" in text for text in notices(test))
    test.button(key="atoms.star").click().run()
    assert read_notes(identity).starred == (2,)
    assert path_of(identity).with_name(f"{identity}.damaged-1.json").read_text() == "{"


def test_what_is_exported_is_safe_in_a_spreadsheet(studio: Studio, identity: str) -> None:
    from pages.ui.atoms import all_atoms

    keep_note(identity, 0, text="=HYPERLINK(1)")
    key = engine.key_of(studio.dictionary)
    entry = next(one for one in engine.entries() if one.path == studio.dictionary)
    rows = atoms_engine.rows(key, None)
    files = all_atoms.exports(entry, rows, read_notes(identity), [2, 0])
    _, _, made = files["CSV"]
    found = list(csv.DictReader(io.StringIO(str(made()))))
    assert [row["atom"] for row in found] == ["2", "0"]
    assert found[1]["note"] == "'=HYPERLINK(1)"
    assert found[0]["token"] == HOSTILE[0]


def test_one_atom_is_exported_whole(studio: Studio, indexed: AtomIndex) -> None:
    from pages.ui.atoms import exports

    atom = used_most(indexed)
    key = engine.key_of(studio.dictionary)
    entry = next(one for one in engine.entries() if one.path == studio.dictionary)
    index_of = atoms_engine.index_key(entry.identity)
    assert index_of is not None
    found = atoms_engine.use(key, index_of, atom)
    labels = engine.dictionary(key).labels(atom)
    report = partial(atoms_engine.report, key, index_of, atom, entry.name, None)
    files = exports.exports(entry, labels, read_notes(None).of(0), found, indexed.description, report, None)
    told = json.loads(str(files["JSON"][2]()))
    assert (told["atom"], told["tokens"]) == (atom, len(indexed.entries(atom).token))
    assert told["index"]["tokens"] == indexed.description.tokens
    page = str(files["Web page (works offline)"][2]())
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert " src=" not in page
    assert page.count("<svg") >= 2


def test_the_map_is_drawn_and_a_lasso_lists(studio: Studio, indexed: AtomIndex) -> None:
    test = studio.open("atoms", dictionary=studio.dictionary.name, show="map", colour="frequency")
    figure = next(element for element in _charts(test))
    places = atoms_engine.pca(engine.key_of(studio.dictionary)).places
    atoms = [atom for trace in figure["data"] for atom in trace["customdata"]]
    assert sorted(atoms) == list(range(N_ATOMS))
    xs = {atom: x for trace in figure["data"] for atom, x in zip(trace["customdata"], trace["x"], strict=True)}
    assert [xs[atom] for atom in range(N_ATOMS)] == pytest.approx(places[:, 0].tolist(), abs=1e-3)
    test.session_state["atoms.lasso"] = (str(studio.dictionary), [4, 7])
    test.run()
    assert sorted(listed(test)) == [4, 7]
    assert "but for the lasso: it lists all atoms" in _about_the_address(test)
    test.button(key="atoms.lasso.forget").click().run()
    assert len(listed(test)) == N_ATOMS
    assert _about_the_address(test) == "This address shows what you see now:"


def _about_the_address(test: AppTest) -> str:
    """What Share says of the link."""
    return next(one.value for one in test.caption if one.value.startswith("This address"))


def _charts(test: Any) -> list[Any]:
    from tests.pages.conftest import elements

    found = [one.proto for one in elements(test) if getattr(one, "type", "") == "plotly_chart"]
    return [json.loads(proto.spec) for proto in found]


@pytest.mark.parametrize(
    ("by", "text", "why"),
    [
        ("token", "ALERT", "its token"),
        ("context", "alert", "“alert”"),
        ("prompt", "My sister walked", "times the usual"),
    ],
)
def test_a_search_finds_atoms_and_says_why(studio: Studio, indexed: AtomIndex, by: str, text: str, why: str) -> None:
    test = studio.open("atoms", dictionary=studio.dictionary.name, q=text, by=by)
    found = components(test, "atom_table")[0]
    assert found["label"] == "Atoms that were found"
    assert found["rows"]
    assert all(why in row["cells"]["why"] for row in found["rows"])
    assert all(hostile not in parsed_text(test) for hostile in HOSTILE)


@pytest.mark.parametrize("by", ["token", "context", "firing", "prompt"])
def test_a_search_that_finds_nothing_says_so(studio: Studio, by: str) -> None:
    text = "word " * 400 if by == "prompt" else "xyzzyx"
    test = studio.open("atoms", dictionary=studio.dictionary.name, q=text, by=by)
    said = {"firing": "needs an index", "prompt": "context"}.get(by, "No atom was found")
    assert any(said in text for text in notices(test))
    assert len(listed(test)) == N_ATOMS, "nothing else is lost"


def test_honesty_is_measured_once_and_shown(studio: Studio, indexed: AtomIndex) -> None:
    atom = used_most(indexed)
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom=str(atom))
    test.button(key="atoms.honesty.measure").click().run()
    tallies = stored(indexed)
    assert tallies is not None
    grade = of_atom(tallies, atom).grade
    assert any(grade.casefold() in text.casefold() for text in notices(test))
    test = studio.open("atoms", dictionary=studio.dictionary.name, sort="grade")
    numbers = graded(tallies)
    assert [numbers[one] for one in listed(test)] == sorted(numbers)
    test = studio.open("atoms", dictionary=studio.dictionary.name, only="misleads")
    assert sorted(listed(test)) == np.flatnonzero(numbers == GRADES.index("label misleads")).tolist()


def test_other_pages_lead_to_an_atom(studio: Studio) -> None:
    test = studio.open("decompose", prompt="My sister walked to the library")
    atom = components(test, "atom_list")[0]["atoms"][0]["atom"]
    test.session_state["navigation.next"] = ("Atoms", {"dictionary": studio.dictionary.name, "atom": atom})
    test.run()
    assert asked_for(test)["atom"] == str(atom)
    test = studio.open("library", dictionary=studio.dictionary.name)
    assert "Its atoms" in page_links(test)


def test_what_an_atom_writes_is_told_without_the_model_where_it_is_kept(
    studio: Studio, indexed: AtomIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    atom = used_most(indexed)
    moved = [DirectLogits((TokenLogit(SCRIPT, 2.5 + i),), (TokenLogit(" x", -1.5 - i),)) for i in range(N_ATOMS)]
    store_logits(indexed, moved)
    with monkeypatch.context() as patch:
        patch.setattr(atoms_engine, "written", None)  # whoever asks the model fails
        test = studio.open("atoms", dictionary=studio.dictionary.name, atom=str(atom))
    chart = next(json.loads(one.proto.spec) for one in test.get("plotly_chart") if one.proto.id.endswith("logits"))
    shown = {value for trace in chart["data"] for value in trace["x"]}
    assert shown == {2.5 + atom, -1.5 - atom}
    # Damaged: the model is offered instead.
    (indexed.folder / "logits.parquet").write_bytes(b"")
    st.cache_data.clear()
    st.cache_resource.clear()
    test = studio.open("atoms", dictionary=studio.dictionary.name, atom=str(atom))
    assert test.button(key="atoms.writes.load")


def test_an_encoder_writes_no_logits_and_says_so(
    studio: Studio, model_folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    name = "encoder-L1"
    grow(model_folder_of("bert"), studio.home / "library" / name)
    make_index(studio.home / "library" / name, model_folder_of("bert"), tmp_path / "made")
    identity = str(AtomDictionary.load(studio.home / "library" / name).identity)
    shutil.copytree(tmp_path / "made", indices.folder_for(identity, "0" * 64, TOKENS))
    key = engine.key_of(studio.home / "library" / name)
    opened = AtomIndex.open(tmp_path / "made")
    atom = used_most(opened)
    test = studio.open("atoms", dictionary=name, atom=str(atom))
    test.button(key="atoms.writes.load").click().run()
    assert any("predicts no next token" in text.value for text in test.text)
    assert components(test, "example_list")
    index_of = atoms_engine.index_key(identity)
    assert index_of is not None
    for token in opened.entries(atom).token[:5].tolist():  # pieces of words: a window may begin within one
        place = atoms_engine.in_decompose(key, index_of, token)
        (window,) = opened.windows(opened.tokens([token]).window)
        spans = engine.read_prompt(key, place.prompt).window.spans
        end = int(opened.tokens([token]).char_end[0]) - window.window_start
        assert spans[place.token][0] < end <= spans[place.token][1]


def test_every_day_has_an_atom_of_a_bundled_dictionary() -> None:
    entries = [LibraryEntry(Path(f"d{i}"), f"d{i}", bundled=i < 3, atoms=1024, selection="consensus") for i in range(4)]
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(400)]
    found = [of_the_day(entries, day) for day in days]
    assert all(one is not None and one.entry.bundled and 0 <= one.atom < 1024 for one in found)
    assert len({(one.entry.name, one.atom) for one in found if one}) == 400
    assert of_the_day(entries[3:], days[0]) is None


@pytest.mark.parametrize("atom", ["99999", "abc", "-1", "3.5"])
def test_an_atom_that_is_not_there_is_said_as_long_as_it_is_asked_for(studio: Studio, atom: str) -> None:
    test = studio.open("atoms", atom=atom)
    for _ in range(2):
        assert any(f"There is no atom {atom}" in sentence for sentence in notices(test))
        assert components(test, "atom_table")
        test.run()


def test_what_an_atom_does_at_an_example_is_what_the_engine_says(studio: Studio, indexed: AtomIndex) -> None:
    from itda_core.analysis.atoms.examples import examples_of
    from itda_core.analysis.interventions.attribute import attribute
    from itda_core.models import load_model

    atom, dictionary = used_most(indexed), AtomDictionary.load(studio.dictionary)
    asked = {"dictionary": studio.dictionary.name, "atom": str(atom)}
    closed = studio.open("atoms", **asked)
    assert "atoms.example" not in {box.key for box in closed.selectbox}
    found = examples_of(indexed, atom, dictionary.labels(atom))
    one = max((*found.positive, *found.negative), key=lambda example: abs(example.coefficient))
    test = studio.open("atoms", **asked, here="True")
    assert test.selectbox(key="atoms.example").value == one.token
    shown = {metric.label: metric.value.replace("−", "-") for metric in test.metric}
    window = one.text
    model = load_model(dictionary.spec.model)
    expected = attribute(model, dictionary, window, token=one.position, check=10**6)
    parts = [part for part in expected.layers[0].parts if part.effect]
    rank = [(part.token, part.atom) for part in parts].index((one.position, atom))
    assert float(shown["Effect"]) == pytest.approx(parts[rank].effect, abs=1e-3)
    assert shown["Rank"] == f"{rank + 1} of {len(parts)}"
    assert float(shown["If removed"]) == pytest.approx(expected.layers[0].checked[rank].measured, abs=1e-3)
    assert f"token={one.position}" in page_links(test)["All atoms' parts, in Decompose"]
    assert all(text not in parsed_text(test) for text in HOSTILE)
    other = next(example for example in (*found.positive, *found.negative) if example.token != one.token)
    chosen = studio.open("atoms", **asked, here="True", example=str(other.token))
    assert chosen.selectbox(key="atoms.example").value == other.token
    assert any("example=-1" in said for said in notices(studio.open("atoms", **asked, here="True", example="-1")))


def test_the_command_names_the_dictionary_by_its_name_where_that_suffices(
    studio: Studio, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path_factory.mktemp("elsewhere") / "text.txt"
    text.write_text("One line.\n" * 50)

    def command() -> str:
        test = studio.open("atoms", dictionary=studio.dictionary.name)
        codes = [code.value for code in test.text_input(key="atoms.index.corpus").set_value(str(text)).run().code]
        return next(code for code in codes if code.startswith("itda atoms index"))

    assert command().startswith(f"itda atoms index {studio.dictionary.name}")
    assert str(studio.home) not in command()
    elsewhere = tmp_path / "elsewhere" / studio.dictionary.name
    shutil.copytree(studio.dictionary, elsewhere)
    monkeypatch.chdir(elsewhere.parent)  # where the name means another folder
    assert str(studio.dictionary) in command()


def test_no_index_is_started_of_a_text_that_is_not_found(studio: Studio, tmp_path: Path) -> None:
    """The small dictionary was built on a file of which it knows the name alone."""

    def started(test: AppTest) -> bool:
        return any(button.label == "Start atom index" and not button.disabled for button in test.button)

    test = studio.open("atoms", dictionary=studio.dictionary.name)
    assert any("built on the file made-up, which is not here" in said for said in notices(test))
    assert not started(test)
    field = test.text_input(key="atoms.index.corpus")
    field.set_value(str(tmp_path / "nowhere.txt")).run()
    assert not started(test)
    text = tmp_path / "text.txt"
    text.write_text("One line.\n" * 50)
    test.text_input(key="atoms.index.corpus").set_value(str(text)).run()
    assert not any("is not here" in said for said in notices(test))
    assert started(test)


def test_pairs_that_cannot_be_told_from_chance_are_left_out(studio: Studio, indexed: AtomIndex) -> None:
    atom = used_most(indexed)
    for by in ("lift", "tokens"):
        test = studio.open("atoms", dictionary=studio.dictionary.name, atom=str(atom), **{"with": by})
        (table,) = [
            data for data in components(test, "atom_table") if "lift" in [one["name"] for one in data["columns"]]
        ]
        limits = [float(row["cells"]["lift"].partition("≥ ")[2].rstrip(")").replace(",", "")) for row in table["rows"]]
        assert (min(limits, default=1.0) >= 1) == (by == "lift")
        assert table["rows"] or "as far as this text can tell" in table["empty"]
