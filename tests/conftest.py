import gc
import json
import os
import pickle
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import settings

import audit_analytics as aa
from audit_analytics.files import lock_folder

# jsonschema, where Jupyter is installed too, builds forty grammars of the names of the internet
# when it is imported: seconds, for formats that no schema of ours has
sys.modules["rfc3987_syntax"] = None
import jsonschema  # noqa: E402, F401 - without them

del sys.modules["rfc3987_syntax"]

# a machine may be busy: no test is about the milliseconds of one example
settings.register_profile("audit_analytics", deadline=None)
settings.load_profile("audit_analytics")

# two modules of one name: as plugins they live side by side, as places of doctests they do not;
# and a script, which loads Jupyter
collect_ignore = ["conftest.py", "browser/conftest.py", "notebooks/run.py"]


def pytest_collection_finish():
    # thousands of tests are objects that stay: no search for garbage need look through them
    gc.freeze()


def pytest_unconfigure():
    gc.unfreeze()


SAMPLE = Path(__file__).parents[1] / "data" / "sample"


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Return a function that lets the first worker make what all of them read."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def made_once(name, make):
        kept = folder / f"{name}.pickle"
        with lock_folder(folder, wait=True):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make(folder / name)))
        return pickle.loads(kept.read_bytes())  # noqa: S301 - our own

    return made_once


@pytest.fixture(scope="session")
def sample_events(made_once):
    """Return the calls of the sample log."""
    return made_once("events", lambda _: aa.load(SAMPLE, settings=aa.Settings()))


@pytest.fixture(scope="session")
def findings_schema():
    """Return the JSON Schema of findings.json."""
    return json.loads((files("audit_analytics.report") / "findings.schema.json").read_text())


@pytest.fixture(scope="session")
def sample_report(made_once):
    """Return the report on the sample log."""
    return made_once("report", lambda _: aa.analyze(SAMPLE, settings=aa.Settings()))


@pytest.fixture(scope="session")
def sample_reports(made_once, sample_report):
    """Return a folder with the report on the sample log as the commands read it: to be copied."""

    def write(folder):
        sample_report.write(folder / sample_report.data["week"]["iso"])
        return folder

    return made_once("reports", write)
