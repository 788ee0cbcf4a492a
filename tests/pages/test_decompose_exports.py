"""What the decompose page gives to take along, and what it says of the prompt's length."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from itda_core.analysis.decompose import AtomUse
from itda_core.analysis.replay import Prediction, Replay, ReplayStep
from itda_core.dictionaries import AtomDictionary
from itda_core.figures.decomposition_page import Beside, decomposition_page
from itda_core.runs.library import Library
from pages.ui.decompose.exports import Read, exports
from tests.conftest import Cli
from tests.figures.test_charts import decomposition
from tests.figures.test_pages import Read as ReadPage
from tests.pages.conftest import SCRIPT, K, Studio, components

PROMPT = 'The little dog\'s\n park -- "so" $HOME.'


def captions(test: object) -> list[str]:
    return [caption.value for caption in test.caption]  # pyright: ignore[reportAttributeAccessIssue]


def test_tokens_are_counted_against_the_models_context(studio: Studio, model_of: Callable) -> None:
    context = model_of("gpt2").context
    test = studio.open("decompose", prompt="The little dog")
    [row] = components(test, "token_row")
    said = [caption for caption in captions(test) if "a longer prompt" in caption]
    n = len(row["tokens"])
    assert said == [f"{n:,} of {context:,} tokens; a longer prompt is refused, nothing is cut off."]
    long = studio.open("decompose", prompt="dog " * (context + 5))
    assert not [caption for caption in captions(long) if "a longer prompt" in caption]
    assert any(f"more than the context of {context}" in data["text"] for data in components(long, "notice"))


def test_the_json_names_the_dictionary_and_its_command_makes_it_again(
    studio: Studio, itda: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pages.ui.frame import engine

    monkeypatch.setenv("ITDA_HOME", str(studio.home))
    (entry,) = Library().entries()
    shown = engine.decomposition(engine.key_of(entry.path), PROMPT, K - 1, "omp", True)
    _, mime, made = exports(Read(entry, shown), show_special=False)["JSON"]
    content = made()
    read = json.loads(content)
    assert mime == "application/json"
    assert read["dictionary"] == entry.name
    assert Path(shown.model).is_absolute()
    assert read["model"] == Path(shown.model).name
    assert str(Path(shown.model).parent) not in str(content)
    assert read["prompt"] == PROMPT
    program, *arguments = shlex.split(read["command"])
    assert program == "itda"
    code, out, _ = itda(*arguments, "--json", "--device", "cpu")
    assert code == 0
    again = json.loads(out)
    assert [[use["atom"] for use in token["atoms"]] for token in again["tokens"]] == [
        [use["atom"] for use in token["atoms"]] for token in read["tokens"]
    ]
    assert (again["k"], again["method"], again["prompt"]) == (K - 1, "omp", PROMPT)


def test_the_page_has_the_chosen_token_its_replay_and_the_colours_of_signs() -> None:
    shown = decomposition("<s>", " dog", " <b>", special=frozenset({0}))
    use = replace(shown.tokens[1].atoms[0], coefficient=1.5)
    shown = replace(shown, tokens=(shown.tokens[0], replace(shown.tokens[1], atoms=(use,)), shown.tokens[2]))
    steps = (
        ReplayStep(1, use.atom, 1.25, 0.5, (Prediction(SCRIPT, 0.6),)),
        ReplayStep(2, 77, -0.0001, 0.25, (Prediction("cat", 0.7),)),
        ReplayStep(3, 78, -2.0, 0.125, ()),
    )
    replayed = Replay(1, "mp", steps, (Prediction("cat", 0.8),))
    text = decomposition_page(shown, dictionary="mine", chosen=1, replay=replayed, command=f"itda '{SCRIPT}'")
    read = ReadPage(text)
    assert "script" not in read.tags
    assert read.text.count(SCRIPT) >= 2
    assert text.count('class="chosen"') == 2  # in the row, and its section
    assert '<section id="t1" class="chosen">' in text
    assert "The pursuit replayed" in read.text.partition("Token 2")[0]
    assert "The pursuit replayed" not in read.text.partition("Token 2")[2]
    for word in ("+1.250", "−2.000", "0.5000", "0.2500", "0.1250", "cat 70%", "the activation itself"):
        assert word in read.text
    assert "-0.000" not in read.text
    assert "−0.000" not in read.text
    assert text.count('<tr class="negative">') == 3  # two steps, and the other token's atom
    assert text.count('<tr class="positive">') == 2
    assert "<b><bdi>cat</bdi> 70%</b>" in text
    assert "Orange: a negative coefficient; indigo: a positive one." in read.text.replace("\n", " ")


def test_the_page_is_coloured_as_the_row_was_and_says_by_what() -> None:
    shown = decomposition("<s>", " dog", " <b>", special=frozenset({0}))
    weights = {1: 3.0, 2: -1.5}
    tokens = [
        replace(token, atoms=tuple(replace(use, atom=7, coefficient=weights[token.index]) for use in token.atoms))
        for token in shown.tokens[1:]
    ]
    shown = replace(shown, tokens=(shown.tokens[0], *tokens))
    atom = 7
    by_atom = decomposition_page(shown, dictionary="d", colour="atom", pinned=atom)
    read = ReadPage(by_atom)
    row = by_atom.partition('<div class="row">')[2].partition("</div>")[0]
    assert "background:rgba(99,102,241,0.550)" in row  # the larger one
    assert "background:rgba(234,88,12,0.275)" in row  # half of it, and negative
    assert 'href="#t0"' not in row
    assert row.count('class="pinned"') == 2
    assert f"Coefficient of atom {atom}" in read.text
    assert "−3.00" in read.text
    assert "+3.00" in read.text
    assert f"Underlined: tokens that use atom {atom}." in read.text
    by_error = decomposition_page(shown, dictionary="d", show_special=True)
    assert 'href="#t0" class="special"' in by_error
    top = max(token.relative_error for token in tokens)
    legend = by_error.partition('<div class="muted scale">')[2].partition("</div>")[0]
    assert ReadPage(legend).text.split() == ["Relative", "error", "0", f"{top:.3f}"]
    assert "Underlined" not in by_error
    strongest = ReadPage(decomposition_page(shown, dictionary="d", colour="strongest", pinned=atom)).text
    assert f"atom {atom} × 2" in strongest


def test_the_export_of_the_page_is_as_the_page_is(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.ui.frame import shell

    offered: list[shell.Files] = []
    monkeypatch.setattr(shell.Shell, "export", lambda _, files: offered.append(files))
    for colour, special in ((None, None), ("strongest", "shown"), ("error", None)):
        given = {"colour": colour, "special": special, "atom": "1", "prompt": PROMPT}
        test = studio.open("decompose", **{name: value for name, value in given.items() if value is not None})
        [row] = components(test, "token_row")
        page = str(offered[-1]["Web page (works offline)"][2]())
        drawn = page.partition('<div class="row">')[2].partition("</div>")[0]
        assert [int(i) for i in re.findall(r'href="#t(\d+)"', drawn)] == [token["index"] for token in row["tokens"]]
        assert [float(alpha) for alpha in re.findall(r",([\d.]+)\)", drawn)] == [t["alpha"] for t in row["tokens"]]
        assert row["legend"]["title"] in ReadPage(page).text
        [link] = [code.value for code in test.code if "/decompose?" in code.value]
        assert ("colour=" in link, f"colour={colour}" in link) == (colour is not None, colour is not None)


def test_the_replay_has_the_label_of_an_atom_that_left_again() -> None:
    shown = decomposition(" dog")
    gone = AtomUse(77, 0.0, 0.0, " cat", f"{SCRIPT} the", " sat", "d", 0, 3)
    steps = (ReplayStep(1, 77, 0.5, 0.5, ()), ReplayStep(2, 77, 0.0, 0.5, ()))
    uses = {77: gone}
    read = ReadPage(decomposition_page(shown, dictionary="d", chosen=0, replay=Replay(0, "omp", steps, ()), uses=uses))
    assert "script" not in read.tags
    assert f"{SCRIPT} the cat sat atom 77, left again later" in read.text
    remark = "taken for the second time; the coefficient is fitted anew; left again at once"
    assert f"cat sat atom 77, {remark}" in read.text


def test_a_special_token_that_was_chosen_is_there_and_nothing_need_be_chosen() -> None:
    shown = decomposition("<s>", " dog", special=frozenset({0}))
    assert 'id="t0"' in decomposition_page(shown, dictionary="d", chosen=0)
    plain = decomposition_page(shown, dictionary="d")
    assert 'id="t0"' not in plain
    assert 'class="chosen"' not in plain


def test_a_second_dictionary_is_in_every_export(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.ui.frame import engine

    monkeypatch.setenv("ITDA_HOME", str(studio.home))
    shutil.copytree(studio.dictionary, studio.home / "library" / "other")
    entries = {entry.name: entry for entry in Library().entries()}
    first, second = (
        Read(entries[name], engine.decomposition(engine.key_of(entries[name].path), PROMPT, k, "omp", True))
        for name, k in ((studio.dictionary.name, 3), ("other", 2))
    )
    files = exports(first, second, show_special=False)
    read = json.loads(files["JSON"][2]())
    assert (read["dictionary"], read["k"], read["beside"]["dictionary"], read["beside"]["k"]) == (
        *(first.entry.name, 3),
        *("other", 2),
    )
    assert read["beside"]["identity"] == second.entry.identity
    assert read["beside"]["command"].startswith("itda decompose other --prompt")
    assert not Path(read["beside"]["model"]).is_absolute()
    rows = pd.read_csv(io.StringIO(str(files["CSV"][2]())), keep_default_na=False)
    for one in (first, second):
        atoms = rows["atom"][rows["dictionary"] == one.entry.name].tolist()
        assert atoms == [use.atom for token in one.shown.tokens for use in token.atoms]
    page = ReadPage(str(files["Web page (works offline)"][2]()))
    assert "Beside it: other" in page.text
    section = page.text.partition("Token 1: ")[2].partition("Token 2: ")[0]
    mine, _, others = section.partition("other")
    for one, text in ((first, mine), (second, others)):
        assert f"relative error {one.shown.tokens[1].relative_error:.4f}" in text


def test_the_page_exports_what_stands_beside_and_nothing_that_failed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pages.ui.frame import shell

    shutil.copytree(studio.dictionary, studio.home / "library" / "other")
    own = AtomDictionary.load(studio.dictionary)
    frame = own.provenance.query("atom < 2").reset_index(drop=True)
    AtomDictionary(own.atoms[:2], own.mean, frame, own.spec, own.config, own.stats).save_pretrained(
        studio.home / "library" / "small"
    )
    offered: list[shell.Files] = []
    monkeypatch.setattr(shell.Shell, "export", lambda _, files: offered.append(files))
    for name in ("other", "small"):
        studio.open("decompose", dictionary=studio.dictionary.name, prompt=PROMPT, k="3", beside=name)
    both, alone = (json.loads(files["JSON"][2]()) for files in offered)
    assert both["beside"]["dictionary"] == "other"
    assert "beside" not in alone


def test_the_page_says_where_the_second_model_has_no_such_token() -> None:
    shown, other = decomposition("a", "b"), decomposition("a ", "b")
    other = replace(other, tokens=(replace(other.tokens[0], char_end=2), replace(other.tokens[1], char_start=2)))
    read = ReadPage(decomposition_page(shown, dictionary="d", beside=Beside(SCRIPT, other)))
    assert "script" not in read.tags
    assert read.text.count(SCRIPT) >= 3
    assert "None of its model's tokens ends where this one does." in read.text.partition("Token 0")[2]
    assert "Its token that ends at the same character: a" in read.text.partition("Token 1")[2]
