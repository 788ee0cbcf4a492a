"""An atom index asked for on the command line, by a worker and in JSON is one and the same; what it would cost."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.cli import main as cli_main
from itda_core.errors import UserError
from itda_core.runs import INDEXING, IndexRequest, Library
from itda_core.runs.indexing.cost import estimate_index, index_seconds

names = st.text("abcdefgh/._ ", min_size=1, max_size=12).filter(lambda text: text == text.strip() != "")
requests = st.builds(
    IndexRequest,
    dictionary=names,
    corpus=st.none() | names,
    tokens=st.integers(1, 10**9),
    model=st.none() | names,
    revision=st.none() | names,
    device=st.sampled_from(["auto", "cpu", "cuda:1"]),
    dtype=st.sampled_from(["auto", "float32"]),
    offline=st.booleans(),
    trust_remote_code=st.booleans(),
    library=st.none() | names,
)


@given(requests)
def test_a_request_survives_json(request: IndexRequest) -> None:
    assert IndexRequest.from_dict(request.to_dict()) == request


@settings(max_examples=30, deadline=None)
@given(requests)
def test_the_command_line_reads_what_a_request_writes(request: IndexRequest) -> None:
    asked: list[tuple[IndexRequest, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("itda_core.cli.atoms._index", lambda request, *, resume, **_: asked.append((request, resume)))
        patch.setattr("itda_core.cli.request_command.go_offline", lambda _: None)
        for more in ([], ["--resume"]):
            with pytest.raises(SystemExit) as ended:
                cli_main.main([*INDEXING.command, *request.arguments(), *more])
            assert ended.value.code == 0
    assert asked == [(request, False), (request, True)]


def test_a_command_of_two_words_is_written_as_two() -> None:
    assert shlex.split(IndexRequest("a b", tokens=5).command()) == ["itda", "atoms", "index", "a b", "--tokens", "5"]


def test_the_one_dictionary_it_names_is_found_and_placed(library: Library) -> None:
    request = IndexRequest("first").resolved()
    assert request.references() == (str(library.folder / "first"),)
    assert request.with_references({request.dictionary: "/elsewhere"}).dictionary == "/elsewhere"
    assert request.about() == "first, 100,000 tokens of its own text"
    with pytest.raises(UserError, match="'frist'; did you mean first"):
        IndexRequest("frist").resolved()


def test_an_estimate_grows_with_the_text(library: Library) -> None:
    one, ten = (estimate_index(IndexRequest("first", tokens=n)) for n in (10_000, 100_000))
    assert one.seconds is not None
    assert ten.seconds == pytest.approx(tuple(10 * seconds for seconds in one.seconds))
    assert 0 < one.seconds[0] < one.seconds[1]
    assert 9 * one.bytes < ten.bytes < 10 * one.bytes
    assert index_seconds(IndexRequest("first", tokens=10_000)) == one.seconds


def test_what_cannot_be_is_said_before_it_starts(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tokens=0"):
        estimate_index(IndexRequest("first", tokens=0))
    with pytest.raises(UserError, match="No dictionary is called"):
        estimate_index(IndexRequest("nothing"))
    assert estimate_index(IndexRequest("first", model="someone/elsewhere")).seconds is None
