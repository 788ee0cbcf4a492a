"""The compare page: what it shows is what the engine and plain Python sets say, and every choice is in its address."""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from itda_core.comparison import JaccardMatrix, LabelSet, jaccard_matrix
from itda_core.comparison.matching.accuracy import accuracy
from itda_core.comparison.matching.table import MatchTable, MeasureResult
from itda_core.comparison.over_training.convergence import Convergence
from itda_core.comparison.over_training.convergence_report import settled
from itda_core.dictionaries import AtomDictionary
from itda_core.errors import UserError
from itda_core.figures import heatmaps
from itda_core.runs import library
from itda_core.runs.comparing import compare
from itda_core.runs.costs.matching import estimate_match
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import MATCHING
from itda_core.runs.library import BUNDLED, Library
from itda_core.runs.matching.request import DICTIONARIES, MatchRequest
from itda_core.runs.matching.status import MatchStatus
from pages.ui.compare import matrix as compare_matrix
from pages.ui.compare import over_training as compare_over_training
from pages.ui.compare.matching import results as matching_results
from pages.ui.components.printable import visible
from pages.ui.frame.engine import TrainingMoment
from tests.pages.conftest import HOSTILE, N_ATOMS, Studio, asked_for, components, notices, parsed_text, startable

NAME = "tiny-L1-resid_post"
FIRST, SECOND, THIRD = "first", "second", "third"
_COLUMNS = ["document", "window_start", "char_end"]


