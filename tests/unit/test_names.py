"""What ``import audit_analytics as aa`` offers."""

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
