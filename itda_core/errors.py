"""The one kind of error a user can cause."""

from __future__ import annotations


class UserError(ValueError):
    """What is wrong, what was given, what to do: a sentence or two, shown as it is on the page and in the terminal."""
