"""Execute notebooks and keep what they print and draw: ``python notebooks/execute.py [NAME ...]``.

Outputs are the same bytes each time, so that a change in one shows: random identifiers go, widgets
leave the picture that stands for them, and cells that print times keep their old outputs.
"""

import re
import sys
from hashlib import sha256
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"


def text(cell):
    """Return what a cell has printed."""
    return "".join(output.get("text", "") for output in cell.get("outputs", []))


def settle(output, place):
    """Make an output the same each time."""
    data = output.get("data", {})
    data.pop(WIDGET, None)
    for name in re.findall(r'id="_anim_img([0-9a-f]{32})', data.get("text/html", "")):  # a movie's
        new = sha256(place.encode()).hexdigest()[:32]
        data["text/html"] = data["text/html"].replace(name, new)
    output.get("metadata", {}).pop(WIDGET, None)


def merged(outputs):
    """Join what was printed in several pieces."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.get("name", "") and output.get("name") == last.get("name"):
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def execute(path):
    """Execute a notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    before = [(text(cell), cell.get("outputs")) for cell in notebook.cells]
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    notebook.metadata.pop("widgets", None)
    for number, (cell, (printed, outputs)) in enumerate(zip(notebook.cells, before, strict=True)):
        cell.metadata.pop("execution", None)
        if re.search(r"\d m?s\b", printed):
            cell.outputs = outputs
        if "outputs" in cell:
            cell.outputs = merged(cell.outputs)
        for output in cell.get("outputs", []):
            settle(output, f"{path.stem} {number}")
    nbformat.write(notebook, path)
    print(path.name)


if __name__ == "__main__":
    names = sys.argv[1:] or [path.stem for path in sorted(FOLDER.glob("*.ipynb"))]
    for name in names:
        execute(FOLDER / f"{Path(name).stem}.ipynb")
