"""Run the notebooks and keep their results, small enough to be read on a code-hosting page.

Run from the project root, in an environment made by ``pip install ".[notebook]"``:
``python tests/notebooks/run.py`` for all of them, or with their paths. Pictures are brought down to
a palette, and nothing that differs from run to run is kept, nor anything that names the machine.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[2]
COLOURS_COUNT = 64


def shrink(picture: str) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    small = io.BytesIO()
    image.quantize(COLOURS_COUNT).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=600, resources=resources, record_timing=False).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = shrink(data["image/png"])
    text = nbformat.writes(notebook)
    if sys.prefix in text:
        raise SystemExit(f"{path.name}: a cell printed a path of this environment; is it complete?")
    path.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted((ROOT / "notebooks").glob("*.ipynb")):
        run(Path(name))
