"""Every public name has a complete numpydoc docstring; runnable examples are run by pytest."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
from numpydoc.validate import validate
from pydantic import BaseModel

import audit_analytics
from audit_analytics.review._suppression import Suppression
from audit_analytics.review._verdicts import Verdict, VerdictCalls
from audit_analytics.settings import (
    DeliverSettings,
    RedactionSettings,
    RuleSettings,
    Settings,
    SyncSettings,
)

CHECKS = {
    "GL03",  # no double blank lines
    "GL05",  # no tabs
    "GL06",  # known sections
    "GL07",  # sections in order
    "GL08",  # there is a docstring
    "SS03",  # the summary ends with a full stop
    "SS05",  # imperative mood
    "PR01",  # every parameter is documented
    "PR02",  # and no other
    "PR03",  # in order
    "PR04",  # with its type
    "PR07",  # and its meaning
    "RT01",  # a return value is documented
    "RT03",  # with its meaning
    "YD01",  # so is a yielded value
}


def public_values():
    """Yield what can be read from outside: each room's own names, and those it hands through."""
    found = pkgutil.walk_packages(audit_analytics.__path__, "audit_analytics.")
    for module_name in ["audit_analytics", *(info.name for info in found)]:
        if any(part.startswith("_") for part in module_name.split(".")[1:]):
            continue
        module = importlib.import_module(module_name)
        handed_through = getattr(module, "__all__", [])
        late = {name: getattr(module, name) for name in handed_through}
        for name, value in (vars(module) | late).items():
            home = getattr(value, "__module__", None) or ""
            own = home == module_name and not name.startswith("_")
            if own or (name in handed_through and "._" in home):
                yield f"{home}.{name}", value


def public_names():
    for name, value in public_values():
        if inspect.isfunction(value):
            yield name
        elif inspect.isclass(value):
            # a model's fields carry their descriptions; a protocol is never called
            if not issubclass(value, BaseModel) and not getattr(value, "_is_protocol", False):
                yield name
            for member, attribute in vars(value).items():
                function = getattr(attribute, "__func__", getattr(attribute, "fget", attribute))
                # what a base says of it holds, whoever wrote the base
                inherited = any(member in vars(base) for base in value.__mro__[1:])
                if inherited or member.startswith("_"):
                    continue
                if inspect.isfunction(function):
                    yield f"{name}.{member}"


@pytest.mark.parametrize("name", sorted({*public_names()}))
def test_docstring_is_complete(name):
    errors = [
        f"{code} {text}"
        for code, text in validate(name)["errors"]
        if code in CHECKS and "Parameters {'_" not in text  # private fields of a dataclass
    ]
    assert errors == []


def test_a_private_module_is_read_by_its_own_room_only():
    package = Path(audit_analytics.__file__).parent
    strangers = [
        f"{path.relative_to(package)}: {node.module}"
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and "._" in node.module
        and node.module.split(".")[1] != path.relative_to(package).parts[0]
    ]
    assert strangers == []


@pytest.mark.parametrize(
    "model",
    [
        Settings,
        RuleSettings,
        SyncSettings,
        RedactionSettings,
        DeliverSettings,
        Suppression,
        Verdict,
        VerdictCalls,
    ],
)
def test_every_setting_says_what_it_does(model):
    silent = [
        name
        for name, field in model.model_fields.items()
        if not field.description and not isinstance(field.default, BaseModel)
    ]
    assert silent == []
