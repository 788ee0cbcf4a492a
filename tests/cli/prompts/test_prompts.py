"""`itda steer` and `itda attribute`, as people and as programs read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli

PROMPT = "The bread was still warm when she came home."
DICTIONARY = "demo-0-L3-consensus"


def test_attribution_gives_the_contracts_keys(itda: Cli) -> None:
    code, out, err = itda("attribute", DICTIONARY, "demo-0-L4-consensus", "--prompt", PROMPT, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    wanted = {"model", "prompt", "token", "target", "against", "value", "parts", "error", "mean", "sum", "checked"}
    assert wanted | {"rank_correlation"} <= set(found)
    assert len(found["sum"]) == len(found["rank_correlation"]) == 2
    for i, layer in enumerate((3, 4)):
        parts = [one["effect"] for name in ("parts", "error", "mean") for one in found[name] if one["layer"] == layer]
        assert sum(parts) == pytest.approx(found["sum"][i], abs=1e-5 * sum(map(abs, parts)))


def test_attribution_for_people(itda: Cli) -> None:
    code, out, err = itda("attribute", DICTIONARY, "--prompt", "The \x1b[31mdog\n[bold]ran", "--check", 3)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert "if removed" in out
    assert "3 strongest" in out


def test_all_layers_are_the_librarys_dictionaries_of_the_same_kind(itda: Cli) -> None:
    asked = ["--prompt", PROMPT, "--check", 0, "--k", 3, "--non-negative"]
    code, out, err = itda("attribute", DICTIONARY, "--all-layers", *asked, "--json")
    assert (code, err) == (0, "")
    names = [f"demo-0-L{layer}-consensus" for layer in range(6)]
    found = json.loads(out)
    assert [one["dictionary"] for one in found["layers"]] == names
    assert all(one["coefficient"] > 0 for one in found["parts"])
    code, out, _ = itda("attribute", *names, *asked, "--json")
    assert json.loads(out) == found
    code, out, err = itda("attribute", DICTIONARY, "--all-layers", *asked)
    assert (code, err) == (0, "")
    assert "share of atoms" in out
    by_token = out.partition("token by layer:")[2].partition("demo-0-L0")[0].strip().splitlines()
    effects = {(one["token"], one["layer"]): one["effect"] for one in found["atoms_by_token"]}
    at, _, *shown = by_token[-1].split()
    assert [float(value) for value in shown] == pytest.approx([effects[int(at), i] for i in range(6)], abs=0.006)


def test_steering_gives_the_contracts_keys_and_the_same_again(itda: Cli) -> None:
    asked = ["--atom", "12,40", "--strength", "0.3", "--unit", "norm", "--add", "--where", "all", "--new-tokens", 8]
    told = []
    for seed in (1, 1, 2):
        options = ["--temperature", 1.5, "--seed", seed, "--json"]
        code, out, err = itda("steer", DICTIONARY, "--prompt", PROMPT, *asked, *options)
        assert (code, err) == (0, "")
        told.append(json.loads(out))
    found = told[0]
    wanted = {"model", "dictionary", "prompt", "atoms", "strength", "unit", "where", "before", "after", "kl", "seed"}
    assert wanted | {"reconstruction_only", "loss_before", "loss_after"} <= set(found)
    assert found["atoms"] == [12, 40]
    assert set(found["before"]) == set(found["after"]) == {"predictions", "text"}
    assert found == told[1]
    assert found["before"]["text"] != told[2]["before"]["text"]
    assert found["kl"] > 0


def test_atoms_have_strengths_of_their_own_and_a_page_and_a_curve(itda: Cli, tmp_path: Path) -> None:
    asked = ["--atom", "763:-1,51:0.3:norm:add", "--where", "token", "--curve", "-1:1", "--new-tokens", 3]
    prompt = "Mix the flour <script>alert(1)</script> and the sugar. Add two"
    code, out, err = itda("steer", DICTIONARY, "--prompt", prompt, *asked, "--html", tmp_path / "a.html", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["changes"] == ["763:-1", "51:0.3:norm:add"]
    assert [one["atom"] for one in found["changed"]] == [763, 51]
    for one in found["changed"]:
        assert one["strengths"]["norm"] == pytest.approx(one["after"] / one["norm"])
        assert one["strengths"]["max"] == pytest.approx(one["after"] / one["largest"])
    assert [point["strength"] for point in found["curve"]["points"]] == pytest.approx([-1 + i / 10 for i in range(21)])
    assert sum(token["changed"] for token in found["tokens"]) == 1
    assert {one["token"] for one in found["changed"] if one["moved"]} == {found["token"]}
    page = (tmp_path / "a.html").read_text()
    assert "<script" not in page
    assert "<mark> two</mark>" in page
    assert "<svg" in page
    assert "763:-1,51:0.3:norm:add" in page
    code, out, _ = itda("steer", DICTIONARY, "--prompt", prompt, *asked)
    assert code == 0
    assert "x norm" in out
    assert "1 of the prompt's" in out


def test_the_largest_coefficient_is_that_of_the_index(itda: Cli) -> None:
    code, out, _ = itda("atoms", "show", DICTIONARY, 51, "--json")
    assert code == 0
    largest = max(abs(json.loads(out)[name]) for name in ("max", "min"))
    asked = ["--atom", 51, "--strength", 0.5, "--unit", "max", "--where", "token", "--json"]
    code, out, _ = itda("steer", DICTIONARY, "--prompt", PROMPT, *asked)
    assert code == 0
    assert json.loads(out)["changed"][0]["after"] == pytest.approx(0.5 * largest, rel=1e-5)


def test_tokens_that_were_asked_to_change_say_whether_they_have(itda: Cli) -> None:
    """Where the atom has no coefficient, times its own changes nothing."""
    asked = ["--atom", 51, "--strength", 0, "--where", "all", "--json"]
    code, out, err = itda("steer", DICTIONARY, "--prompt", "It will be sunny, with heavy", *asked)
    assert code == 0, err
    found = json.loads(out)
    assert [one["moved"] for one in found["changed"]] == [one["before"] != one["after"] for one in found["changed"]]
    marked = [i for i, token in enumerate(found["tokens"]) if token["changed"]]
    assert [one["token"] for one in found["changed"] if one["moved"]] == marked
    assert 0 < len(marked) < len(found["changed"])


def test_steering_for_people(itda: Cli) -> None:
    code, out, err = itda("steer", DICTIONARY, "--prompt", PROMPT, "--atom", 3, "--strength", 2, "--unit", "norm")
    assert (code, err) == (0, "")
    assert "half its norm" in out
    heads, first = out.splitlines()[:2]
    assert heads.split() == ["next", "token", "before", "after", "difference"]
    before, after, difference, unit = first.split()[-4:]
    assert unit == "pp"
    assert float(difference.replace("−", "-")) == pytest.approx(float(after[:-1]) - float(before[:-1]), abs=0.11)
    assert "Loss on the prompt" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["steer", DICTIONARY, "--atom", "x", "--strength", 0], "number of an atom"),
        (["steer", DICTIONARY, "--atom", "99999", "--strength", 0], "no atom 99999"),
        (["steer", DICTIONARY, "--atom", "99999", "--strength", 1, "--unit", "max"], "no atom 99999"),
        (["steer", DICTIONARY, "--atom", "1", "--strength", "nan"], "strength"),
        (["steer", DICTIONARY, "--atom", "1", "--strength", 0, "--where", "here"], "unknown"),
        (["steer", DICTIONARY, "--atom", "1", "--strength", 0, "--new-tokens", -3], "cannot be written"),
        (["attribute", DICTIONARY, "demo-1-L3"], "built on"),
        (["attribute", DICTIONARY, "--target", "several words here"], "several tokens"),
        (["attribute", DICTIONARY, "--token", 999], "does not exist"),
        (["attribute", DICTIONARY, "demo-0-L4-consensus", "--all-layers"], "give one"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(itda: Cli, arguments: list[object], said: str) -> None:
    code, out, err = itda(*arguments, "--prompt", PROMPT)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_an_encoder_has_no_next_token(itda: Cli, model_folder_of, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(["The small dog ran home again."] * 40))
    folder = model_folder_of("bert")
    options = ["--layers", 1, "--corpus", text, "--tokens", 200, "--context", 32, "--k", 4, "--device", "cpu", "--json"]
    code, out, _ = itda("train", folder, *options)
    assert code == 0
    path = json.loads(out)["dictionaries"][0]["path"]
    for command in (["attribute", path], ["steer", path, "--atom", 0, "--strength", 0]):
        code, _, err = itda(*command, "--prompt", "The small dog")
        assert code == 2
        assert "predicts no next token" in err
