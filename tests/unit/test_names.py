"""What ``import audit_analytics as aa`` offers."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import audit_analytics as aa
from audit_analytics import pipeline  # noqa: F401 - it imports nearly every module
from audit_analytics.schema import EVENTS


@pytest.mark.parametrize("name", [name for name in aa.__all__ if name != "__version__"])
def test_a_name_means_the_same_before_and_after_the_modules_are_imported(name):
    # importing a submodule sets its name on the package, over whatever the name meant there
    assert getattr(aa, name) is aa.__getattr__(name)


def test_the_rollup_is_a_module():
    assert aa.rollup.rollup(EVENTS.empty()).bucket == "1h"


def test_an_unknown_name_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        _ = aa.analyse


def list_modules():
    """Return the rooms and modules right below the package that offer a name of their own."""
    for info in pkgutil.iter_modules(aa.__path__, "audit_analytics."):
        module = importlib.import_module(info.name) if "__" not in info.name else None
        if module and any(
            getattr(v, "__module__", "") for n, v in vars(module).items() if n[0] != "_"
        ):
            yield module


@pytest.mark.parametrize("module", [*list_modules()], ids=lambda module: module.__name__)
def test_a_public_module_says_what_it_offers(module):
    assert module.__all__
    assert len(set(module.__all__)) == len(module.__all__)
    assert not [name for name in module.__all__ if not hasattr(module, name)]
    # the sign that marks a text for translation is a name
    assert not [name for name in module.__all__ if name.startswith("_") and name != "_"]


OFFERED = [value for name in aa.__all__ if inspect.ismodule(value := getattr(aa, name))]


@pytest.mark.parametrize("module", [aa, *OFFERED], ids=lambda module: module.__name__)
def test_dir_shows_what_is_offered_and_nothing_else(module):
    assert sorted(dir(module)) == sorted(module.__all__)
    assert {"detect", "findings", "features", "plots", "rollup"} <= set(aa.__all__)


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, audit_analytics as aa\n"
        "dir(aa)\n"
        "heavy = {'pandas', 'sklearn', 'matplotlib', 'duckdb', 'numpy', 'pyarrow', 'scipy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
