"""What a form holds is in its page's address: a reload, a link and a way back bring it again, all of it."""

from __future__ import annotations

import json
import shlex
import shutil
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.forms import uploads
from tests.pages.conftest import HOSTILE, LAYER, Studio, asked_for, notices, page_links, parsed_text, startable


def command(test: AppTest) -> list[str]:
    """What the page's button would start."""
    return shlex.split(test.code[-1].value)


def link(test: AppTest) -> dict[str, str]:
    """What the link under Share asks for."""
    (shared,) = [code.value for code in test.code if str(code.value).startswith("http")]
    return dict(parse_qsl(urlsplit(shared).query))


@pytest.fixture
def filled(studio: Studio) -> AppTest:
    """The form of a training with nothing left as it is proposed."""
    test = studio.open("train")
    test.selectbox(key="train.model.demo").set_value("demo:2").run()
    test.selectbox(key="train.site").set_value("mlp_out")
    test.multiselect(key="train.layers.6").set_value([4, 0, 1])
    test.number_input(key="train.tokens").set_value(0)
    test.number_input(key="train.context").set_value(64)
    test.number_input(key="train.k.bundled").set_value(12)
    test.number_input(key="train.threshold.bundled").set_value(0.2)
    test.number_input(key="train.atoms").set_value(500)
    test.text_input(key="train.name").set_value("größe.2")
    test.segmented_control(key="train.method").set_value("omp")
    test.selectbox(key="train.windows").set_value("first")
    test.number_input(key="train.seed").set_value(3)
    test.number_input(key="train.sinks.other").set_value(20.0)
    test.toggle(key="train.keep").set_value(True)
    test.toggle(key="train.centre.grown").set_value(True)
    test.text_input(key="train.device").set_value("cpu")
    test.selectbox(key="train.dtype").set_value("float32")
    test.selectbox(key="train.placement").set_value("stream")
    test.run()
    assert startable(test), notices(test)
    return test


def test_the_form_of_a_training_comes_back_with_its_address(studio: Studio, filled: AppTest) -> None:
    assert asked_for(filled) == {
        **{"model": "demo:2", "site": "mlp_out", "layers": "0-1,4", "tokens": "0", "context": "64", "k": "12"},
        **{"threshold": "0.2", "atoms": "500", "name": "größe.2", "method": "omp", "windows": "first"},
        **{"seed": "3", "sinks": "20.0", "keep": "True", "centre": "True"},
        **{"device": "cpu", "dtype": "float32", "placement": "stream"},
    }
    assert link(filled) == asked_for(filled)
    asked = command(filled)
    for option in ("--tokens", "--layers", "--threshold", "--keep-activations", "--centre", "--name", "--seed"):
        assert (option in asked) == (option != "--tokens")  # all of the text
    again = studio.open("train", **asked_for(filled))
    assert command(again) == asked
    assert command(studio.open("train", **link(again))) == asked
    assert asked_for(again) == asked_for(filled)


def test_what_is_left_as_proposed_makes_no_address(studio: Studio) -> None:
    test = studio.open("train")
    assert asked_for(test) == {}
    assert link(test) == {}
    test.number_input(key="train.k.bundled").set_value(12).run()
    test.selectbox(key="train.selection").set_value("paper").run()
    assert link(test) == {"selection": "paper", "k": "12"}
    test.selectbox(key="train.selection").set_value("sequential").run()
    test.number_input(key="train.k.bundled").set_value(8).run()
    assert link(test) == {}


def test_every_way_back_leads_to_the_form_as_it_was(filled: AppTest) -> None:
    asked, held = command(filled), asked_for(filled)
    filled.switch_page("app.py").run()
    for label in ("Train", "**Train a dictionary**"):
        there = dict(parse_qsl(page_links(filled)[label]))
        assert there == held, label
    filled.switch_page("pages/train.py")
    for name, value in there.items():
        filled.query_params[name] = value
    filled.run()
    assert command(filled) == asked

    for name in held:
        del filled.query_params[name]
    filled.query_params["job"] = "20261120-120000-000000-abcd"  # on the page itself, the way is a button
    filled.run()
    filled.button(key="train.new").click().run()
    assert asked_for(filled) == held
    assert command(filled) == asked


