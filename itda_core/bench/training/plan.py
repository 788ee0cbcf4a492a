"""What `itda bench train` measures: sizes only, no tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace

from itda_core.dictionaries.config import TrainConfig
from itda_core.errors import UserError

METHODS = ("mp", "omp")  # by which every dictionary is measured
BUILDING_METHOD = "mp"  # by which tokens are judged while it grows
WINDOWS_PER_BATCH = 16  # as in growing.training
PAPER_WINDOWS = (WINDOWS_PER_BATCH, 24, 32)  # per batch, at which the paper's rule is counted: it depends on them


@dataclass(frozen=True)
class TrainingPlan:
    """A whole run. Raises UserError for sizes that cannot work.

    The corpus is read up to `read` tokens. Dictionaries are built from the first `tokens` of them and measured on the
    last `held_out`; what a threshold takes is counted over the first `counted`, or as many as there are.
    """

    model: str = "demo:0"
    layer: int = 3
    site: str = "resid_post"
    corpus: str = "demo"
    lines_over: int | None = None  # make every line of more characters a document, and drop shorter ones
    context: int = 128
    windows: str = "all"
    read: int = 120_000
    tokens: int = 60_000
    counted: int = 120_000
    held_out: int = 8_000
    first: int | None = None  # measure on the first so many held-out tokens as well
    atoms: int = 1_024
    ks: tuple[int, ...] = (10, 20, 40)  # atoms per token of the figures; dictionaries grow with the largest
    seed: int = 0
    repeats: int = 3  # of ours; of the textbook's there is one
    sae_seconds: float | None = 900.0  # at most, for each SAE; None: none is trained
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    offline: bool = False
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        for name, least in (("tokens", 2), ("counted", 1), ("held_out", 2), ("atoms", 2), ("repeats", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name}={getattr(self, name)} is too few; give at least {least}.")
        if not self.ks or min(self.ks) < 1:
            raise UserError("Give at least one k of at least 1, for example --k 10,20,40.")
        if self.k > self.atoms:
            raise UserError(f"k={self.k} exceeds the {self.atoms} atoms asked for; lower k or raise --atoms.")
        if self.atoms > self.tokens:
            raise UserError(
                f"{self.atoms} atoms cannot come from {self.tokens} tokens; lower --atoms or raise --tokens."
            )
        if self.read < self.tokens + self.held_out:
            raise UserError(
                f"{self.tokens} tokens to build from and {self.held_out} held out are more than the {self.read} read; "
                f"give --read {self.tokens + self.held_out} or more."
            )
        if self.sae_seconds is not None and not self.sae_seconds > 0:
            raise UserError(f"--sae-seconds {self.sae_seconds:g} leaves no time; give more, or --no-sae.")
        self.config("sequential")  # context, windows and seed are checked as those of any training

    @property
    def k(self) -> int:
        """Atoms per token while a dictionary grows."""
        return max(self.ks)

    def config(self, selection: str, **fields: object) -> TrainConfig:
        """Of a dictionary of this plan's size, grown on the first `tokens` tokens."""
        values: dict[str, object] = {
            "k": self.k,
            "method": BUILDING_METHOD,
            "selection": selection,
            "atoms": self.atoms,
            "tokens": self.tokens,
            "context": self.context,
            "windows": self.windows,
            "seed": self.seed,
            "sinks": None,  # they are left out of what everyone is given
        }
        return TrainConfig.from_dict(values | fields)


def quick_plan(plan: TrainingPlan) -> TrainingPlan:
    """The same at tiny sizes: does it run? Its figures mean nothing."""
    return replace(
        plan,
        read=3_000,
        tokens=2_000,
        held_out=500,
        first=None if plan.first is None else 100,
        atoms=200,
        ks=(4, 8),
        repeats=1,
        sae_seconds=None if plan.sae_seconds is None else 2.0,
    )
