"""`itda bench`: one JSON object or one table on stdout."""

from __future__ import annotations

import json

import pytest

from itda_core.bench.pursuit import limits
from itda_core.bench.pursuit import run as pursuit_run
from itda_core.bench.pursuit.cases import QUICK
from itda_core.bench.training import reach, topk_sae
from tests.conftest import Cli

CONTRACT = {
    *("name", "n_atoms", "d_model", "k", "tokens", "seconds", "textbook_seconds", "speedup", "limit_seconds"),
    *("fraction_of_limit", "peak_bytes"),
}


def test_json_is_one_object_with_the_contracts_keys(itda: Cli) -> None:
    code, out, err = itda("bench", "pursuit", "--quick", "--json", "--device", "cpu")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert {"machine", "cases", "growth", "memory", "limit"} <= set(found)
    assert found["machine"]["threads"] >= 1
    assert [case["name"] for case in found["cases"]] == [case.name for case in QUICK.cases]
    for case in found["cases"]:
        assert set(case) >= CONTRACT
        assert case["seconds"] > 0
        assert case["peak_bytes"] >= 0
    assert [point["tokens"] for point in found["memory"]["points"]] == [64, 256]
    for name, sizes in (("tokens", [32, 64]), ("k", [4, 8]), ("atoms", [128, 256])):
        assert [point["size"] for point in found["growth"][name]["points"]] == sizes
        assert isinstance(found["growth"][name]["exponent"], float)


def test_a_table_for_people(itda: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(pursuit_run, "encoding_bytes_apart", lambda cases: [3 * 2**19] * len(cases))
    code, out, err = itda("bench", "pursuit", "--quick", "--device", "cpu")
    assert (code, err) == (0, "")
    header, *lines = out.splitlines()
    assert header.split()[:4] == ["case", "ms", "textbook", "speedup"]
    for case, line in zip(QUICK.cases, lines, strict=False):
        assert line.startswith(case.name)
    assert " 1.5" in lines[0]  # MiB
    assert "1.5 MiB for 64 tokens, 1.5 MiB for 256 tokens" in out
    assert "omp n=256 d=32 k=8 takes " in out
    assert "grows as tokens^" in out
    assert "x @ atoms.T" in out


def test_unknown_devices_and_benches_are_named(itda: Cli) -> None:
    code, out, err = itda("bench", "pursuit", "--device", "tpu")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "'tpu'" in err
    assert itda("bench", "nothing")[0] == 2


def test_help_lists_the_benches(itda: Cli) -> None:
    code, out, _ = itda("bench")
    assert code == 0
    assert "pursuit" in out
    assert "train" in out


TRAIN = ("bench", "train", "--quick", "--device", "cpu", "--no-sae")


@pytest.fixture
def few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "MOST_TRIALS", 4)


@pytest.mark.usefixtures("few_trials")
def test_training_json_is_one_object_with_the_contracts_keys(itda: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topk_sae, "installed", lambda: False)
    code, out, err = itda(*TRAIN, "--sae", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["machine"]["threads"] >= 1
    cases = {case["name"]: case for case in found["cases"]}
    assert {"ours", "textbook", "topk_sae"} <= set(cases)
    for case in found["cases"]:
        assert {"seconds", "tokens", "n_atoms", "fvu", "speedup"} <= set(case)
    for name in ("ours", "textbook"):
        assert cases[name]["n_atoms"] == 200
        assert cases[name]["seconds"] > 0
        assert 0 < cases[name]["fvu"] < 1
        assert cases[name]["tokens"] <= 2000
    assert "pip install" in cases["topk_sae"]["notes"][0]
    assert found["threshold"]["sequential_atoms"] < found["threshold"]["paper_atoms"]


@pytest.mark.usefixtures("few_trials")
def test_training_tables_for_people(itda: Cli) -> None:
    code, out, err = itda(*TRAIN, "--k", "4,8", "--first", "50")
    assert (code, err) == (0, "")
    header, *lines = out.splitlines()
    assert header.split()[:3] == ["case", "seconds", "tokens"]
    assert any(line.startswith("textbook_paper") for line in lines)
    quality = lines[lines.index("Fraction of variance unexplained on the held-out tokens") + 1 :]
    assert quality[0].split() == ["dictionary", "encoded", "by", "k=4", "k=8"]
    assert any(line.startswith("ours ") and " omp, first 100 " in line for line in quality)
    assert "sequential takes " in out


def test_a_training_bench_that_cannot_work_is_one_sentence(itda: Cli) -> None:
    code, out, err = itda("bench", "train", "--atoms", "100", "--tokens", "50", "--k", "4")
    assert (code, out) == (2, "")
    assert err.startswith("error: 100 atoms cannot come from 50 tokens")
    code, _, err = itda("bench", "train", "--quick", "--no-sae", "--model", "demo:9")
    assert code == 2
    assert "demo:9" in err
