"""An evaluation asked for on a page, on the command line and by a worker is one and the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.cli import main as cli_main
from itda_core.errors import UserError
from itda_core.runs import EvaluateRequest, Library
from itda_core.runs.costs.evaluation import estimate_evaluation

names = st.text("abcdefgh/._ ", min_size=1, max_size=12).filter(lambda text: text == text.strip() != "")
requests = st.builds(
    EvaluateRequest,
    dictionaries=st.lists(names, min_size=1, max_size=4, unique=True).map(tuple),
    corpus=st.none() | names,
    ks=st.lists(st.integers(1, 500), max_size=4, unique=True).map(tuple),
    methods=st.lists(st.sampled_from(["mp", "omp", "gp"]), max_size=3, unique=True).map(tuple),
    tokens=st.none() | st.integers(1, 10**9),
    model=st.none() | names,
    revision=st.none() | names,
    device=st.sampled_from(["auto", "cpu", "cuda:1"]),
    dtype=st.sampled_from(["auto", "float32"]),
    offline=st.booleans(),
    trust_remote_code=st.booleans(),
    library=st.none() | names,
)


@given(requests)
def test_a_request_survives_json(request: EvaluateRequest) -> None:
    assert EvaluateRequest.from_dict(request.to_dict()) == request


@settings(max_examples=30, deadline=None)
@given(requests)
def test_the_command_line_reads_what_a_request_writes(request: EvaluateRequest) -> None:
    asked: list[EvaluateRequest] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("itda_core.cli.evaluate._evaluate", lambda request, **_: asked.append(request))
        patch.setattr("itda_core.cli.request_command.go_offline", lambda _: None)
        with pytest.raises(SystemExit) as ended:
            cli_main.main(["evaluate", *request.arguments()])
    assert ended.value.code == 0
    assert asked == [request]


def test_unknown_keys_and_unknown_dictionaries_are_refused(library: Library) -> None:
    value = EvaluateRequest(("first",)).to_dict()
    with pytest.raises(UserError, match="unknown keys speed"):
        EvaluateRequest.from_dict({**value, "speed": 3})
    with pytest.raises(UserError, match="'frist'; did you mean first"):
        EvaluateRequest(("frist",)).resolved()


def test_resolved_means_the_same_everywhere(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.csv").write_text("a,b\n")
    request = EvaluateRequest(("second", "demo-0-L2"), corpus="text.csv#b").resolved()
    assert request.dictionaries == (str(library.folder / "second"), str(tmp_path / "bundled" / "demo-0-L2"))
    assert request.corpus == f"{tmp_path / 'text.csv'}#b"
    assert EvaluateRequest(("first",)).resolved().corpus is None


def test_an_estimate_counts_what_evaluate_does(library: Library) -> None:
    """`first` and `second` are at one site of one model: one pass of the model, one of zeros, one per result."""
    expected = estimate_evaluation(EvaluateRequest(("first", "second"), ks=(2, 4), methods=("mp", "omp"), tokens=100))
    assert (expected.results, expected.passes, expected.tokens) == (8, 10, 100)
    assert expected.seconds is not None
    fast, slow = expected.seconds
    assert 0 < fast < slow
    twice = estimate_evaluation(EvaluateRequest(("first", "second"), ks=(2, 4), methods=("mp", "omp"), tokens=200))
    assert twice.seconds is not None
    assert twice.seconds == pytest.approx((2 * fast, 2 * slow))
    own = estimate_evaluation(EvaluateRequest(("first",)))
    assert (own.results, own.passes, own.tokens) == (1, 3, 4096)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (EvaluateRequest(("first",), ks=(7,)), "k=7 .* first, which has 6 atoms"),
        (EvaluateRequest(("first",), ks=(0,)), "k=0"),
        (EvaluateRequest(("first",), tokens=0), "tokens=0"),
        (EvaluateRequest(()), "No dictionary"),
        (EvaluateRequest(("first",), model="/no/such/model"), ""),
    ],
)
def test_what_cannot_be_is_said_before_it_starts(library: Library, request_: EvaluateRequest, said: str) -> None:
    if request_.model:  # on no machine: what it takes cannot be told
        assert estimate_evaluation(request_).seconds is None
        return
    with pytest.raises(UserError, match=said):
        estimate_evaluation(request_)
