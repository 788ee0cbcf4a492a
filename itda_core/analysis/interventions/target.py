"""What an attribution explains: a logit of the next token, a difference of two, or a log probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.foreign import foreign, quoted
from itda_core.models.tokenizer.token_text import token_text

if TYPE_CHECKING:
    import torch

    from itda_core.models import LanguageModel
    from itda_core.text import Window

KINDS = ("logit", "log-probability")


@dataclass(frozen=True)
class Target:
    """One number of what the model predicts behind a token."""

    position: int  # the token behind which is predicted, special ones counted
    token_id: int  # the next token that is asked about
    against: int | None = None  # where given, its logit is subtracted
    kind: str = "logit"  # see KINDS; of a difference, both are the same

    def of(self, logits: torch.Tensor) -> torch.Tensor:
        """The target from logits (n_tokens, n_vocabulary): a single number."""
        return self.of_row(logits[self.position])

    def of_row(self, logits: torch.Tensor) -> torch.Tensor:
        """The target from the logits (..., n_vocabulary) at its position: (...)."""
        if self.kind == "log-probability" and self.against is None:
            logits = logits.log_softmax(dim=-1)
        own = logits[..., self.token_id]
        return own if self.against is None else own - logits[..., self.against]


def token_named(model: LanguageModel, text: str) -> int:
    """The id of the token that reads `text`, as `token_text` has it. Raises UserError where it is none or several,
    naming them.

    SentencePiece puts a space of its own in front of a text: there " the" is the token that it finds for "the".
    """
    with foreign(lambda reason: UserError(f"The tokenizer fails on {quoted(text)!r} ({reason}); give another token.")):
        ids, unspaced = (
            [int(one) for one in model.tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]]
            for part in (text, text.removeprefix(" "))
        )
        pieces = [token_text(model.tokenizer, one) for one in ids]
        for found in (ids, unspaced):
            if len(found) == 1 and token_text(model.tokenizer, found[0]) == text:
                return found[0]
    if len(ids) == 1:
        return ids[0]
    known = f"several tokens of {model.name}: {', '.join(map(repr, pieces[:6]))}" if ids else "no token"
    raise UserError(f"{quoted(text)!r} is {known}; give one token, with its space in front where it has one.")


def check_position(window: Window, token: int | None) -> int:
    """Which token of the window is meant: `token`, or the last one of text. Raises UserError where there is none."""
    if token is None:
        return max(i for i, special in enumerate(window.special) if not special)
    if isinstance(token, bool) or not isinstance(token, int) or not 0 <= token < len(window):
        raise UserError(f"Token {token!r:.40} does not exist; the prompt has tokens 0 to {len(window) - 1}.")
    return token
