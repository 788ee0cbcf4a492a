"""What the fields of a request declare: their options, how they are kept as JSON, and which of them are paths.

A request is a dataclass whose base is Request. The metadata of each field is made by `one_option` or by `parts`
(a dataclass of settings, one option each); the request's JSON, its absolute paths, its line for a terminal and the
options of its command follow from them.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cache
from types import NoneType
from typing import Any, ClassVar, NamedTuple, Self, get_args, get_origin, get_type_hints

from itda_core.arguments import listed
from itda_core.errors import UserError
from itda_core.files.dataclass_schema import LARGEST, read_as
from itda_core.runs.layers import format_layers, parse_layers
from itda_core.runs.library import Library

_FIELDS_OWN = object()


@dataclass(frozen=True)
class Option:
    """How one setting of a request is given on the command line and kept in JSON."""

    help: str
    name: str = ""  # of the option; "": the field's own
    metavar: str | None = None
    argument: bool = False  # given by its position, without a name
    repeated: bool = False  # whether several values repeat the option, instead of one list with commas
    shown: Any = _FIELDS_OWN  # the default that --help shows; where it is None, leaving out means `implied`
    implied: Callable[[Any], Any] | None = None  # of what the field belongs to -> its value where it is left out
    missing: Callable[[Mapping[str, Any]], Any] | None = None  # of what else was given -> the value of one without
    # a default
    read: Callable[[str], Any] | None = None  # of the text (of each text, for several values)
    write: Callable[[Any], str] = str
    keep: Callable[[Any], Any] | None = None  # of the value -> its JSON, where that has another form
    fetch: Callable[[Any, str], Any] | None = None  # of the JSON and what the request is called -> the value
    located: Callable[[str, Library], str] | None = None  # of a name -> what means the same in every working directory
    added: bool = False  # requests of earlier versions lack it
    dictionaries: bool = False  # whether it names dictionaries, whose names may be given to others later

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"


class Setting(NamedTuple):
    """One option of a request, and the field that it fills."""

    option: Option
    path: tuple[str, ...]  # the field, or the field and the field inside it
    hint: Any  # the field's type
    default: Any  # MISSING where it must be given

    @property
    def several(self) -> bool:
        """Whether its field holds a tuple of values, each given by itself."""
        return get_origin(self.hint) is tuple

    @property
    def given_as(self) -> Any:
        """The type of what `from_options` takes for it."""
        if self.several:
            return list[str]
        if self.option.read is not None:
            return str
        return next((one for one in get_args(self.hint) if one is not NoneType), self.hint)

    def given(self, text: str) -> Any:
        """What `from_options` takes for `text`, in which commas part several values; None for "".

        Raises UserError for what is not the number that it must be.
        """
        if not text:
            return None
        if self.several:
            return listed([text])
        if self.given_as not in (int, float):
            return text
        try:
            number = self.given_as(text)
        except ValueError:
            number = math.nan
        if not abs(number) <= LARGEST:
            kind = "whole number" if self.given_as is int else "number"
            raise UserError(f"{self.option.name}={text[:40]} is not a {kind} that can be meant; give another one.")
        return number

    def words(self, value: Any) -> list[str]:
        """The option with this value, as a command line has it."""
        option = self.option
        texts = list(map(option.write, value)) if self.several else [option.write(value)]
        if option.argument:
            return texts
        if option.repeated:
            return [part for text in texts for part in (option.flag, text)]
        return [option.flag] if value is True else [option.flag, ",".join(texts)]


class _Parts(NamedTuple):
    """The options of a field that is a dataclass of settings, and how it is read."""

    options: Mapping[str, Option]
    whole: bool


def one_option(option: Option) -> dict[str, Any]:
    """The metadata of a field that `option` asks for."""
    return {"option": option}


def parts(options: Mapping[str, Option], *, whole: bool = True) -> dict[str, Any]:
    """The metadata of a field that is a dataclass of settings with an option each.

    whole: whether its JSON must hold each of them except those added later; otherwise missing ones have their default.
    """
    return {"parts": _Parts(options, whole)}


def layers_option(help: str, **more: Any) -> Option:
    """The option of a field that holds layers (None: all), as parse_layers reads them."""
    return Option(help, read=parse_layers, write=format_layers, keep=format_layers, fetch=read_layers, **more)


class JobRequest:
    """The request for a job: the same for the command line, a page and a job's worker."""

    COMMAND: ClassVar[str]  # the command of the command line that does it; with a group, as in "atoms index"
    CALLED: ClassVar[str]  # the name of such a request in messages
    WRITTEN: ClassVar[tuple[str, ...]]  # the options in the order in which `arguments` writes them

    def about(self) -> str:
        """The request in a few words for a list of jobs."""
        return shlex.join(self.arguments())

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives the same request again."""
        value = asdict(self)  # pyright: ignore[reportArgumentType]  (each kind of request is a dataclass)
        for name, option in _options(type(self)).items():
            if option.keep is not None:
                value[name] = option.keep(getattr(self, name))
        return value

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Raises UserError for keys that no request has, for those that are missing, and for values of another type."""
        made: dict[str, Any] = {}
        if isinstance(value, dict):
            value = _with_added(cls, value)
            for name, option in _options(cls).items():
                if option.fetch is not None and name in value:
                    made[name] = option.fetch(value[name], cls.CALLED)
            for name, group in _groups(cls).items():
                if not group.whole and name in value:
                    made[name] = read_as(_type(cls, name), value[name], f"{cls.CALLED}'s {name}", whole=False)
        return read_as(cls, value, cls.CALLED, made=made)

    def references(self) -> tuple[str, ...]:
        """The dictionaries it names, by name or folder, each once."""
        named = (getattr(self, name) for name, option in _options(type(self)).items() if option.dictionaries)
        return tuple(dict.fromkeys(one for several in named for one in _each(several)))

    def with_references(self, instead: Mapping[str, str]) -> Self:
        """The same request with other names or folders of these dictionaries."""
        named = [name for name, option in _options(type(self)).items() if option.dictionaries]
        changed: dict[str, Any] = {}
        for name in named:
            several = getattr(self, name)
            placed = tuple(instead.get(one, one) for one in _each(several))
            changed[name] = placed[0] if isinstance(several, str) else placed
        return replace(self, **changed)  # pyright: ignore[reportArgumentType]  (each kind of request is a dataclass)

    def resolved(self) -> Self:
        """The same request with absolute paths, so that it means the same in every working directory.

        Raises UserError for what is missing in the library or in a folder.
        """
        return _located(self, _options(type(self)), Library(getattr(self, "library", None)))

    def arguments(self) -> list[str]:
        """The arguments of its command that ask for this; what equals its default is left out."""
        known, written = settings(type(self)), []
        for name in self.WRITTEN:
            setting = known[name]
            holder = self if len(setting.path) == 1 else getattr(self, setting.path[0])
            value = getattr(holder, setting.path[-1])
            implied = setting.option.implied
            if value != (setting.default if implied is None else implied(holder)):
                written += setting.words(value)
        return written

    def command(self) -> str:
        """The same work as a line for a terminal."""
        return shlex.join(["itda", *self.COMMAND.split(), *self.arguments()])


