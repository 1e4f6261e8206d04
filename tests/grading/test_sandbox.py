"""What is there in the sandbox, and must be: the Python that runs and its packages, wherever they were installed."""

import subprocess
import sys
import sysconfig

from labkit.course.grading import bubblewrap
from labkit.course.grading.inside.confine import Limits
from labkit.course.grading.outcomes import read_outcomes
from labkit.course.grading.sandbox import Sandbox
from labkit.course.wire import encode

LIMITS = Limits(memory=1 << 30, cpu_seconds=20, wall_seconds=60)
SOURCE = """def look():
    from pathlib import Path
    import only_here
    try:
        Path(only_here.__file__).write_text("")
    except OSError as error:
        refused = error.strerror
    Path("/tmp/mine").write_text("mine")
    return only_here.VALUE, refused, sorted(path.name for path in Path("/tmp").iterdir())
"""


def test_an_environment_made_below_tmp_is_there_to_read_in_every_question(sandbox, tmp_path, monkeypatch):
    made = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    packages = next(made.glob("lib/*/site-packages"))
    (packages / "only_here.py").write_text("VALUE = 7")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    visible = [*bubblewrap.visible_folders(), made]
    monkeypatch.setattr(bubblewrap, "visible_folders", lambda: visible)
    monkeypatch.setattr(sys, "executable", str(made / "bin" / "python"))
    with Sandbox() as fresh:
        for _ in range(2):
            header = {"kind": "ask", "name": "look", "source": SOURCE, "seconds": 10}
            reply = fresh.ask(header, encode([()]).encode(), LIMITS)
            (outcome,) = read_outcomes(reply.handed_in, 1)
            value, refused, seen = outcome.value
            assert (value, refused) == (7, "Read-only file system")
            assert set(seen) <= {"mine", tmp_path.parts[2]}
