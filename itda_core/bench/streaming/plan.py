"""What `itda bench stream` measures: sizes only, no tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace

from itda_core.errors import UserError

STRATEGIES = ("streamed", "accelerate_disk", "in_memory")


@dataclass(frozen=True)
class StreamPlan:
    """A whole run: a model of Llama's shape with random weights in float32, and the text it reads.

    Its blocks are many and narrow, so that each step of streaming is as small a part of the checkpoint as it is for a
    model larger than memory. Raises UserError for sizes that cannot work.
    """

    layers: int = 78
    d_model: int = 640
    d_mlp: int = 1792
    heads: int = 10
    vocabulary: int = 2048
    shards: int = 10
    windows: int = 64
    context: int = 128
    short_context: int = 8  # tokens of the windows of a second comparison, in which reading is what takes the time
    batches: int = 8  # forward batches that accelerate, and the model in memory, read the windows in
    streamed_windows: int = 8  # of a forward batch of ours
    parts: tuple[float, ...] = (0.25, 0.5)  # of the layers and of the windows, to see how time and reading grow
    cold: bool = True  # the page cache is emptied of the checkpoint before each pass over it, as if it did not fit
    folder: str | None = None  # where the checkpoint and the hidden states lie for the time; None: a temporary folder

    def __post_init__(self) -> None:
        for name in ("layers", "shards", "windows", "batches", "heads"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)} is too few; give at least 1.")
        if self.windows % self.batches or self.windows % self.streamed_windows:
            raise UserError(
                f"{self.windows} windows do not make {self.batches} equal batches, or batches of "
                f"{self.streamed_windows}; give a multiple."
            )
        if self.d_model % self.heads:
            raise UserError(f"d_model={self.d_model} cannot be split into {self.heads} heads; give a multiple.")

    @property
    def windows_per_batch(self) -> int:
        return self.windows // self.batches

    def part(self, *, layers: int | None = None, windows: int | None = None) -> StreamPlan:
        """The same model read up to another layer, or on fewer windows in batches of the same size."""
        read = self.windows if windows is None else windows
        return replace(
            self,
            layers=self.layers if layers is None else layers,
            windows=read,
            batches=max(1, read // self.windows_per_batch),
        )


def quick_plan(plan: StreamPlan) -> StreamPlan:
    """The same at tiny sizes: does it run? Its figures mean nothing."""
    return replace(
        plan,
        layers=4,
        d_model=64,
        d_mlp=128,
        heads=4,
        shards=3,
        windows=8,
        context=32,
        batches=2,
        streamed_windows=2,
        parts=(0.5,),
    )