def _each(several: str | tuple[str, ...]) -> tuple[str, ...]:
    return (several,) if isinstance(several, str) else several


def settings(kind: type[JobRequest]) -> dict[str, Setting]:
    """Every option of a kind of request by its name, in the order of the fields."""
    return dict(_settings(kind))


def from_options(kind: type[JobRequest], given: Mapping[str, Any]) -> Any:
    """The request made of the command line's values by option name; None or empty means not given.

    Raises UserError for what cannot be read, and what the request itself refuses.
    """
    own: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {name: {} for name in _groups(kind)}
    for name, setting in settings(kind).items():
        option, value = setting.option, given[name]
        if value is None or value == []:
            if option.missing is None:
                continue
            value = option.missing(given)
        elif setting.several:
            texts = value if option.argument or option.repeated else listed(value)
            if not texts:
                continue
            value = tuple(map(option.read, texts) if option.read else texts)
        elif option.read is not None:
            value = option.read(value)
        (own if len(setting.path) == 1 else inner[setting.path[0]])[setting.path[-1]] = value
    for name, values in inner.items():
        own[name] = _type(kind, name)(**values)
    return kind(**own)


def from_texts(kind: type[JobRequest], given: Mapping[str, str | bool]) -> Any:
    """The request of a form's answers, each by its option's name: text, or whether; "" was not given.

    What is not among `given` was not asked for and has its default. Raises UserError for what must be given and was
    not, and as `from_options` does.
    """
    values: dict[str, Any] = {}
    for name, setting in settings(kind).items():
        answer = given.get(name, "")
        values[name] = answer if isinstance(answer, bool) else setting.given(answer)
        if values[name] in (None, []) and shown_default(setting) is MISSING:
            raise UserError(f"Nothing was given for {name.replace('_', ' ')}, which cannot be left out; give it.")
    return from_options(kind, values)