@pytest.fixture
def three(studio: Studio) -> dict[str, set[tuple[Any, ...]]]:
    """Three dictionaries in the library, of two models, and the prefixes of each as a plain set.

    They are copies of one whose labels were cut and moved: the last two share some places with the first.
    """
    frame = pd.read_parquet(studio.dictionary / "provenance.parquet")
    half = N_ATOMS // 2
    # (model, layer, labels that stay where they are): the others are moved to a place of their own
    plan = {FIRST: ("one", 0, N_ATOMS), SECOND: ("one", 1, half), THIRD: (HOSTILE[1], 0, half // 2)}
    prefixes = {}
    for number, (name, (model, layer, kept)) in enumerate(plan.items()):
        folder = studio.home / "library" / name
        shutil.copytree(studio.dictionary, folder)
        moved = frame.copy()
        moved.loc[moved.index >= kept, "char_end"] += 1000 * (number + 1)
        moved["context_before"] = [f"{HOSTILE[i % 2]} {name} " for i in range(len(moved))]
        moved.to_parquet(folder / "provenance.parquet")
        said = json.loads((folder / "dictionary.json").read_text())
        said["spec"] |= {"model": model, "layer": layer, "weights_fingerprint": model}
        (folder / "dictionary.json").write_text(json.dumps(said))
        prefixes[name] = set(moved[_COLUMNS].itertuples(index=False, name=None))
    shutil.rmtree(studio.dictionary)
    return prefixes


def plain(one: set[Any], other: set[Any]) -> float:
    return len(one & other) / len(one | other)


def drawn(test: AppTest) -> tuple[list[str], np.ndarray]:
    """Names and values of the page's heatmap."""
    [data] = components(test, "heatmap")
    values = [[np.nan if cell is None else cell for cell in row] for row in data["values"]]
    return data["rows"], np.array(values, float)


def facts(test: AppTest) -> dict[str, str]:
    [data] = components(test, "fact_table")
    return dict(data["facts"])


def listed(test: AppTest) -> list[dict[str, Any]]:
    [data] = components(test, "label_list")
    return data["labels"]


def test_the_heatmap_is_what_plain_sets_give(studio: Studio, three: dict[str, set[Any]]) -> None:
    names, values = drawn(studio.open("compare"))
    assert sorted(names) == sorted(three)
    expected = [[plain(three[one], three[other]) for other in names] for one in names]
    np.testing.assert_allclose(values, expected)


def test_colours_tell_half_from_all(studio: Studio, three: dict[str, set[Any]]) -> None:
    [data] = components(studio.open("compare"), "heatmap")
    values = np.array(data["values"])
    others = values[~np.eye(3, dtype=bool)]
    assert data["high"] == pytest.approx(others.max())
    assert data["high"] < 1
    assert data["apart"] == np.eye(3, dtype=bool).tolist()
    assert "beside itself, 100%" in data["apart_note"]
    for colours in ("fixed", "z"):  # neither puts two values on one colour
        [data] = components(studio.open("compare", colours=colours), "heatmap")
        assert data["apart"] is None
        assert max(value for row in data["values"] for value in row if value is not None) <= data["high"]


def test_a_dictionary_that_is_part_of_another_is_at_the_ceiling(studio: Studio, three: dict[str, set[Any]]) -> None:
    folder, part = studio.home / "library" / FIRST, studio.home / "library" / "part"
    shutil.copytree(folder, part)
    n = N_ATOMS // 2
    own = AtomDictionary.load(folder)
    frame = own.provenance.query(f"atom < {n}").reset_index(drop=True)
    shutil.rmtree(part)
    AtomDictionary(own.atoms[:n], own.mean, frame, own.spec, own.config, own.stats).save_pretrained(part)
    inside, whole = set(frame[_COLUMNS].itertuples(index=False, name=None)), three[FIRST]
    assert inside < whole
    share = f"{len(inside) / len(whole):.2%}"
    shown = facts(studio.open("compare", cell=f"part~{FIRST}"))["Jaccard"]
    assert shown.startswith(f"{share}, the ceiling: every label of part is one of {FIRST}, and {len(inside)} of ")
    assert shown.endswith(f" is {share}")
    assert "ceiling" not in facts(studio.open("compare", cell=f"{FIRST}~{SECOND}"))["Jaccard"]
    assert "ceiling" not in facts(studio.open("compare", cell=f"{FIRST}~{FIRST}"))["Jaccard"]


def test_the_page_counts_as_the_command_line_does(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels in text that only one of two has read are not held against the other, unless that is asked for."""
    monkeypatch.setattr(library, "BUNDLED", BUNDLED)
    chosen = ["demo-0-L2", "demo-1-L2", "demo-1-L3"]
    found = compare([BUNDLED / name for name in chosen]).matrix
    test = studio.open("compare", dictionaries="~".join(chosen))
    names, values = drawn(test)
    assert found.exact
    assert values == pytest.approx(found.jaccard[np.ix_(*[[chosen.index(name) for name in names]] * 2)], abs=1e-12)
    assert not [text for text in notices(test) if "never read" in text]
    [line] = [code.value for code in test.code if code.value.startswith("itda compare")]
    assert line == f"itda compare {' '.join(names)}"
    _, estimated = drawn(test := studio.open("compare", dictionaries="~".join(chosen), comparable="estimated"))
    assert (estimated < values - 0.002).any()
    assert [text for text in notices(test) if "never read" in text]


def test_where_the_corpus_is_not_at_hand_every_label_counts_and_that_is_said(
    studio: Studio, three: dict[str, set[Any]]
) -> None:
    test = studio.open("compare")
    [data] = [data for data in components(test, "notice") if "All labels were compared, because" in data["text"]]
    assert "never read" in data["step"]


def test_a_model_is_the_union_of_its_layers(studio: Studio, three: dict[str, set[Any]]) -> None:
    names, values = drawn(studio.open("compare", by="model"))
    assert len(names) == 2
    one = names.index("one")
    assert values[one, 1 - one] == pytest.approx(plain(three[FIRST] | three[SECOND], three[THIRD]))


def test_a_cell_shows_the_labels_behind_it(studio: Studio, three: dict[str, set[Any]]) -> None:
    test = studio.open("compare", cell=f"{FIRST}~{SECOND}")
    shared, either = three[FIRST] & three[SECOND], three[FIRST] | three[SECOND]
    shown = facts(test)
    assert shown["Jaccard"] == f"{len(shared) / len(either):.2%}"
    assert shown["Shared labels"] == f"{len(shared):,} shared of {len(either):,} in total"
    assert "95% interval" in shown
    [options] = [group.options for group in test.segmented_control if group.label == "Labels"]
    assert options == [
        f"Shared ({len(shared)})",
        f"Only first ({len(three[FIRST] - three[SECOND])})",
        f"Only second ({len(three[SECOND] - three[FIRST])})",
        "Counted",
    ]
    assert all(FIRST in label["before"] for label in listed(test))
    alone = studio.open("compare", cell=f"{FIRST}~{SECOND}", part="second")
    assert all(SECOND in label["before"] for label in listed(alone))
    counted = [frame.value for frame in studio.open("compare", cell=f"{FIRST}~{SECOND}", part="counted").dataframe]
    assert [sum(frame["shared"].tolist()) for frame in counted] == [len(shared)] * 2
    assert [sum(frame["only second"].tolist()) for frame in counted] == [len(three[SECOND] - three[FIRST])] * 2


def test_the_labels_behind_a_cropped_cell_are_the_cropped_ones(studio: Studio, three: dict[str, set[Any]]) -> None:
    path = studio.home / "library" / SECOND / "provenance.parquet"
    frame = pd.read_parquet(path)
    for column in _COLUMNS:  # eleven atoms at one place: fewer labels
        frame.loc[:10, column] = frame.loc[0, column]
    frame.to_parquet(path)
    entered = []
    for name in (FIRST, SECOND):
        labels = pd.read_parquet(path.parents[1] / name / path.name)[_COLUMNS]
        entered.append(list(dict.fromkeys(labels.itertuples(index=False, name=None))))
    fewer = len(entered[1])
    assert fewer < len(entered[0])
    one, two = (set(places[:fewer]) for places in entered)
    test = studio.open("compare", cell=f"{FIRST}~{SECOND}", crop="yes")
    assert facts(test)["Shared labels"] == f"{len(one & two):,} shared of {len(one | two):,} in total"
    [options] = [group.options for group in test.segmented_control if group.label == "Labels"]
    assert options == [
        f"Shared ({len(one & two)})",
        f"Only first ({len(one - two)})",
        f"Only second ({len(two - one)})",
        "Counted",
    ]


def test_a_click_on_a_cell_is_in_the_address(studio: Studio, three: dict[str, set[Any]]) -> None:
    test = studio.open("compare")
    names, _ = drawn(test)
    before = facts(test)["Jaccard"]
    test.session_state["compare.cell"] = compare_matrix.Listed((FIRST, SECOND))  # as the chart's callback does
    test.run()
    assert asked_for(test)["cell"] == f"{FIRST}~{SECOND}"
    assert facts(test)["Jaccard"] == f"{plain(three[FIRST], three[SECOND]):.2%}" != before
    assert components(test, "heatmap")[0]["chosen"] == [names.index(FIRST), names.index(SECOND)]


def test_options_are_in_the_address_and_come_back(studio: Studio, three: dict[str, set[Any]]) -> None:
    test = studio.open("compare")
    for key, value in (("interval", "no"), ("crop", "yes"), ("colours", "z")):
        test.segmented_control(key=f"compare.{key}").set_value(value).run()
    asked = {name: asked_for(test)[name] for name in ("interval", "crop", "colours")}
    assert asked == {"interval": "no", "crop": "yes", "colours": "z"}
    assert "95% interval" not in facts(test)
    again = studio.open("compare", **asked)
    assert components(again, "heatmap") == components(test, "heatmap")
    assert "crop=yes" in next(code.value for code in again.code if "compare?" in code.value)


def test_chosen_dictionaries_are_in_the_address(studio: Studio, three: dict[str, set[Any]]) -> None:
    test = studio.open("compare")
    assert not test.multiselect  # they come when they are asked for
    test.session_state["compare.choose"] = True
    test.run()
    test.multiselect(key="compare.dictionaries").set_value([FIRST, THIRD]).run()
    assert asked_for(test)["dictionaries"] == f"{FIRST}~{THIRD}"
    names, _ = drawn(studio.open("compare", dictionaries=f"{FIRST}~{THIRD}"))
    assert sorted(names) == [FIRST, THIRD]
    # All of a corpus, of some models: here the first model's two.
    test.multiselect(key="compare.models").set_value(["one"])
    test.button(key="compare.take").click().run()
    assert sorted(drawn(test)[0]) == [FIRST, SECOND]


def test_of_the_bundled_ones_those_for_comparing_are_taken(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "BUNDLED", BUNDLED)
    test = studio.open("compare", dictionaries="demo-0-L1~demo-0-L2")
    test.session_state["compare.choose"] = True
    test.run()
    test.selectbox(key="compare.corpus").set_value("demo")
    test.multiselect(key="compare.models").set_value(["demo:0"])
    test.button(key="compare.take").click().run()
    assert asked_for(test)["dictionaries"].split("~") == [f"demo-0-L{layer}" for layer in range(6)]


def test_other_dictionaries_forget_the_cell_without_complaint(studio: Studio, three: dict[str, set[Any]]) -> None:
    test = studio.open("compare", cell=f"{FIRST}~{SECOND}")
    test.segmented_control(key="compare.by").set_value("model").run()
    assert "cell" not in asked_for(test)
    assert not any("cell" in said for said in notices(test))


def test_nonsense_in_the_address_is_named(studio: Studio, three: dict[str, set[Any]]) -> None:
    test = studio.open("compare", cell="a~b", by="colour", dictionaries=f"{FIRST}~{SECOND}~firts")
    said = "\n".join(notices(test))
    for part in ("cell=a~b", "by=colour", "no dictionary called 'firts'"):
        assert part in said


def test_comparability_is_said_first(studio: Studio, three: dict[str, set[Any]]) -> None:
    line = notices(studio.open("compare"))[0]
    least, most = (extreme(map(len, three.values())) for extreme in (min, max))
    assert line.startswith(f"3 dictionaries of the corpus made-up, {least} to {most} labels each; one tokenizer")
    assert "Each pair shares 100% of its text (estimated)." in line


def test_what_is_counted_of_atoms_with_several_labels_is_said(studio: Studio, three: dict[str, set[Any]]) -> None:
    test = studio.open("compare", cell=f"{FIRST}~{SECOND}")
    assert "Every label counts" not in notices(test)[0]
    assert "Atoms" not in facts(test)
    path = studio.home / "library" / FIRST / "provenance.parquet"
    frame = pd.read_parquet(path)
    again = frame.assign(char_end=frame["char_end"] + 5000, order=frame["order"] + len(frame))
    pd.concat([frame, again], ignore_index=True).to_parquet(path)
    os.utime(path.with_name("dictionary.json"))  # as if it had been written anew
    test = studio.open("compare", cell=f"{FIRST}~{SECOND}")
    n, others = len(three[FIRST]), len(three[SECOND])  # places, each once
    said = f"also where an atom has several: {FIRST} has {2 * n} labels of {n} atoms."
    assert said in notices(test)[0]
    assert facts(test)["Labels"].startswith(f"{2 * n} and ")
    assert facts(test)["Atoms"] == f"{n} and {others}; every label of an atom counts"


def test_shared_labels_come_by_their_surprise(studio: Studio, three: dict[str, set[Any]]) -> None:
    from itda_core.comparison import LabelSet
    from itda_core.comparison.overlap.differences import differences

    library = studio.home / "library"
    found = differences((LabelSet.load(library / FIRST), LabelSet.load(library / THIRD)))
    ranked = found.most_surprising()["context_before"].tolist()
    test = studio.open("compare", cell=f"{FIRST}~{THIRD}")
    assert [label["before"] for label in listed(test)] == [visible(context[-70:]) for context in ranked[:10]]


def test_what_cannot_be_compared_is_refused_with_the_reason(studio: Studio, three: dict[str, set[Any]]) -> None:
    path = studio.home / "library" / SECOND / "dictionary.json"
    said = json.loads(path.read_text())
    said["spec"]["corpus_fingerprint"] = "f" * 64
    path.write_text(json.dumps(said))
    test = studio.open("compare")
    assert any("built on different corpora" in sentence for sentence in notices(test))
    assert not components(test, "heatmap")
    alone = studio.open("compare", dictionaries=FIRST)
    assert any("at least two dictionaries, not 1" in sentence for sentence in notices(alone))


def test_hostile_text_is_text(studio: Studio, three: dict[str, set[Any]]) -> None:
    for address in ({}, {"by": "model"}, {"show": "measures"}, {"show": "transfer"}):
        test = studio.open("compare", **address)
        assert all(text not in parsed_text(test) for text in HOSTILE)


def matrix_of(studio: Studio, **options: Any) -> JaccardMatrix:
    sets = [LabelSet.load(studio.home / "library" / name) for name in (FIRST, SECOND, THIRD)]
    return jaccard_matrix(sets, interval=True, **options)


def test_exports(studio: Studio, three: dict[str, set[Any]]) -> None:
    matrix = matrix_of(studio)
    read = pd.read_csv(io.StringIO(compare_matrix.csv(matrix)), index_col=0)
    assert read.loc[FIRST, SECOND] == pytest.approx(plain(three[FIRST], three[SECOND]))
    entries = [entry for entry in Library().entries() if entry.name in (FIRST, SECOND, THIRD)]
    exported = json.loads(compare_matrix.figures_json(matrix, entries))
    assert exported["identities"] == {entry.name: entry.identity for entry in entries}
    keys = list(exported)
    assert keys[:7] == ["labels", "sizes", "jaccard", "intersection", "comparable_fraction", "null_jaccard", "z"]
    pairs = pd.read_csv(io.StringIO(compare_matrix.pairs_csv(matrix)))
    assert list(pairs["jaccard"]) == pytest.approx(
        [plain(three[FIRST], three[SECOND]), plain(three[FIRST], three[THIRD]), plain(three[SECOND], three[THIRD])]
    )


def test_the_web_page_holds_the_matrix_and_escapes_everything(studio: Studio, three: dict[str, set[Any]]) -> None:
    matrix = replace(matrix_of(studio), labels=(HOSTILE[0], SECOND, THIRD))
    page = heatmaps.comparison_page(
        heatmaps.jaccard_cells(matrix, groups=("a", "a", HOSTILE[1])),
        title=HOSTILE[0],
        facts=[HOSTILE[0]],
        passages=[heatmaps.Passages(HOSTILE[0], ((HOSTILE[0], "token", HOSTILE[1]),), 3)],
    )
    assert "<script" not in page
    assert "src=" not in page
    assert "default-src 'none'" in page
    assert f">{100 * matrix.jaccard[0, 1]:.1f}</td>" in page
    assert "and 3 more" in page


# --- measures side by side ---


@pytest.fixture
def started(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> list[MatchRequest]:
    """The studies that were started, of which none runs."""
    requests: list[MatchRequest] = []

    def start(self: Jobs, request: MatchRequest, *, further: bool) -> Job:
        requests.append(request)
        return job_of(studio.home, request, MatchStatus())

    monkeypatch.setattr(Jobs, "start", start)
    return requests


def job_of(home: Path, request: MatchRequest, status: MatchStatus) -> Job:
    """A job's folder as a worker would have left it."""
    job = Job(home / "jobs" / "20261120-120000-000000-abcd")
    job.folder.mkdir(parents=True)
    order = {"created": "2026-11-20T12:00:00+00:00", "kind": MATCHING.name, "request": request.to_dict()}
    (job.folder / "request.json").write_text(json.dumps(order))
    (job.folder / "status.json").write_text(json.dumps(status.to_dict()))
    return job


def table_of(names: tuple[str, ...]) -> MatchTable:
    """Two models of three layers; the first measure finds every layer's like, the second errs."""
    generator = np.random.default_rng(0)
    good = generator.uniform(0.1, 0.4, (2, 2, 3, 3)) + 0.5 * np.eye(3)
    bad = generator.uniform(0.1, 0.9, (2, 2, 3, 3))
    measures = tuple(
        MeasureResult.of(name, similarity, accuracy(similarity), seconds)
        for name, similarity, seconds in (("itda", good, 1.5), ("linear_cka", bad, 2.5))
    )
    return MatchTable(
        models=names,
        layers=(0, 1, 2),
        site="resid_post",
        corpus="demo",
        tokens=900,
        common_fraction=1.0,
        sinks_left_out=0,
        sizes=((10, 11, 12), (13, 14, 15)),
        harvest_seconds=1.0,
        seconds=5.0,
        measures=measures,
        config={},
    )


def test_a_study_is_started_from_its_form(studio: Studio, started: list[MatchRequest]) -> None:
    test = studio.open("compare", show="measures", models="demo:0~demo:1", tokens="900", layers="0,2-3")
    command = test.code[-1].value
    assert command == "itda match demo:0 demo:1 --corpus demo --layers 0,2-3 --tokens 900"
    low, high = estimate_match(MatchRequest(("demo:0", "demo:1"), "demo", replace(DICTIONARIES, tokens=900))) or (0, 0)
    assert 0 < low < high
    test.button(key="match.start").click().run()
    expected = MatchRequest(("demo:0", "demo:1"), "demo", replace(DICTIONARIES, tokens=900), layers=(0, 2, 3))
    assert started == [expected]
    assert asked_for(test)["job"] == "20261120-120000-000000-abcd"


def test_where_the_weights_of_a_study_go_is_asked_and_started(studio: Studio, started: list[MatchRequest]) -> None:
    test = studio.open("compare", show="measures", models="demo:0~demo:1")
    test.selectbox(key="match.placement").set_value("memory").run()
    assert test.code[-1].value.endswith(" --placement memory")
    test.button(key="match.start").click().run()
    assert [request.placement for request in started] == ["memory"]


@pytest.mark.parametrize(("given", "said"), [({"models": "demo:0"}, "cannot be matched"), ({"text": ""}, "No text")])
def test_a_study_that_cannot_be_is_not_started(studio: Studio, given: dict[str, str], said: str) -> None:
    test = studio.open("compare", show="measures", **given)
    if "text" in given:
        test.text_input(key="match.corpus").set_value("").run()
    assert any(said in sentence for sentence in notices(test))
    assert not startable(test)


def test_a_finished_study_shows_its_table_and_every_measure(studio: Studio) -> None:
    table = table_of((HOSTILE[1], "two"))
    request = MatchRequest((HOSTILE[1], "two"), HOSTILE[1])
    job = job_of(studio.home, request, MatchStatus("done", tokens=900, share=1.0, table=table))
    test = studio.open("compare", job=job.id)
    shown = test.dataframe[0].value
    assert list(shown["different models"]) == [m.accuracy.different_models for m in table.measures]
    assert list(shown["all pairs"]) == [m.accuracy.all_pairs for m in table.measures]
    assert shown["different models"].tolist()[0] == 1.0
    assert list(shown["seconds"]) == [1.5, 2.5]
    first, _ = components(test, "heatmap")
    similarity = np.array(table.measures[0].similarity)
    np.testing.assert_allclose(first["values"], (similarity[0, 1] + similarity[1, 0]) / 2)
    assert all(text not in parsed_text(test) for text in HOSTILE)
    every = studio.open("compare", job=job.id, cells="all")
    block = np.array(components(every, "heatmap")[0]["values"])[:3, 3:]
    np.testing.assert_allclose(block, similarity[0, 1])
    assert all(text not in parsed_text(every) for text in HOSTILE)


def test_the_table_as_csv() -> None:
    read = pd.read_csv(io.StringIO(matching_results.csv(table_of(("one", "two")))))
    assert list(read["measure"]) == ["ITDA (Jaccard)", "Linear CKA"]
    low, share, high = (read[name].tolist()[0] for name in ("low", "different models", "high"))
    assert low < share <= high == pytest.approx(1.0)


def test_layers_that_a_model_lacks_are_refused_before_the_start() -> None:
    with pytest.raises(UserError, match="layer"):
        estimate_match(MatchRequest(("demo:0", "demo:1"), "demo", layers=(99,)))


# --- convergence ---


def test_checkpoints_by_layers_in_the_order_of_training() -> None:
    values = np.array([[0.2, np.nan], [0.6, 0.4], [1.0, 1.0]])
    found = Convergence((10, 100, 1000), (0, 1), values, values - 0.1, values + 0.1, values, values * 0.1, values * 50)
    moments = {step: TrainingMoment(step * 1000, 10 / step) for step in found.checkpoints}
    cells = compare_over_training.cells(found, moments)
    assert cells.rows[1] == "step 100 (0.10M tokens)"
    assert [list(row) for row in cells.written] == [["20.0", ""], ["60.0", "40.0"], ["100.0", "100.0"]]
    assert cells.high == 0.6  # the end beside itself says nothing
    assert cells.apart is not None
    assert cells.apart.tolist() == [[False] * 2, [False] * 2, [True] * 2]
    assert "above the scale" in cells.apart_note
    assert cells.hover[1][0].split("\n") == [
        *("layer 0 at step 100", "Jaccard 60.00%", "95% interval 50.0% to 70.0%", "chance 6.00%, z = 30.0"),
        "held-out loss 0.100 nats per token",
    ]
    assert "layer 0 from step 100, layer 1 only at the end" in settled(found)
    named = replace(found, given_names=("a", HOSTILE[0], "c"))
    cells = compare_over_training.cells(named, {})
    assert cells.rows == ("a", HOSTILE[0], "c")
    assert cells.hover[0][1].split("\n") == ["layer 1 at a", "no dictionary"]
    assert not any("loss" in hover for row in cells.hover for hover in row)


@pytest.fixture
def checkpoints(studio: Studio) -> dict[str, set[tuple[Any, ...]]]:
    """Dictionaries of three checkpoints, by name their prefixes; the first has no dictionary of layer 1."""
    frame = pd.read_parquet(studio.dictionary / "provenance.parquet")
    prefixes = {}
    for step, kept in ((5, 10), (40, 25), (300, N_ATOMS)):
        for layer in (0, 1) if step > 5 else (0,):
            folder = studio.home / "library" / f"s{step}-L{layer}"
            shutil.copytree(studio.dictionary, folder)
            moved = frame.copy()
            moved.loc[moved.index >= kept - layer, "char_end"] += 1000 * step
            moved.to_parquet(folder / "provenance.parquet")
            said = json.loads((folder / "dictionary.json").read_text())
            said["spec"] |= {"model": f"/{HOSTILE[1]}/step-{step}", "layer": layer, "weights_fingerprint": str(step)}
            (folder / "dictionary.json").write_text(json.dumps(said))
            prefixes[folder.name] = set(moved[_COLUMNS].itertuples(index=False, name=None))
    return prefixes


def test_checkpoints_of_the_library_over_training(studio: Studio, checkpoints: dict[str, set[Any]]) -> None:
    test = studio.open("compare", show="training", of="library")
    names, values = drawn(test)
    assert names == ["step-5", "step-40", "step-300"]
    expected = [
        [plain(checkpoints[f"s{step}-L{layer}"], checkpoints[f"s300-L{layer}"]) for layer in (0, 1)]
        for step in (40, 300)
    ]
    np.testing.assert_allclose(values, [[plain(checkpoints["s5-L0"], checkpoints["s300-L0"]), np.nan], *expected])
    said = "\n".join(notices(test))
    assert "by the numbers in their names: step-5, step-40, step-300. The last is what" in said
    assert "1 cell is empty" in said
    assert all(text not in parsed_text(test) for text in HOSTILE)
    assert not any("loss" in hover for row in components(test, "heatmap")[0]["told"] for hover in row)


def test_which_checkpoints_is_in_the_address(studio: Studio, checkpoints: dict[str, set[Any]]) -> None:
    test = studio.open("compare", show="training")
    assert len(drawn(test)[0]) == 8  # of the bundled model
    test.segmented_control(key="compare.training.of").set_value("library").run()
    assert asked_for(test)["of"] == "library"
    test.multiselect(key="compare.training.dictionaries").set_value(["s40-L1", "s300-L1"]).run()
    assert asked_for(test)["dictionaries"] == "s40-L1~s300-L1"
    again = studio.open("compare", show="training", of="library", dictionaries="s40-L1~s300-L1")
    assert drawn(again)[0] == ["step-40", "step-300"]


def test_checkpoints_that_cannot_be_compared_are_refused(studio: Studio, checkpoints: dict[str, set[Any]]) -> None:
    shutil.copytree(studio.home / "library" / "s40-L1", studio.home / "library" / "again")
    for names, sentence in (
        ("s40-L1", "at least two dictionaries, not 1"),
        ("s40-L0~s40-L1", "at least two checkpoints, not 1"),
        ("s40-L1~again~s300-L1", "both of layer 1 at step-40"),
    ):
        test = studio.open("compare", show="training", of="library", dictionaries=names)
        assert any(sentence in said for said in notices(test))
        assert not components(test, "heatmap")


def test_without_checkpoints_in_the_library_it_says_what_to_do(studio: Studio) -> None:
    test = studio.open("compare", show="training", of="library")
    assert "No dictionaries were chosen." in notices(test)
    assert not components(test, "heatmap")