@pytest.mark.parametrize(
    ("given", "said", "startable_still"),
    [
        ({"layers": "99"}, "layers=99, which names a layer that the model does not have (it has 0 to 5)", True),
        ({"layers": HOSTILE[0]}, "names no layers", True),
        ({"layers": ""}, "No layer was chosen", False),
        ({"k": "abc"}, "k=abc, which is not a whole number", True),
        ({"k": "9" * 5000}, "is not a whole number", True),
        ({"k": "9" * 30}, "is not between", True),
        ({"k": "999999"}, "k=999999", False),
        ({"threshold": "nan"}, "threshold=nan, which is not a number of a usual size", True),
        ({"threshold": HOSTILE[1]}, "is not a number", True),
        ({"model": "demo:77"}, "model=demo:77, which is none of", True),
        ({"source": HOSTILE[0]}, "which is none of bundled, folder, hub", True),
        ({"selection": "best"}, "selection=best, which is none of", True),
        ({"site": "nowhere"}, "site=nowhere, which is none of", True),
        ({"site": "module path", "module": "no.{layer}.such"}, "no.", False),
        ({"keep": "perhaps"}, "keep=perhaps, which is none of True, False", True),
        ({"name": "a" * 100_000}, "is longer than 4,096 characters", True),
        ({"name": "a" * 4000}, "", False),
        ({"name": HOSTILE[0]}, "cannot be a dictionary's name", False),
        ({"source": "folder", "folder": "a/" * 2000}, "", False),
        ({"source": "folder", "folder": "\0"}, "holds control characters", False),
        ({"source": "folder", "folder": HOSTILE[0]}, "", False),
        ({"source": "hub", "hub": HOSTILE[1], "revision": HOSTILE[0]}, "", False),
        ({"text": "path", "path": "a" * 4000}, "", False),
        ({"text": "path", "path": HOSTILE[0]}, "is unknown", False),
        ({"text": "hub", "dataset": HOSTILE[1]}, "", False),
        ({"text": "upload", "upload": "../../etc/passwd"}, "is none of the texts that were uploaded", False),
        ({"device": HOSTILE[0]}, "is unknown", False),
        ({"tokens": "-5"}, "tokens=-5", False),
    ],
)
def test_what_an_address_cannot_mean_is_said(
    studio: Studio, given: dict[str, str], said: str, startable_still: bool
) -> None:
    test = studio.open("train", **given)
    told = notices(test)
    assert told
    assert said in "\n".join(told)
    assert startable(test) == startable_still
    assert all(text not in parsed_text(test) for text in HOSTILE)


def test_no_address_consents_to_running_code_or_holds_what_was_uploaded(studio: Studio, model_folder_of) -> None:
    folder = str(model_folder_of("gpt2"))
    uploads.uploads_folder().mkdir(parents=True)
    for name in ("first.csv", "second.csv"):
        (uploads.uploads_folder() / name).write_text("title,body\n" + "a title,Words to read.\n" * 900)
    test = studio.open(
        "train", source="folder", folder=folder, context="64", k="4", trust="True", trust_remote_code="True"
    )
    assert "--trust-remote-code" not in command(test)
    test.toggle(key="train.trust").set_value(True).run()
    test.segmented_control(key="train.text.source").set_value("upload").run()
    test.selectbox(key="train.text.chosen").set_value("first.csv").run()
    column = f"train.text.column.{uploads.uploads_folder() / 'first.csv'}"
    test.selectbox(key=column).set_value("body").run()
    assert "--trust-remote-code" in command(test), notices(test)
    held = link(test)
    assert held == {**{"source": "folder", "folder": folder, "context": "64", "k": "4", "layers": "2"}, **{
        "text": "upload", "upload": "first.csv", "column": "body",
    }}  # fmt: skip
    again = studio.open("train", **held)
    assert [part for part in command(test) if part != "--trust-remote-code"] == command(again)
    (uploads.uploads_folder() / "first.csv").unlink()
    gone = studio.open("train", **held)
    assert any("upload=first.csv, which is none of the texts that were uploaded here" in text for text in notices(gone))


def test_what_is_not_shown_is_not_shared_but_comes_back(studio: Studio) -> None:
    test = studio.open("train", source="folder", folder="/home/me/secret", text="path", path="/home/me/text.txt")
    assert {"folder", "path"} <= set(link(test))
    test.segmented_control(key="train.model.source").set_value("bundled").run()
    test.segmented_control(key="train.text.source").set_value("bundled").run()
    assert link(test) == {}
    test.switch_page("app.py").run()
    assert dict(parse_qsl(page_links(test)["Train"]))["folder"] == "/home/me/secret"


def library_with(studio: Studio, name: str, **spec: object) -> None:
    """Another dictionary in the library, of what its file is made to say."""
    folder = studio.home / "library" / name
    shutil.copytree(studio.dictionary, folder)
    said = json.loads((folder / "dictionary.json").read_text())
    said["spec"] |= spec
    (folder / "dictionary.json").write_text(json.dumps(said))


