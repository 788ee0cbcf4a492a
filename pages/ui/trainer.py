"""The form of the train page: everything a training needs, with defaults that work."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from itda_core.dictionaries.config import METHODS, SELECTIONS, SINKS, SIZED, TrainConfig
from itda_core.dictionaries.threshold import RELATIVE_ERROR, cosine_of, default_threshold
from itda_core.errors import UserError
from itda_core.models.sites import KINDS
from itda_core.models.spec import DEMO_MODELS, DTYPES, ModelSpec
from itda_core.runs.estimate import Estimate, ModelFigures, estimate, model_figures
from itda_core.runs.jobs import Jobs
from itda_core.runs.layers import parse_layers
from itda_core.runs.library import LibraryEntry
from itda_core.runs.machine import machine
from itda_core.runs.request import TrainRequest
from pages.ui import engine, shell, uploads
from pages.ui.fact_table import fact_table
from pages.ui.notice import notice, problem
from pages.ui.wording import duration, size

_MODEL_SOURCES = ("Bundled", "Local folder", "Hugging Face")
_TEXT_SOURCES = ("Bundled", "Upload", "Path", "Hugging Face")
_DEMO_TOKENS = 100_000
_DEMO_K = 8  # at d_model 128, 40 would leave a dictionary of about a hundred atoms
_SITES = (*KINDS, "module path")
_WANTED_ATOMS = 1024
_SELECTION_WORDS = {
    "sequential": "sequential: one activation at a time",
    "paper": "paper: whole batches, as the published code",
    "sampled": "sampled: a wanted number, where the unexplained mass is",
    "consensus": "consensus: a wanted number, each the mean of up to eight activations",
}
_SITE_WORDS = {
    "resid_post": "resid_post: residual stream after the block",
    "resid_pre": "resid_pre: residual stream before the block",
    "attn_out": "attn_out: what attention adds",
    "mlp_out": "mlp_out: what the MLP adds",
    "module path": "a module by its path",
}


@dataclass(frozen=True)
class Asked:
    """What the form holds; `request` checks it."""

    model: str
    revision: str | None
    device: str
    dtype: str
    offline: bool
    trust_remote_code: bool
    layers: str
    site: str
    corpus: str
    tokens: int | None
    context: int
    windows: str
    k: int
    method: str
    selection: str
    threshold: float | None
    atoms: int | None
    centre: bool
    seed: int
    sinks: float | None
    keep_activations: bool

    def request(self) -> TrainRequest:
        """Raises UserError for whatever can be seen to be wrong before any work."""
        if not self.corpus:
            raise UserError("No text was chosen yet; upload a file, give a path or use the bundled one.")
        if not self.layers:
            raise UserError("No layer was chosen; choose at least one.")
        model = ModelSpec(self.model, self.revision, self.device, self.dtype, self.offline, self.trust_remote_code)
        config = TrainConfig(
            k=self.k,
            method=self.method,
            selection=self.selection,
            threshold=self.threshold,
            atoms=self.atoms,
            centre=self.centre,
            tokens=self.tokens,
            context=self.context,
            windows=self.windows,
            seed=self.seed,
            sinks=self.sinks,
        )
        layers = parse_layers(self.layers)
        return TrainRequest(model, layers, self.corpus, config, self.site, keep_activations=self.keep_activations)


def form(entries: Sequence[LibraryEntry]) -> Asked:
    """Draws the form. Its values outlive a visit to another page."""
    st.subheader("Model", anchor=False)
    model, revision, bundled = _model()
    site = _site()
    layers = _layers(model)
    st.subheader("Text", anchor=False)
    corpus = _corpus()
    left, right = st.columns(2)
    tokens = left.number_input(
        "Tokens to read",
        min_value=0,
        value=_DEMO_TOKENS,
        step=10_000,
        key="train.tokens",
        persist_state="session",
        help="0 reads the whole text.",
    )
    context = right.number_input(
        "Tokens per window",
        min_value=1,
        value=128,
        key="train.context",
        persist_state="session",
        help="Documents are read in windows of at most this many tokens.",
    )
    st.subheader("Dictionary", anchor=False)
    k_default, threshold_default = _defaults(entries, bundled)
    kind = "bundled" if bundled else "other"
    selection = st.selectbox(
        "Selection",
        SELECTIONS,
        format_func=_SELECTION_WORDS.__getitem__,
        key="train.selection",
        persist_state="session",
        help="By which rule activations become atoms.",
    )
    left, middle, right = st.columns(3)
    k = left.number_input(
        "Atoms per token (k)", min_value=1, value=k_default, key=f"train.k.{kind}", persist_state="session"
    )
    with middle:
        if selection in SIZED:
            threshold, atoms = None, _wanted_atoms()
        else:
            threshold = _paper_threshold(model, site) if selection == "paper" else _threshold(threshold_default, kind)
            with right:
                atoms = _most_atoms()
    with st.expander("More settings", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        method = left.selectbox("Pursuit", METHODS, format_func=str.upper, key="train.method", persist_state="session")
        windows = middle.selectbox(
            "Windows of a document", ("all", "first"), key="train.windows", persist_state="session"
        )
        seed = middle.number_input("Seed", min_value=0, value=0, key="train.seed", persist_state="session")
        device = right.text_input(
            "Device",
            value="auto",
            key="train.device",
            persist_state="session",
            help="auto, cpu, cuda, cuda:0, … or mps",
        )
        dtype = right.selectbox("Precision", DTYPES, key="train.dtype", persist_state="session")
        sinks = left.number_input(
            "Attention sinks above",
            min_value=0.0,
            value=0.0 if selection == "paper" else SINKS,
            disabled=selection == "paper",
            step=1.0,
            format="%g",
            key=f"train.sinks.{'paper' if selection == 'paper' else 'other'}",
            persist_state="session",
            help="Tokens whose activation is longer than this many times the median are left out: they say little of "
            "the text and outweigh everything else. 0 leaves out none.",
        )
        keep = st.toggle(
            "Keep the activations on disk",
            key="train.keep",
            persist_state="session",
            help="The next training on the same text, with another threshold or selection, more tokens or fewer "
            "layers, reads them instead of running the model.",
        )
        centre = st.toggle(
            "Remove the mean first",
            value=selection in SIZED,
            key=f"train.centre.{'sized' if selection in SIZED else 'grown'}",
            persist_state="session",
            help="Atoms then say how an activation differs from the average one; reconstructs better at a given size.",
        )
        offline = trust = False
        if not bundled:
            offline = st.toggle("Use only what is on this machine", key="train.offline", persist_state="session")
            trust = st.toggle(
                "Run Python code that comes with the model",
                key="train.trust",
                help="Needed by few models. Such code can do anything on this machine: only for authors you trust.",
            )
    return Asked(
        model=model,
        revision=revision,
        device=device.strip() or "auto",
        dtype=dtype,
        offline=offline,
        trust_remote_code=trust,
        layers=layers,
        site=site,
        corpus=corpus,
        tokens=int(tokens) or None,
        context=int(context),
        windows=windows,
        k=int(k),
        method=method,
        selection=selection,
        threshold=threshold,
        atoms=atoms,
        centre=centre,
        seed=int(seed),
        sinks=float(sinks) or None,
        keep_activations=keep,
    )


def _model() -> tuple[str, str | None, bool]:
    source = st.segmented_control(
        "Where the model is",
        _MODEL_SOURCES,
        default=_MODEL_SOURCES[0],
        required=True,
        key="train.model.source",
        persist_state="session",
        label_visibility="collapsed",
    )
    if source == "Bundled":
        name = st.selectbox(
            "Bundled model",
            DEMO_MODELS,
            key="train.model.demo",
            persist_state="session",
            help="Five small language models of one architecture that differ only in their seed.",
        )
        return name, None, True
    if source == "Local folder":
        name = st.text_input(
            "Model folder",
            key="train.model.folder",
            persist_state="session",
            placeholder="/path/to/a/hugging-face/model",
            help="A folder with config.json, a fast tokenizer and safetensors weights.",
        )
        return name.strip(), None, False
    left, right = st.columns([3, 1])
    name = left.text_input(
        "Hugging Face id", key="train.model.hub", persist_state="session", placeholder="EleutherAI/pythia-70m"
    )
    revision = right.text_input("Revision", key="train.model.revision", persist_state="session", placeholder="main")
    return name.strip(), revision.strip() or None, False


def figures_of(model: str) -> ModelFigures | None:
    """A model's size, if it is on this machine, read without loading it; None where that cannot be known yet."""
    if not model:
        return None
    try:
        return model_figures(ModelSpec(model))
    except UserError:
        return None  # said beside the Start button, where the estimate runs into the same


