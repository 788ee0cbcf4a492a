"""The library: the user's dictionaries, and the bundled ones, by name."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.figures_as_text import fvu_words
from itda_core.files import PARTIAL, explained, new_folder, partial_folder, shown, stamp, sweep, sync_folder
from itda_core.files.paths import expanded, storable
from itda_core.runs.archive import DICTIONARY_FILES, archived_name, archived_notes, copy_folder, export_zip, extract_zip
from itda_core.runs.atoms.notes import add_notes
from itda_core.runs.home import library_folder
from itda_core.runs.indexing.indices import remove_all_of
from itda_core.runs.names import MOST_BYTES, check_name, cleaned

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "demo" / "dictionaries"

_MOST_PART_BYTES = 255  # the system refuses to look for longer names
_MOST_COUNTED = 8  # bytes of "-2" and what may come after it
_PLAIN_SIGNS = "._-"  # of the names made here, which no shell has to quote
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class LibraryEntry:
    """One folder of the library. Where `problem` is set it cannot be used, and what could not be read is None."""

    path: Path
    name: str
    bundled: bool = False  # read-only, comes with the program
    problem: str | None = None  # one sentence
    model: str | None = None
    revision: str | None = None  # of the model: the Hub's commit
    layer: int | None = None
    site: str | None = None
    atoms: int | None = None
    d_model: int | None = None
    k: int | None = None
    threshold: float | None = None
    selection: str | None = None
    method: str | None = None
    corpus: str | None = None
    fvu: float | None = None
    fvu_text: str | None = None  # what FVU was measured on: "held-out" or "training"
    tokens: int | None = None  # of the text that were read
    created: str | None = None  # ISO 8601, UTC
    bytes: int | None = None
    identity: str | None = None  # hexadecimal sha256 of what it is; a rename does not change it
    fingerprint: str | None = None  # of the model's weights, see itda_core.fingerprints

    @property
    def fvu_words(self) -> str:
        """FVU as text, which says where it is not of held-out text; "" where it is not known."""
        return fvu_words(self.fvu, self.fvu_text)


def _ignore(_: str) -> None:
    return None


class Library:
    """Dictionaries in one folder (the user's library unless another is given), and the bundled ones beside them."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = library_folder() if folder is None else Path(storable(expanded(folder).absolute()))

    def entries(self) -> list[LibraryEntry]:
        """The user's dictionaries, newest first, then those that cannot be read, then the bundled ones by name."""
        own = [_entry(path) for path in _folders(self.folder)]
        own.sort(key=lambda entry: entry.name)  # the order among those of the same second
        own.sort(key=lambda entry: entry.created or "", reverse=True)
        return own + [_entry(path, bundled=True) for path in sorted(_folders(BUNDLED))]

    def find(self, reference: str | Path) -> Path:
        """The folder of a dictionary given by path, by its name in the library, or by its bundled name.

        Raises UserError when there is none, naming the nearest names.
        """
        text = str(reference).strip()
        path = Path(os.path.expanduser(text))
        if text and all(len(part.encode(errors="surrogatepass")) <= _MOST_PART_BYTES for part in path.parts):
            if (path / "dictionary.json").is_file():
                return path.absolute()
            if _is_plain(text):
                for folder in (self.folder / text, BUNDLED / text):
                    if folder.is_dir():
                        return folder
            if path.is_dir():
                raise UserError(f"{text} is a folder without a dictionary.json, so no dictionary; choose another.")
        raise UserError(f"No dictionary is called {text[:MOST_BYTES]!r}; {self._nearest(text)}")

    def is_bundled(self, path: Path) -> bool:
        """Whether the dictionary in this folder came with the studio."""
        return path.resolve().parent == BUNDLED.resolve()

    def free_name(self, model: str, site: str, layer: int | None) -> str:
        """A readable name that nothing in the library has yet, such as `demo-0-L2-resid_post` or `...-2`."""
        place = cleaned(site, _PLAIN_SIGNS, MOST_BYTES // 2)
        parts = [*([] if layer is None else [f"L{layer}"]), *filter(None, [place])]
        room = MOST_BYTES - _MOST_COUNTED - len("-".join(["", *parts]).encode())
        return self.numbered("-".join([cleaned(Path(model).name, _PLAIN_SIGNS, room) or "model", *parts]))

    def check_writable(self) -> None:
        """Raises UserError when nothing can be written here; called before hours of work."""
        with explained(self.folder):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise UserError(f"{shown(self.folder)} is not a folder; choose another library.") from None
            sweep(self.folder)
            with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=self.folder):
                pass

    def add(self, dictionary: AtomDictionary, *, name: str | None = None, run: str | None = None) -> Path:
        """Save a new dictionary under a free name; run: the training that made it. Raises UserError when the disk is
        full.

        name: what it is to be called; where that was taken in the meantime, `NAME-2` and so on.
        """
        spec = dictionary.spec
        return self._place(
            lambda: self.free_name(spec.model, spec.site, spec.layer) if name is None else self.numbered(name),
            lambda path: dictionary.save_pretrained(path, run=run),
        )

    def folders(self) -> list[Path]:
        """The folders of the user's own dictionaries, damaged ones included."""
        return sorted(_folders(self.folder))

    def rename(self, reference: str, name: str) -> Path:
        """Give a dictionary of the library another name. Raises UserError for bad names, taken ones, bundled ones."""
        path = self._own(reference, "renamed")
        name = self.new_name(name)
        target = self.folder / name
        with explained(target):
            os.rename(path, target)
            sync_folder(self.folder)
        return target

    def remove(self, reference: str) -> None:
        """Delete a dictionary of the library (of a link only the link), and its atom indices unless there is a copy of
        it. A reader sees it whole or not at all.
        """
        path = self._own(reference, "removed")
        identity = _entry(path).identity
        with explained(path):
            if path.is_symlink() or not path.is_dir():
                path.unlink()
            else:
                with partial_folder(self.folder) as hidden:
                    os.rename(path, hidden / path.name)
                    sync_folder(self.folder)  # from here on it is gone, even after a power cut
                    shutil.rmtree(hidden / path.name)
            sync_folder(self.folder)
        sweep(self.folder)
        if identity is not None and all(entry.identity != identity for entry in self.entries()):
            remove_all_of(identity)

    def import_(
        self,
        source: str | Path,
        name: str | None = None,
        *,
        revision: str | None = None,
        called: str = "",
        on_note: Callable[[str], None] = _ignore,
    ) -> Path:
        """Add a dictionary from a folder, a zip file or a Hugging Face id, checked before it appears.

        Only `dictionary.json`, `atoms.safetensors` and `provenance.parquet` are taken, and notes on its atoms
        (`notes.json`), which are added to one's own. Raises UserError when the source is none of these, is damaged, or
        leads outside itself.

        - `name`: what it is to be called; without it, what it was called where it comes from, and on_note is told
          where that name is taken so that it gets another;
        - `called`: what messages call the source, where that is a copy of which nobody knows.
        """
        from itda_core.dictionaries import AtomDictionary
        from itda_core.dictionaries.storage.dictionary_folder import add_digests

        if name is not None:
            name = self.new_name(name)
        text = str(source).strip()
        path = Path(os.path.expanduser(text))
        if not os.path.lexists(path):
            if not is_hub_id(text):
                raise UserError(
                    f"{shown(repr(text))} is no folder, no zip file and no Hub id (owner/name); check the path."
                )
            dictionary = AtomDictionary.from_pretrained(text, revision=revision)
            return self._import(name or text.split("/")[1], name is not None, dictionary.save_pretrained, on_note)

        called = called or shown(text)

        def copy(target: Path) -> None:
            with new_folder(target) as partial, told_as(called, partial):
                (copy_folder if os.path.isdir(path) else extract_zip)(path, partial)
                AtomDictionary.load(partial)
                add_digests(partial)

        with told_as(called, path):
            _refuse_labels(path, called)
            own = path.absolute().name if os.path.isdir(path) else archived_name(path)
            target = self._import(name or own, name is not None, copy, on_note)
            if (identity := _entry(target).identity) is not None:
                add_notes(identity, archived_notes(path))
        return target

    def export(self, reference: str | Path, target: str | Path | None = None, *, labels_only: bool = False) -> Path:
        """Write a dictionary as a zip: to `target`, into the folder `target`, or into the working directory.

        labels_only: its labels alone, a few kilobytes, see dictionaries.labels_only.
        """
        folder = self.find(reference)
        for name in DICTIONARY_FILES:
            if not (folder / name).is_file():
                raise UserError(f"{folder} is damaged: {name} is missing; it cannot be exported.")
        path = Path.cwd() if target is None else Path(storable(expanded(target).absolute()))
        if not labels_only:
            return export_zip(folder, path / f"{folder.name}.zip" if path.is_dir() else path)
        from itda_core.dictionaries import AtomDictionary, write_labels
        from itda_core.dictionaries.labels_only import SUFFIX

        return write_labels(AtomDictionary.load(folder), path / f"{folder.name}{SUFFIX}" if path.is_dir() else path)

    def _import(
        self, wanted: str, exact: bool, write: Callable[[Path], object], on_note: Callable[[str], None]
    ) -> Path:
        stem = cleaned(wanted, most=MOST_BYTES - _MOST_COUNTED) or "imported"
        path = self._place(lambda: stem if exact else self.numbered(stem), write, again=not exact)
        if path.name != stem:
            on_note(f"It is called {path.name}, because the library has another {stem}.")
        return path

    def _place(self, name: Callable[[], str], write: Callable[[Path], object], *, again: bool = True) -> Path:
        """Write under a name; under the next one when another process took it meanwhile."""
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        while True:
            target = self.folder / name()
            try:
                write(target)
            except (UserError, OSError):
                if again and target.exists():
                    continue
                raise
            return target

    def numbered(self, stem: str) -> str:
        """`stem`, or with the first number behind it that makes it a name which nothing in the library has."""
        name, number = stem, 2
        while self.has(name):
            name, number = f"{stem}-{number}", number + 1
        return name

    def has(self, name: str) -> bool:
        """Whether something is called so here, or would be on a system that tells no capitals."""
        taken = {path.name.casefold() for root in (self.folder, BUNDLED) for path in _folders(root)}
        return name.casefold() in taken or os.path.lexists(self.folder / name)

    def new_name(self, name: str) -> str:
        """`name`, as a new dictionary can be called. Raises UserError for bad names and taken ones."""
        name = check_name(name)
        if os.path.lexists(self.folder / name) or (BUNDLED / name).is_dir():
            raise UserError(f"A dictionary is called {name!r} already; choose another name.", field="name")
        return name

    def _own(self, reference: str, what: str) -> Path:
        """The folder of one of the user's own entries, damaged ones included."""
        text = str(reference).strip()
        if _is_plain(text) and os.path.lexists(self.folder / text):
            return self.folder / text
        path = self.find(reference)
        if self.is_bundled(path):
            raise UserError(f"{path.name} is bundled and cannot be {what}; export it and import your own copy.")
        if path.parent.resolve() == self.folder.resolve():
            return self.folder / path.name
        raise UserError(f"{path} lies outside the library {self.folder}; it cannot be {what} from here.")

    def _nearest(self, text: str) -> str:
        names = [path.name for root in (self.folder, BUNDLED) for path in _folders(root)]
        lowered = {name.casefold(): name for name in names}
        near = difflib.get_close_matches(Path(text).name.casefold(), lowered, n=3, cutoff=0.4)
        if near:
            return f"did you mean {' or '.join(lowered[name] for name in near)}?"
        if names:
            return f"the library has {', '.join(sorted(names)[:5])}{', ...' if len(names) > 5 else ''}."
        return "the library is empty: train a dictionary (itda train) or import one (itda library import)."


def _refuse_labels(path: Path, called: str) -> None:
    """Raises UserError for a file of labels alone, which is no damaged zip."""
    from itda_core.dictionaries.labels_only import SUFFIX, read_labels

    if not path.is_file() or not (path.name.endswith(SUFFIX) or called.endswith(SUFFIX)):
        return
    model = read_labels(path).spec.model
    raise UserError(
        f"{called} holds the labels of a dictionary of {model}, without its atoms; build these again with that model: "
        "itda library rebuild FILE --model MODEL."
    )


@contextmanager
def told_as(called: str, place: Path) -> Iterator[None]:
    """A UserError that leaves the block calls what lies at `place` as its reader does."""
    try:
        yield
    except UserError as error:
        message = str(error).replace(shown(place), called)
        raise UserError(message, field=error.field) from error.__cause__


def is_hub_id(text: str) -> bool:
    """Whether `text` can be the name of a repository on the Hub: owner/name."""
    return _HUB_ID.fullmatch(text) is not None


def _is_plain(name: str) -> bool:
    """Whether `name` can only mean something directly inside a folder."""
    return bool(name) and name not in (".", "..") and not name.startswith(PARTIAL) and not re.search(r"[/\\\0]", name)


def _folders(root: Path) -> Iterator[Path]:
    """Visible folders in `root`; hidden ones are no dictionaries, or are being written or deleted."""
    if not root.is_dir():
        return
    with explained(root):
        found = list(root.iterdir())
    for path in found:
        if not path.name.startswith(".") and path.name.isprintable() and os.path.isdir(path):
            yield path


def _entry(path: Path, *, bundled: bool = False) -> LibraryEntry:
    try:
        storable(path.name)
    except UserError as error:  # no page and no file could name it
        return LibraryEntry(path, path.name, bundled, problem=str(error))
    return _read_entry(path, bundled, tuple(stamp(path / name) for name in DICTIONARY_FILES))


@lru_cache(maxsize=4096)
def _read_entry(path: Path, bundled: bool, stamps: tuple[tuple[int, ...] | None, ...]) -> LibraryEntry:
    """The entry of a folder, cached by its files' stamps: pages ask for the whole library at every click."""
    from itda_core.dictionaries.storage.dictionary_folder import read_summary

    try:
        summary = read_summary(path)
    except UserError as error:
        return LibraryEntry(path, path.name, bundled, problem=str(error))
    except OSError as error:  # removed a moment ago, or unreadable: one folder never breaks the list
        return LibraryEntry(path, path.name, bundled, problem=f"{shown(path)} cannot be read ({error.strerror}).")
    missing = [name for name in DICTIONARY_FILES if not (path / name).is_file()]
    problem = (
        f"{shown(path)} is damaged: {', '.join(missing)} is missing; restore it or remove it." if missing else None
    )
    return LibraryEntry(
        path=path,
        name=path.name,
        bundled=bundled,
        problem=problem,
        model=summary.model,
        revision=summary.revision,
        layer=summary.layer,
        site=summary.site,
        atoms=summary.atoms,
        d_model=summary.d_model,
        k=summary.k,
        threshold=summary.threshold,
        selection=summary.selection,
        method=summary.method,
        corpus=summary.corpus,
        fvu=summary.fvu,
        fvu_text=summary.fvu_text,
        tokens=summary.tokens,
        created=summary.created,
        bytes=summary.bytes,
        identity=summary.identity,
        fingerprint=summary.fingerprint,
    )