def test_the_chosen_dictionarys_model_and_layer_are_proposed(studio: Studio) -> None:
    library_with(studio, "of-demo", model="demo:3", layer=5, site="mlp_out")
    library_with(studio, "of-hub", model="owner/model", layer=7, site="resid_post", revision="0" * 40)
    library_with(studio, "moved", model=str(studio.home / "nowhere"), layer=7)
    model = json.loads((studio.dictionary / "dictionary.json").read_text())["spec"]["model"]
    test = studio.open("train", dictionary=studio.dictionary.name, context="64")
    assert test.segmented_control(key="train.model.source").value == "folder"
    assert test.text_input(key="train.model.folder").value == model
    assert list(test.multiselect[0].value) == [LAYER]
    assert link(test) == {"source": "folder", "folder": model, "layers": str(LAYER), "context": "64"}
    unchosen = studio.open("train", **link(test))  # where no dictionary is chosen, a link means the same
    assert command(unchosen) == command(test)

    test = studio.open("train", dictionary="of-demo")
    assert (test.selectbox(key="train.model.demo").value, list(test.multiselect[0].value)) == ("demo:3", [5])
    assert test.selectbox(key="train.site").value == "mlp_out"
    test.multiselect[0].set_value([2]).run()
    assert asked_for(test) == {"dictionary": "of-demo", "layers": "2"}
    assert link(test) == {"model": "demo:3", "site": "mlp_out", "layers": "2"}
    test.selectbox(key="train.model.demo").set_value("demo:0").run()  # the default elsewhere, a choice here
    assert studio.open("train", **asked_for(test)).selectbox(key="train.model.demo").value == "demo:0"

    test = studio.open("train", dictionary="of-hub")
    assert test.text_input(key="train.model.hub").value == "owner/model"
    assert test.text_input(key="train.model.revision").value == "0" * 40
    assert test.text_input(key="train.layers.text").value == "7"
    for address in ({"dictionary": "moved"}, {}, {"dictionary": "not-there"}):
        test = studio.open("train", **address)
        assert (test.selectbox(key="train.model.demo").value, list(test.multiselect[0].value)) == ("demo:0", [3])


def test_another_dictionary_proposes_anew_what_was_not_chosen(studio: Studio) -> None:
    library_with(studio, "of-demo", model="demo:3", layer=5)
    test = studio.open("train", dictionary="of-demo", k="12")
    test.selectbox(key="shell.dictionary").set_value(studio.dictionary.name).run()
    assert test.segmented_control(key="train.model.source").value == "folder"
    assert test.number_input(key="train.k.other").value == 12


HOW = {"device": "cpu", "dtype": "float32", "placement": "spread", "offline": "True"}


@pytest.mark.parametrize(
    ("page", "address", "more"),
    [
        ("evaluate", {"k": "4"}, {"model": "demo:1"}),
        ("compare", {"show": "measures", "models": "demo:0~demo:1"}, {"k": "5"}),
        ("compare", {"show": "transfer"}, {"corpus": "demo", "held_out": "demo", "method": "gp"}),
    ],
)
def test_other_forms_hold_all_of_theirs_too(
    studio: Studio, page: str, address: dict[str, str], more: dict[str, str]
) -> None:
    kind = {"evaluate": "evaluate", "measures": "match", "transfer": "transfer"}[address.get("show", page)]
    test = studio.open(page, **address)
    test.text_input(key=f"{kind}.device").set_value(HOW["device"])
    test.selectbox(key=f"{kind}.dtype").set_value(HOW["dtype"])
    test.selectbox(key=f"{kind}.placement").set_value(HOW["placement"])
    test.toggle(key=f"{kind}.offline").set_value(True)
    for name, value in more.items():
        if name == "k":
            test.number_input(key=f"{kind}.k").set_value(int(value))
        elif name == "method":
            test.segmented_control(key=f"{kind}.method").set_value(value)
        else:
            test.text_input(key=f"{kind}.{name}").set_value(value)
    test.run()
    assert {name: asked_for(test)[name] for name in (*HOW, *more)} == {**HOW, **more}
    assert {**HOW, **more}.items() <= link(test).items()
    again = studio.open(page, **link(test))
    assert again.text_input(key=f"{kind}.device").value == "cpu"
    assert again.toggle(key=f"{kind}.offline").value is True
    assert notices(again) == notices(test)
    assert [code.value for code in again.code][1:] == [code.value for code in test.code][1:]


def test_zero_tokens_are_said_to_be_all_of_the_text(studio: Studio) -> None:
    test = studio.open("train", tokens="0")
    assert test.number_input(key="train.tokens").label == "Tokens to read (0: all of the text)"
    assert "--tokens" not in command(test)


@pytest.mark.parametrize(
    ("page", "given"),
    [
        ("train", {"seed": "3"}),
        ("train", {"device": "cpu"}),
        ("evaluate", {"dtype": "float32"}),
        ("compare", {"show": "measures", "k": "12"}),
        ("compare", {"show": "transfer", "held_out": "demo"}),
    ],
)
def test_more_settings_are_open_where_the_address_sets_one(studio: Studio, page: str, given: dict[str, str]) -> None:
    def is_open(test: AppTest) -> bool:
        (box,) = [box for box in test.expander if box.label == "More settings"]
        return box.proto.expanded

    shown = {name: value for name, value in given.items() if name == "show"}
    assert not is_open(studio.open(page, **shown))
    test = studio.open(page, **given)
    assert is_open(test)
    for name in given.keys() - shown.keys():
        del test.query_params[name]
    assert is_open(test.run())  # and does not fold while somebody works in it
