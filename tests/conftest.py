"""What tests of several rooms need: a home of their own, the command line, and tiny models of six families.

The models have random weights and tokenizers trained on the spot, and are ordinary model folders.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import itda_core  # before torch, which reads how threads are to wait when it is loaded

if "PYTEST_XDIST_WORKER_COUNT" in os.environ:  # the cores are shared, also by what tests start
    from itda_core.machine.threads import cores  # a container may give few of many; nothing heavy is loaded with it

    _workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // _workers)))  # read with torch

import hypothesis
import pytest
import torch
import typer.main

# What an example takes, and drawing one, says how busy the machine is, not that something is wrong.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported, which transformers does for any test

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from itda_core.models import LanguageModel

ROOT = Path(itda_core.__file__).resolve().parents[1]
Cli = Callable[..., tuple[int, str, str]]
Start = Callable[..., subprocess.Popen[str]]

FAMILIES = ("gpt2", "gpt_neox", "llama", "gemma2", "qwen2", "bert")
N_LAYERS, D_MODEL, CONTEXT = 4, 32, 64
_BEGINS_WITH_BOS = ("llama", "gemma2")


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """How long syncing takes says how busy the disk is; that it is asked for, and when, is what test_files looks at."""
    sync, os.fsync = os.fsync, lambda _: None
    yield
    os.fsync = sync


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle", type=int, metavar="SEED", help="the files, and the tests within each, in an order drawn by SEED"
    )


# Few tests, which wait for browsers, workers and clusters: begun first, so that no process is left alone with them.
_LONG = ("e2e/", "runs/test_cluster", "runs/test_jobs", "test_cli", "bench/", "runs/")


@pytest.hookimpl(trylast=True)  # after pytest has put those with the same parameters together
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first, all else as it was; or, with --shuffle, the files and the tests of each in any order."""
    if (seed := config.getoption("shuffle")) is not None:
        draw = random.Random(seed)  # each of several processes draws the same
        files: dict[Path, list[pytest.Item]] = {}
        for item in items:
            files.setdefault(item.path, []).append(item)
        order = list(files)
        draw.shuffle(order)
        for tests in files.values():
            draw.shuffle(tests)
        items[:] = [item for path in order for item in files[path]]
        return

    def rank(item: pytest.Item) -> int:
        place = item.path.relative_to(ROOT / "tests").as_posix()
        return next((i for i, begin in enumerate(_LONG) if place.startswith(begin)), len(_LONG))

    items.sort(key=rank)


def generated_text(n_sentences: int, seed: int = 0) -> list[str]:
    """Sentences of made-up words and some real marks, to train tokenizers on and to read."""
    draw = random.Random(seed)
    syllables = ["ba", "de", "ki", "lo", "mu", "ra", "sen", "tor", "vi", "zan", "the", "ing", "er"]
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 3))) for _ in range(300)]
    return [
        " ".join(draw.choices(words, k=draw.randint(3, 14))).capitalize() + draw.choice([".", "?", "!", ", 42."])
        for _ in range(n_sentences)
    ]


def byte_level(family: str) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|endoftext|>", "<bos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(generated_text(400), trainer)
    if family in _BEGINS_WITH_BOS:
        bos = tokenizer.token_to_id("<bos>")
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", bos)]
        )
    named: dict[str, Any] = {"bos_token": "<bos>"} if family in _BEGINS_WITH_BOS else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", model_max_length=CONTEXT, **named
    )


def word_piece() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # pyright: ignore[reportCallIssue]
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False
    )
    tokenizer.train_from_iterator(generated_text(400), trainer)
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=CONTEXT,
    )


