"""The sample lab's solved notebook, as nbformat's dictionary."""

import nbformat.v4 as v4

CELLS = [
    ("m", "# A sample\n\nTwo exercises, two predictions, one row of the ledger."),
    ("c", 'import torch\n\nimport labkit as lk\n\nlab = lk.Lab("99")'),
    ("c", 'lab.predict("copy bandwidth", 12)'),
    ("c", 'lab.reveal("copy bandwidth", 24.0)'),
    (
        "c",
        "@lab.check\n"
        "def arithmetic_intensity(m: int, n: int, k: int, bytes_per_element: int) -> float:\n"
        '    """FLOPs a byte of an (m, k) by (k, n) matmul."""\n'
        "    ### BEGIN SOLUTION\n"
        "    flops = 2 * m * n * k\n"
        "    traffic = (m * k + k * n + m * n) * bytes_per_element\n"
        "    return flops / traffic\n"
        "    ### END SOLUTION",
    ),
    (
        "c",
        "@lab.check\n"
        "def row_softmax(scores: torch.Tensor) -> torch.Tensor:\n"
        '    """Softmax of each row, in the dtype of the scores."""\n'
        "    if scores.ndim != 2:\n"
        '        raise ValueError("scores is a matrix")\n'
        "    ### BEGIN SOLUTION\n"
        "    wide = scores.float()\n"
        "    powers = torch.exp(wide - wide.amax(dim=1, keepdim=True))\n"
        "    return (powers / powers.sum(dim=1, keepdim=True)).to(scores.dtype)\n"
        "    ### END SOLUTION",
    ),
    ("c", 'lab.ledger.add("baseline", bytes=4_000_000, ms=1.5, quality=3.2)'),
    ("c", "lab.progress()"),
    (
        "m",
        "Why is a softmax bound by memory?\n\n"
        "### BEGIN SOLUTION\nIt does five operations a number it reads.\n### END SOLUTION",
    ),
]
INSTRUCTOR_NOTE = "Ask for the ridge point before this cell."


def solved():
    """A fresh copy; the fixtures execute it where outputs matter."""
    cells = [v4.new_markdown_cell(s, id=f"m{i}") if kind == "m" else v4.new_code_cell(s, id=f"c{i}")
             for i, (kind, s) in enumerate(CELLS)]  # fmt: skip
    cells.append(v4.new_markdown_cell(INSTRUCTOR_NOTE, id="note", metadata={"tags": ["instructor"]}))
    cells[4].metadata["nbgrader"] = {
        "grade": False, "grade_id": "arithmetic_intensity", "locked": False, "schema_version": 3, "solution": True,
        "task": False,
    }  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