def _most_atoms() -> int | None:
    most = st.number_input(
        "Stop growing at",
        min_value=0,
        value=0,
        step=500,
        key="train.atoms",
        persist_state="session",
        help="Number of atoms; 0 for no limit.",
    )
    return int(most) or None


def _wanted_atoms() -> int:
    wanted = st.number_input(
        "Number of atoms",
        min_value=1,
        value=_WANTED_ATOMS,
        step=256,
        key="train.atoms.wanted",
        persist_state="session",
        help="The dictionary ends with exactly so many, chosen once the text is read from a sample of 40 activations "
        "per atom or all that there are.",
    )
    return int(wanted)


def _threshold(default: float, kind: str) -> float:
    return st.number_input(
        "Threshold",
        min_value=0.0,
        max_value=1.0,
        value=default,
        step=0.01,
        format="%.3f",
        key=f"train.threshold.{kind}",
        persist_state="session",
        help="An activation becomes an atom when the dictionary leaves more than this part of it unexplained "
        "(relative squared error, 0 to 1).",
    )


def _paper_threshold(model: str, site: str) -> float | None:
    """In the published code's unit, which means something only together with the width of the activations."""
    known = figures_of(model) if site in KINDS else None
    d_model = None if known is None else known.d_model
    threshold = st.number_input(
        "Threshold",
        min_value=0.0,
        value=None,
        step=1e-5,
        format="%.6f",
        placeholder="default" if d_model is None else f"{default_threshold(d_model):.6f}",
        key="train.threshold.paper",
        persist_state="session",
        help="An activation becomes an atom when its error, 2 (1 - cosine) / d_model between it and its "
        "reconstruction, exceeds this. The default means what relative squared error 0.3 does.",
    )
    if d_model is not None:
        meant = cosine_of(default_threshold(d_model) if threshold is None else threshold, d_model)
        st.caption(f"cosine {meant:.3f} at d_model={d_model}")
    return threshold


