from pathlib import Path

import pytest
from hypothesis import settings

import audit_analytics as aa

# a machine may be busy: no test is about the milliseconds of one example
settings.register_profile("audit_analytics", deadline=None)
settings.load_profile("audit_analytics")

# two modules of one name: as plugins they live side by side, as places of doctests they do not
collect_ignore = ["conftest.py", "browser/conftest.py"]


def pytest_collection_modifyitems(items):
    """Share what a module has made among its tests, and the long tests among the workers."""
    for item in items:
        alone = item.get_closest_marker("slow") is not None
        group = item.nodeid if alone else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


SAMPLE = Path(__file__).parents[1] / "data" / "sample"


@pytest.fixture(scope="session")
def sample_report():
    """Return the report on the sample log, made once."""
    return aa.analyze(SAMPLE, settings=aa.Settings())
