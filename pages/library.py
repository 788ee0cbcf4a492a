"""Library: every dictionary on this machine, what it is, and where it can go."""

from pages.ui.components.plain_text import notice
from pages.ui.frame import shell
from pages.ui.library import importing
from pages.ui.library import parts as parts

frame = shell.page("Library")
shell.complain()
parts.said()

if not frame.entries:
    notice("The library is empty.", step="Train a dictionary, or import one below.", key="library.empty")
selected = parts.table(frame)
importing.importing()
if selected is not None:
    parts.details(selected)

frame.share({"dictionary": selected.name if selected is not None and selected.problem is None else None})
frame.export(parts.exports(frame.entries))
