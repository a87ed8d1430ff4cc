from pathlib import Path

import pytest
from hypothesis import settings

import audit_analytics as aa

# a machine may be busy: no test is about the milliseconds of one example
settings.register_profile("audit_analytics", deadline=None)
settings.load_profile("audit_analytics")

# two modules of one name: as plugins they live side by side, as places of doctests they do not
collect_ignore = ["conftest.py", "browser/conftest.py"]


SAMPLE = Path(__file__).parents[1] / "data" / "sample"


@pytest.fixture(scope="session")
def sample_report():
    """Return the report on the sample log, made once."""
    return aa.analyze(SAMPLE, settings=aa.Settings())


@pytest.fixture(scope="session")
def sample_reports(sample_report, tmp_path_factory):
    """Return a folder with the report on the sample log, written once, as the commands read it."""
    folder = tmp_path_factory.mktemp("written") / "reports"
    sample_report.write(folder / sample_report.data["week"]["iso"])
    return folder
