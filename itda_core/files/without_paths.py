"""What may leave this machine: the same values with files and folders by their names, not by where they lie here."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from itda_core.files.home import home

# A path of two parts or more: `/one` alone may be anything. Neither the inside of an address (https://a/b) nor of a
# name (owner/name) begins one.
_PATH = re.compile(r"(?<![\w/\\:.~-])(?:~[\w.-]*|[A-Za-z]:)?[/\\](?:[^\s/\\:;,|'\"()<>]+[/\\]+)+(?=[^\s/\\]|\s|$)")
_BELOW = r"""(?:[/\\][^\s/\\:;,|'"()<>]+)*"""  # what lies in a folder


def without_paths(value: Any) -> Any:
    """`value` (text, or lists and objects of such) without the folders of absolute paths, also inside sentences.

    `/home/me/library/demo-0-L2` becomes `demo-0-L2`. For results, settings and messages; never for a prompt or a
    passage, in which a path is just text.
    """
    if isinstance(value, dict):
        return {name: without_paths(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_paths(inner) for inner in value]
    return _without(value) if isinstance(value, str) else value


def _without(text: str) -> str:
    if os.path.isabs(text) and "\n" not in text and os.path.lexists(text):  # whatever signs its folders hold
        return os.path.basename(os.path.normpath(text)) or text
    for root in _roots():
        text = re.sub(re.escape(root) + _BELOW, lambda found: os.path.basename(found.group()), text)
    return _PATH.sub("", text)


def _roots() -> list[str]:
    """Folders of this machine that sentences name most often, the longest first; they may have spaces in them."""
    found = {str(home()), str(home() / "library"), str(Path.cwd()), os.path.expanduser("~")}
    return sorted((root for root in found if len(Path(root).parts) > 2), key=len, reverse=True)
