"""Why a value was refused, in our words: which setting, what was given, what is allowed."""

from __future__ import annotations

import difflib
from datetime import date, datetime
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic.fields import FieldInfo

_DAY: Final = "2026-10-01"
_INSTANT: Final = f"{_DAY}T08:00:00Z"
_PLAIN: Final[dict[object, tuple[str, str]]] = {
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    SecretStr: ("a text", "texts"),
    Path: ("a path", "paths"),
    date: (f"a day such as {_DAY}", f"days such as {_DAY}"),
    datetime: (f"an instant such as {_INSTANT}", f"instants such as {_INSTANT}"),
}
"""What a type is called, and several of it."""

_SHOWN: Final = 80
"""Characters of a value that are shown."""


def refuse(error: ValidationError, model: type[BaseModel], *, section: str = "") -> str:
    """Say why a model refused its values; of several reasons the first.

    Parameters
    ----------
    error : pydantic.ValidationError
        What the model raised.
    model : type
        The model.
    section : str, default=""
        Name of the settings the model is a part of.

    Returns
    -------
    str
        Name of the value, what was given (unless it may be a secret) and what is allowed.

    Examples
    --------
    >>> class Model(BaseModel):
    ...     weeks: int
    >>> try:
    ...     Model(weeks="many")
    ... except ValidationError as error:
    ...     refuse(error, Model)
    "weeks: cannot be 'many'; give a whole number"
    """
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    owner, field = _find(model, path)
    name = ".".join([*filter(None, [section]), *path])
    if first["type"] == "extra_forbidden":
        text = f"is unknown; {name_nearest(path[-1], owner.model_fields)}"
    elif first["type"] == "value_error":  # a validator of ours
        text = str(first["ctx"]["error"])
    elif first["type"] == "missing":
        text = f"is missing; give {allow(field)}"
    elif field is None:
        text = "cannot be understood"
    elif _hides(owner) or _holds_secret(field.annotation):
        text = f"give {allow(field)}"
    else:
        text = f"cannot be {_show(first['input'])}; give {allow(field)}"
    return f"{name}: {text}" if name else text


def name_nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant.

    Parameters
    ----------
    name : str
        An unknown name.
    known : iterable of str
        Names that exist.

    Returns
    -------
    str
        A clause for an error.

    Examples
    --------
    >>> name_nearest("expire", ["reason", "expires"])
    "did you mean 'expires'?"
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(known)}"


def allow(field: FieldInfo | None) -> str:
    """Say what a field takes: a noun with its bounds.

    Examples
    --------
    >>> class Model(BaseModel):
    ...     lang: Literal["en", "zh"]
    >>> allow(Model.model_fields["lang"])
    "one of 'en', 'zh'"
    """
    if field is None:
        return "another value"
    kind = _strip_none(field.annotation)
    return _allow_several(kind, get_args(kind)) or _name(kind) + _bound(field.metadata)


def _allow_several(kind: Any, inner: Sequence[Any]) -> str:  # noqa: ANN401 - an annotation
    origin = get_origin(kind)
    if origin is Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin in {tuple, frozenset}:
        return f"a list of {_name(inner[0], several=True)}"
    if origin is dict:
        return f"a table of lists of {_name(get_args(inner[1])[0], several=True)}"
    return f"a table of some of: {', '.join(kind.model_fields)}" if _is_model(kind) else ""


def _bound(metadata: Sequence[object]) -> str:
    if any(getattr(bound, "min_length", 0) for bound in metadata):
        return " that is not empty"
    low = next((b for b in metadata if isinstance(b, Ge | Gt)), None)
    high = next((b for b in metadata if isinstance(b, Le | Lt)), None)
    if isinstance(low, Ge) and isinstance(high, Le):
        return f" from {low.ge} to {high.le}"
    texts = []
    if low is not None:
        texts.append(f"of at least {low.ge}" if isinstance(low, Ge) else f"above {low.gt}")
    if high is not None:
        texts.append(f"at most {high.le}" if isinstance(high, Le) else f"below {high.lt}")
    return f" {', '.join(texts)}" if texts else ""


def _name(kind: object, *, several: bool = False) -> str:
    if _is_model(kind):
        return "tables" if several else "a table"
    # pydantic's own kinds of instants, such as AwareDatetime, are no datetime
    return _PLAIN.get(kind, _PLAIN[datetime])[several]


def _find(model: type[BaseModel], path: Sequence[str]) -> tuple[type[BaseModel], FieldInfo | None]:
    """Return the field a path leads to, and the model that has it; places in a list are passed."""
    field: FieldInfo | None = None
    for part in path:
        if part in model.model_fields:
            field = model.model_fields[part]
            kind = _strip_none(field.annotation)
            inner = next((a for a in (kind, *get_args(kind)) if _is_model(a)), None)
            if inner is not None and part != path[-1]:
                model = inner
        elif not part.isdigit():
            return model, None if field is None or _is_model(field.annotation) else field
    return model, field


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _strip_none(kind: Any) -> Any:  # noqa: ANN401 - an annotation
    parts = [part for part in get_args(kind) if part is not NoneType]
    return parts[0] if NoneType in get_args(kind) and len(parts) == 1 else kind


def _holds_secret(kind: object) -> bool:
    if _is_model(kind):
        return any(_holds_secret(field.annotation) for field in kind.model_fields.values())  # type: ignore[attr-defined]
    return kind is SecretStr or any(map(_holds_secret, get_args(kind)))


def _hides(model: type[BaseModel]) -> bool:
    """Tell whether the values of a model are never shown: its secrets lie beside what is none."""
    return bool(getattr(model, "hides_values", False))


def _show(value: object) -> str:
    text = str(value) if isinstance(value, date | Path) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
