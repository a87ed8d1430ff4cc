"""Every notebook runs from top to bottom with nothing defined, with warnings as errors."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
APP = re.compile(r"cli_[0-9a-f]{16}")
FRESH = """
%reset -f
def begin():
    import sys, warnings
    for name in [name for name in sys.modules if name.split(".")[0] == "audit_analytics"]:
        del sys.modules[name]
    warnings.simplefilter("error")
begin()
del begin
"""
"""Forgets the notebook before, and what the package then learnt: only what it stands on stays."""

# jupyter_client and pyzmq warn about themselves, not about us
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:zmq"),
]


def draws(cell):
    return bool(re.search(r"^ax = ", cell.source, re.MULTILINE))


def has_picture(cell):
    return any("image/png" in output.get("data", {}) for output in cell.outputs)


def test_there_are_notebooks():
    assert NOTEBOOKS
    assert NOTEBOOKS[0].name == "01_quickstart.ipynb"


def name_apps(path):
    """Return the apps that the cells of a notebook name."""
    return set(APP.findall("".join(cell.source for cell in nbformat.read(path, 4).cells)))


@pytest.fixture(scope="module")
def small_sample(sample_events, tmp_path_factory):
    """Write the sample with the apps that are named or attacked, and a few of the others."""
    folder = tmp_path_factory.mktemp("checkout") / "data" / "sample"
    folder.mkdir(parents=True)
    for name in ("labels.csv", "apps.json.gz"):
        shutil.copy(SAMPLE / name, folder)
    named = set().union(
        *map(name_apps, NOTEBOOKS), APP.findall((folder / "labels.csv").read_text())
    )
    apps = sample_events["app_id"].astype("str")
    kept = apps.isin(named) | (apps < "cli_a1")
    sample_events[kept].to_parquet(folder / "events.parquet")
    return folder


@pytest.fixture(scope="module")
def run_notebook(small_sample):
    """Return a function that runs a notebook; one kernel loads pandas and its like for all."""
    # heavy, and not needed by the workers that run other tests
    from jupyter_client.manager import KernelManager  # noqa: PLC0415
    from nbclient import NotebookClient  # noqa: PLC0415

    folder = small_sample.parents[1] / "notebooks"
    folder.mkdir()
    kernel = KernelManager()
    kernel.start_kernel(cwd=folder)

    def run_notebook(notebook):
        client = NotebookClient(notebook, km=kernel, timeout=900)
        try:
            client.execute()
        finally:
            client.kc.stop_channels()

    yield run_notebook
    kernel.shutdown_kernel(now=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, run_notebook):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(FRESH))
    run_notebook(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.get("execution_count") for cell in code)
    for cell in code:
        assert draws(cell) == has_picture(cell), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_notebooks_have_been_run(path):
    code = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        assert draws(cell) == has_picture(cell), cell.source
        assert "execution" not in cell.metadata, "times of a run make every run a change"


def test_the_committed_report_is_the_one_the_code_makes_today(sample_report):
    cells = nbformat.read(NOTEBOOKS[0], as_version=4).cells
    texts = [out.get("data", {}).get("text/plain") for c in cells for out in c.get("outputs", ())]
    assert repr(sample_report) in texts, "run tests/notebooks/run.py"
    found = set(sample_report.findings["entity"])
    for path in NOTEBOOKS:
        assert name_apps(path) <= found, path.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_are_small_and_name_no_machine(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 300_000
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