def read_layers(value: object, what: str) -> tuple[int, ...] | None:
    """Layers as format_layers wrote them, in what is called `what`. Raises UserError for anything else."""
    if not isinstance(value, str):
        raise UserError(f"The {what}'s layers are not text such as 0,2-4; mend that or make it anew.")
    return parse_layers(value)


@cache
def _settings(kind: type[JobRequest]) -> Mapping[str, Setting]:
    found: dict[str, Setting] = {}
    hints = get_type_hints(kind)
    for own in fields(kind):  # pyright: ignore[reportArgumentType]  (each kind of request is a dataclass)
        if "option" in own.metadata:
            option = _named(own.metadata["option"], own.name)
            found[option.name] = Setting(option, (own.name,), hints[own.name], own.default)
        else:
            example = None if own.default_factory is MISSING else own.default_factory()
            inner, options = hints[own.name], own.metadata["parts"].options
            inner_hints = get_type_hints(inner)
            for part in fields(inner):
                option = _named(options[part.name], part.name)
                default = part.default if example is None else getattr(example, part.name)
                found[option.name] = Setting(option, (own.name, part.name), inner_hints[part.name], default)
    return found


def shown_default(setting: Setting) -> Any:
    """The default that --help shows; MISSING where the option must be given."""
    option = setting.option
    if option.missing is not None or setting.default == ():
        return None
    return setting.default if option.shown is _FIELDS_OWN else option.shown


def _named(option: Option, name: str) -> Option:
    return option if option.name else replace(option, name=name)


def _options(kind: type[JobRequest]) -> dict[str, Option]:
    return {own.name: own.metadata["option"] for own in fields(kind) if "option" in own.metadata}  # pyright: ignore[reportArgumentType]


def _groups(kind: type[JobRequest]) -> dict[str, _Parts]:
    return {own.name: own.metadata["parts"] for own in fields(kind) if "parts" in own.metadata}  # pyright: ignore[reportArgumentType]


def _type(kind: type, name: str) -> Any:
    return get_type_hints(kind)[name]


def _with_added(kind: type[JobRequest], value: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a request, with the fields that earlier versions lack."""
    added = {setting.path: setting.default for setting in settings(kind).values() if setting.option.added}
    value = {**{path[0]: _json(default) for path, default in added.items() if len(path) == 1}, **value}
    for name in _groups(kind):
        if isinstance(value.get(name), dict):
            value[name] = {**{path[1]: default for path, default in added.items() if path[0] == name}, **value[name]}
    return value


def _json(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


def _located(holder: Any, options: Mapping[str, Option], library: Library) -> Any:
    """`holder`, a request or a dataclass of its settings, with every path absolute."""
    changed: dict[str, Any] = {}
    for own in fields(holder):
        value = getattr(holder, own.name)
        if "parts" in own.metadata:
            changed[own.name] = _located(value, own.metadata["parts"].options, library)
            continue
        locate = options[own.name].located
        if locate is not None and value is not None:
            several = isinstance(value, tuple)
            changed[own.name] = tuple(locate(one, library) for one in value) if several else locate(value, library)
    return replace(holder, **changed)
