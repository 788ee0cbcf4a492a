"""Beside the fields of a form, room for what is wrong with them."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from itda_core.errors import UserError
from itda_core.runs.faults import Faults
from pages.ui.components.plain_text import problem


class FieldFaults:
    """Where in a form each of its faults is said."""

    def __init__(self, form: str) -> None:
        """form: begins the keys of what is drawn."""
        self._form = form
        self._rooms: list[tuple[tuple[str, ...], DeltaGenerator]] = []

    def beside(self, *fields: str) -> None:
        """What is wrong with these fields is said here, below what was drawn last. Nothing is there until `show`."""
        self._rooms.append((fields, st.empty()))

    def show(self, faults: Faults) -> None:
        """Says every fault beside its field; those of no field here, where this is called."""
        said = [(error, "error") for error in faults.errors] + [(remark, "warning") for remark in faults.remarks]
        for fields, room in self._rooms:
            here = [one for one in said if one[0].field in fields]
            if here:
                with room.container(gap="small"):
                    self._say(here)
        placed = {field for fields, _ in self._rooms for field in fields}
        self._say([one for one in said if one[0].field not in placed])

    def _say(self, said: list[tuple[UserError, str]]) -> None:
        for error, kind in said:
            warning = kind == "warning"
            problem(error, kind="warning" if warning else "error", key=f"{self._form}.{error.field or 'form'}.{kind}")