def _site() -> str:
    site = st.selectbox(
        "Site",
        _SITES,
        format_func=_SITE_WORDS.__getitem__,
        key="train.site",
        persist_state="session",
        help="Where in each block the activations are read.",
    )
    if site != "module path":
        return site
    return st.text_input(
        "Module path", value="transformer.h.{layer}.mlp", key="train.module", persist_state="session"
    ).strip()


def _layers(model: str) -> str:
    known = figures_of(model)
    if known is None:
        return st.text_input(
            "Layers", value="all", key="train.layers.text", persist_state="session", help="Such as 0,2-4 or all."
        ).strip()
    count = known.n_layers
    chosen = st.multiselect(
        "Layers",
        range(count),
        default=[count // 2],
        format_func=lambda layer: f"{layer}",
        key=f"train.layers.{count}",
        persist_state="session",
        help="Several layers are trained in one pass over the text, one dictionary each.",
    )
    return ",".join(str(layer) for layer in sorted(chosen))


def _corpus() -> str:
    source = st.segmented_control(
        "Where the text is",
        _TEXT_SOURCES,
        default=_TEXT_SOURCES[0],
        required=True,
        key="train.text.source",
        persist_state="session",
        label_visibility="collapsed",
    )
    if source == "Bundled":
        st.caption(
            "20,000 short English passages: stories, recipes, weather, letters, simple Python, arithmetic and more."
        )
        return "demo"
    if source == "Path":
        return st.text_input(
            "File on this machine",
            key="train.text.path",
            persist_state="session",
            placeholder="/path/to/text.txt",
            help="A .txt, .jsonl, .csv or .parquet file; a column may follow it: reviews.csv#body",
        ).strip()
    if source == "Hugging Face":
        name = st.text_input(
            "Dataset",
            key="train.text.hub",
            persist_state="session",
            placeholder="NAME/CONFIG@SPLIT#COLUMN",
            help="Streamed: only what is read is fetched.",
        ).strip()
        return f"hf:{name.removeprefix('hf:')}" if name else ""
    return _upload()


def _upload() -> str:
    given = st.file_uploader("Text file", type=list(uploads.KINDS), key="train.text.upload")
    if given is not None and st.session_state.get("train.text.kept") != given.file_id:
        try:
            st.session_state["train.text.chosen"] = str(uploads.keep(given.name, given))
        except UserError as error:
            problem(error, key="train.upload.problem")
            return ""
        st.session_state["train.text.kept"] = given.file_id
    kept = [str(path) for path in uploads.uploads()]
    if not kept:
        return ""
    if st.session_state.get("train.text.chosen") not in kept:
        st.session_state["train.text.chosen"] = kept[0]
    return st.selectbox(
        "Uploaded text",
        kept,
        key="train.text.chosen",
        format_func=lambda path: f"{Path(path).name} ({size(Path(path).stat().st_size)})",
        help=f"Kept in {uploads.uploads_folder().name}/ beside your library.",
    )


def _defaults(entries: Sequence[LibraryEntry], bundled: bool) -> tuple[int, float]:
    """k and threshold: for the bundled models those of their own dictionary that opens by default."""
    if not bundled:
        return TrainConfig.k, RELATIVE_ERROR
    entry = engine.default_entry([entry for entry in entries if entry.bundled and entry.problem is None])
    if entry is None or entry.k is None or entry.threshold is None:
        return _DEMO_K, RELATIVE_ERROR
    return entry.k, entry.threshold


def cost(request: TrainRequest) -> None:
    """What the run would take, and how to start it from a terminal. Raises UserError when the layers do not exist."""
    expected = estimate(request)
    fact_table(cost_lines(expected), title="What it will cost", key="train.cost")
    if expected.fits(machine()) is False:
        notice(
            f"About {size(expected.memory or 0)} of memory would be needed, {size(machine().memory_free)} are free.",
            step="Choose fewer layers, fewer tokens or a lower limit of atoms.",
            kind="warning",
            key="train.memory",
        )
    if request.keep_activations and expected.fits_disk() is False:
        notice(
            f"About {size(expected.activations or 0)} of activations would be kept, "
            f"{size(expected.disk_free or 0)} are free.",
            step="Choose fewer layers or tokens, or do not keep them.",
            kind="warning",
            key="train.disk",
        )
    with st.container(gap="xsmall"):
        for note in expected.notes:
            st.caption(note)
    st.markdown("**The same in a terminal**")
    st.code(request.command(), language="bash", wrap_lines=True)


def cost_lines(expected: Estimate) -> dict[str, str]:
    """An estimate in words, unknown figures as a dash."""
    lines = {
        "Tokens": "—" if expected.tokens is None else f"about {expected.tokens:,}",
        "Dictionaries": "—" if expected.layers is None else f"{expected.layers}",
        "Time": "—" if expected.seconds is None else " to ".join(duration(seconds) for seconds in expected.seconds),
        "Memory": "—" if expected.memory is None else f"about {size(expected.memory)}",
        "Disk": "—" if expected.disk is None else f"about {size(expected.disk)}",
    }
    if expected.activations != 0:
        lines["Activations"] = "—" if expected.activations is None else f"about {size(expected.activations)} on disk"
    return lines


def exports(request: TrainRequest) -> dict[str, tuple[str, str, Callable[[], bytes | str]]]:
    """The settings, to take along."""
    return {
        "Settings (JSON)": (
            "itda-training.json",
            "application/json",
            lambda: json.dumps(request.to_dict(), indent=2, ensure_ascii=False),
        ),
        "Command (shell script)": (
            "itda-training.sh",
            "text/x-shellscript",
            lambda: f"#!/bin/sh\n{request.command()}\n",
        ),
    }


def start(request: TrainRequest) -> None:
    """The Start button; a started job is shown at its own address."""
    if not st.button(
        "Start training", type="primary", icon=":material/play_arrow:", width="stretch", key="train.start"
    ):
        return
    try:
        job = Jobs().start(request)
    except UserError as error:
        problem(error, key="train.start.problem")
        return
    shell.open_page("Train", {"job": job.id, "dictionary": st.query_params.get("dictionary")})