def _network(family: str, n_vocabulary: int) -> Any:
    import transformers as hf

    usual: dict[str, Any] = {"vocab_size": n_vocabulary, "hidden_size": D_MODEL, "num_hidden_layers": N_LAYERS}
    usual |= {"num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": CONTEXT}
    usual |= {"initializer_range": 0.1, "bos_token_id": 1, "eos_token_id": 0, "pad_token_id": None}
    grouped: dict[str, Any] = {"num_key_value_heads": 2}
    if family == "gpt2":
        return hf.GPT2LMHeadModel(
            hf.GPT2Config(
                vocab_size=n_vocabulary,
                n_embd=D_MODEL,
                n_layer=N_LAYERS,
                n_head=4,
                n_positions=CONTEXT,
                initializer_range=0.1,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
    if family == "gpt_neox":
        return hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**usual))
    if family == "llama":
        return hf.LlamaForCausalLM(hf.LlamaConfig(**usual, **grouped))
    if family == "gemma2":
        return hf.Gemma2ForCausalLM(
            hf.Gemma2Config(**usual, **grouped, head_dim=8, sliding_window=16, query_pre_attn_scalar=8)
        )
    if family == "qwen2":
        return hf.Qwen2ForCausalLM(hf.Qwen2Config(**usual, **grouped))
    assert family == "bert"
    return hf.BertModel(hf.BertConfig(**{**usual, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each file whole in one process, as by loadfile, and all of e2e/ in one, which share a server and a browser."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "e2e" if file.startswith("tests/e2e/") else file

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def commands_once() -> Iterator[None]:
    """Typer makes all commands anew each time the command line is called, which is once, but not in tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def home_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests find out about models is remembered for the session only, and never in the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ITDA_HOME", str(tmp_path_factory.mktemp("home-of-tests")))
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $ITDA_HOME."""
    monkeypatch.setenv("ITDA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def itda(capfd: pytest.CaptureFixture[str], home: Path) -> Cli:
    """`itda(*arguments)` in this process: exit code, stdout, stderr, as the system sees them."""
    from itda_core.cli.main import main

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        output = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, output.out, output.err

    return run


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """`start(*arguments)`: `python -m itda_core` as a process of its own, which does not outlive the test."""
    processes: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "itda_core", *map(str, arguments)]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """`hold(tokens)`: trainings in processes that are started later wait once they have read so many, see held/.

    They have one thread, as `one_thread` gives this process.
    """

    def at(tokens: int) -> None:
        monkeypatch.setenv("HOLD_AT", str(tokens))
        monkeypatch.setenv("HOLD_UNTIL", str(tmp_path / "never there"))
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests" / "held")]))

    return at


@pytest.fixture
def one_thread() -> Iterator[None]:
    """The last bits of a product may depend on the number of threads: one, as in processes that are compared with."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that this thread was to sleep; it does not. What waits too long is told on any machine."""
    asked: list[float] = []
    me, sleep = threading.get_ident(), time.sleep
    monkeypatch.setattr(time, "sleep", lambda s: asked.append(s) if threading.get_ident() == me else sleep(s))
    return asked


@pytest.fixture
def use_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """`use_hub(address)` points huggingface_hub to a server (see fake_hub.py), with an empty cache of its own."""
    from huggingface_hub import constants

    def use(address: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr("itda_core.hub.TIMEOUT", 120.0)  # a busy machine may take longer than the Hub is given
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    return use


@pytest.fixture(scope="session")
def model_folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`model_folder_of(family)`: the folder of a tiny model of that family, made when first asked for."""
    import torch

    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            folder = tmp_path_factory.mktemp("models") / f"tiny-{family}"
            tokenizer = word_piece() if family == "bert" else byte_level(family)
            with torch.random.fork_rng([]), torch.no_grad():
                torch.manual_seed(0)
                network = _network(family, len(tokenizer))
                for parameter in network.parameters():  # norms begin as ones and biases as zeros, which hides mistakes
                    parameter.add_(0.05 * torch.randn_like(parameter))
            network.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            made[family] = folder
        return made[family]

    return make


@pytest.fixture(scope="session")
def model_of(model_folder_of: Callable[[str], Path]) -> Callable[[str], LanguageModel]:
    """`model_of(family)`: the tiny model of that family, loaded on the CPU; shared, so not to be changed."""
    from itda_core.models import ModelSpec, load_model

    loaded: dict[str, LanguageModel] = {}

    def load(family: str) -> LanguageModel:
        if family not in loaded:
            loaded[family] = load_model(ModelSpec(str(model_folder_of(family)), device="cpu"))
        return loaded[family]

    return load


@pytest.fixture(scope="session", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    """Each of the six families in turn."""
    return request.param


@pytest.fixture(scope="session")
def model(family: str, model_of: Callable[[str], LanguageModel]) -> LanguageModel:
    """The tiny model of each family in turn."""
    return model_of(family)


@pytest.fixture(scope="session")
def tiny_folder(model_folder_of: Callable[[str], Path]) -> Path:
    """The folder of the tiny GPT-2."""
    return model_folder_of("gpt2")


@pytest.fixture(scope="session")
def tiny_model(model_of: Callable[[str], LanguageModel]) -> LanguageModel:
    """The tiny GPT-2: 4 layers, d_model 32, context 64, byte-level tokenizer without special tokens of its own."""
    return model_of("gpt2")


def acted(scene: Coroutine[Any, Any, None]) -> None:
    """Plays a scene in a thread: the one of the tests may have a browser's event loop running."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, scene).result()
