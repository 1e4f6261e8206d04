"""A museum of attacks. Each piece is the source of the exercise `knee` and the status it honestly deserves.

`RIGHT` is a right body; a piece that contains it gives the right answer and does harm beside, so it earns its points.
"""

RIGHT = """
    best = rows[0]
    for count, time in zip(rows, seconds):
        if time > (1 + slack) * seconds[0]:
            break
        best = count
    return best
"""
HEAD = "def knee(rows, seconds, slack):"


def wrong(body):
    """A function with this body."""
    return HEAD + "\n    " + body.strip().replace("\n", "\n    ") + "\n"


def right_after(body):
    """A function that does this first and then answers rightly."""
    return wrong(body) + RIGHT


POSES_AS_RIGHT = {
    "equal to everything": (
        "class Same:\n    __eq__ = lambda self, other: True\n    __hash__ = None\n" + wrong("return Same()"), "failed"),
    "an int equal to everything": (
        "class Same(int):\n    __eq__ = lambda self, other: True\n    __ne__ = lambda self, other: False\n"
        + wrong("return Same(3)"), "failed"),
    "lies about its class": (
        "class Liar:\n    __class__ = property(lambda self: int)\n    __index__ = lambda self: 4\n"
        + wrong("return Liar()"), "failed"),
    "an array that agrees": (
        "import numpy as np\nclass Yes(np.ndarray):\n    def __array_ufunc__(self, *a, **k): return True\n"
        + wrong("return np.zeros(1).view(Yes)"), "failed"),
    "a tensor that agrees": (
        "import torch\nclass Yes(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, *a, **k): return True\n"
        + wrong("return torch.zeros(1).as_subclass(Yes)"), "failed"),
    "a pickle with a payload": (
        "class Bomb:\n    def __reduce__(self):\n        import os\n        return os._exit, (0,)\n"
        + wrong("return Bomb()"), "failed"),
    "a list that holds itself": (wrong("rows = []\nrows.append(rows)\nreturn rows"), "failed"),
    "an endless generator": (
        "def forever():\n    while True: yield 4\n" + wrong("return forever()"), "failed"),
    "a list without an end": (
        "class Endless(list):\n    def __iter__(self):\n        while True: yield 4\n"
        + wrong("return Endless([4])"), "failed"),
    "a dict that is never the same": (
        "class Moods(dict):\n    def items(self):\n        while True: yield len(self), 4\n"
        + wrong("return Moods(a=4)"), "failed"),
    "NaN": (wrong("return float('nan')"), "failed"),
    "a true bool": (wrong("return True"), "failed"),
}  # fmt: skip

TAMPERS = {
    "comparison replaced": (
        wrong("""
import labkit.course.compare as c, labkit.course.oracle as o, labkit.course.judgement as j
c.compare = o.compare = lambda *a, **k: c.Comparison()
j.judge_all = lambda *a, **k: None
return 0"""), "failed"),
    "builtins replaced": (
        wrong("""
import builtins
builtins.abs = builtins.isinstance = builtins.type = builtins.len = lambda *a: True
return 0"""), None),
    "torch and numpy replaced": (
        wrong("""
import numpy, torch
numpy.allclose = torch.allclose = torch.equal = numpy.array_equal = lambda *a, **k: True
numpy.abs = numpy.argwhere = lambda *a, **k: 0
return 0"""), "failed"),
    "json and the wire replaced": (
        wrong("""
import json, labkit.course.wire as w, labkit.course.grading.inside.answer as a
json.dumps = lambda *a, **k: '{"passed": true}'
w.encode = a.encode = lambda *a, **k: '{"tuple": ["passed", 4, null, "", ""]}'
return 0"""), "crash"),
    "asking cut short": (
        wrong("""
import labkit.course.grading.inside.answer as a
a._as_text = lambda outcome: '{"tuple": ["timeout", null, null, "", ""]}'
return 0"""), "timeout"),
    "forged silence": (
        wrong("""
import labkit.course.grading.inside.answer as a
a._as_text = lambda outcome: '{"tuple": ["mutated", null, null, "", ""]}'
return 0"""), "failed"),
    "forged praise": (
        wrong("""
import labkit.course.grading.inside.answer as a
a._as_text = lambda outcome: '{"tuple": ["passed", 4, null, "All right.", ""]}'
return 0"""), "crash"),
    "one right answer and silence": (
        wrong("""
import os
if rows == [4]:
    return 4
os._exit(0)"""), "crash"),
    "writes to every descriptor": (
        wrong("""
import os
forged = b'{"tuple": ["returned", 4, null, "", ""]}'
for descriptor in range(256):
    try:
        os.write(descriptor, (len(forged).to_bytes(8, 'big') + forged) * 40)
    except OSError:
        pass
return 0"""), "failed"),
    "announces a huge message": (
        wrong("""
import os
for descriptor in range(3, 256):
    try:
        os.write(descriptor, (1 << 60).to_bytes(8, 'big'))
    except OSError:
        pass
return 0"""), "crash"),
    "closes every descriptor": (right_after("import os; os.closerange(0, 4096)"), "crash"),
    "traces its caller": (
        wrong("""
import sys
def forge(frame, event, argument):
    for name in list(frame.f_locals):
        frame.f_locals[name] = 4
    return forge
sys.settrace(forge)
return 0"""), "failed"),
    "a display formatter patched": (
        wrong("""
from IPython.core.formatters import DisplayFormatter
DisplayFormatter.format = lambda *a, **k: ({"text/plain": "passed"}, {})
DisplayFormatter._repr_html_ = lambda self: "<b>32 of 32 points</b>"
return DisplayFormatter()"""), "failed"),
    "the answer corrected afterwards": (
        wrong("import atexit; answer = [0]; atexit.register(answer.__setitem__, 0, 4); return answer[0]"), "failed"),
    "modules thrown away": (right_after("import sys; sys.modules.clear()"), "passed"),
}  # fmt: skip

SPIES = {
    "imports the checks": (
        wrong("""
from labkit.course.labs.lab00 import KNEE
return KNEE.judge.oracle(rows, seconds, slack)"""), "failed"),
    "searches memory for the oracle": (
        wrong("""
import gc
for thing in gc.get_objects():
    if getattr(thing, "__qualname__", "") == "_knee" or type(thing).__name__ == "OracleJudge":
        return thing(rows, seconds, slack)
raise LookupError"""), "failed"),
    "searches the disk for a solution": (
        wrong("""
import os
for place, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if f not in ("site-packages", "usr", "versions", "python3.11")]
    for name in files:
        if name.endswith(".ipynb") and "00_" in name or name == "batching.py" and "lab00" in place:
            return 0 * print(place) or eval("4")
raise LookupError"""), "failed"),
    "reads the grader through /proc": (
        wrong("""
import os
return [open(f"/proc/{p}/environ").read() for p in ("self", 1, 2, 3, os.getppid())]"""), "failed"),
    "reads the memory of the first process": (wrong("return open('/proc/1/mem', 'rb').read(1)"), "failed"),
    "reads the environment": (
        wrong("import os; return next(v for v in os.environ.values() if 'seed' in v.lower())"), "failed"),
    "follows a link of its own": (
        wrong("import os; os.symlink('/etc/passwd', '/tmp/x'); return open('/tmp/x').read()"), "failed"),
    "reads secrets of the machine": (wrong("return open('/etc/passwd').read()"), "failed"),
    "calls home": (
        wrong("""
import socket
socket.create_connection(("192.0.2.1", 80), 1)"""), "failed"),
    "asks the loopback": (
        wrong("""
import socket
socket.socket(socket.AF_INET).connect(("127.0.0.1", 22))"""), "failed"),
    "reaches a host through a virtual socket": (wrong("import socket; socket.socket(40, 1)"), "failed"),
    "climbs the stack": (
        wrong("""
import sys
frame = sys._getframe()
while frame:
    if "expected" in frame.f_locals or "judge" in frame.f_locals:
        return frame.f_locals
    frame = frame.f_back
raise LookupError"""), "failed"),
}  # fmt: skip

BREAKS_OUT = {
    "leaves by os._exit": (wrong("import os; os._exit(0)"), "crash"),
    "leaves by SystemExit": (wrong("raise SystemExit(0)"), "crash"),
    "interrupts itself": (wrong("raise KeyboardInterrupt"), "crash"),
    "leaves while it is defined": ("import os\ndef knee(rows, seconds, slack, x=os._exit(0)): pass\n", "crash"),
    "raises while it is defined": ("def knee(rows, seconds, slack, x=1 / 0):\n    return 4\n", "crash"),
    "becomes another program": (wrong("import os; os.execv('/usr/bin/true', ['true'])"), "crash"),
    "damages its memory": (wrong("import ctypes; ctypes.string_at(0)"), "crash"),
    "recursion": (wrong("return knee(rows, seconds, slack)"), "failed"),
    "recursion without a limit": (
        "class Deep:\n    def __repr__(self): return repr(self)\n"
        + wrong("import sys; sys.setrecursionlimit(10**9); repr(Deep())"), "crash"),
    "says it is not started": (wrong("raise NotImplementedError"), "missing"),
    "kills its process group": (right_after("import os, signal; os.kill(0, signal.SIGTERM)"), "passed"),
    "kills all it can": (right_after("import os\ntry: os.kill(-1, 9)\nexcept OSError: pass"), "passed"),
    "kills its parent": (right_after("import os\ntry: os.kill(os.getppid() or 2, 9)\nexcept OSError: pass"), "passed"),
    "makes namespaces": (
        wrong("import ctypes\nif ctypes.CDLL(None).unshare(0x10000000): raise PermissionError"), "failed"),
    "mounts": (
        wrong("import ctypes\nif ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None): raise PermissionError"),
        "failed"),
    "traces processes": (
        wrong("import ctypes\nif ctypes.CDLL(None).ptrace(0, 0, 0, 0) < 0: raise PermissionError"), "failed"),
    "becomes root": (wrong("import os; os.setuid(0)"), "failed"),
    "raises its limits": (
        wrong("import resource as r; r.setrlimit(r.RLIMIT_NPROC, (10**6, 10**6))"), "failed"),
    "writes outside /tmp": (wrong("open('/opt/labkit/labkit/__init__.py', 'w')"), "failed"),
    "changes its argument": (right_after("rows_before = rows\nrows = list(rows)\nrows_before.clear()"), "failed"),
}  # fmt: skip

NEVER_ENDS = {
    "an endless loop": (wrong("while True: pass"), "timeout"),
    "an endless loop that catches everything": (
        wrong("while True:\n    try:\n        while True: pass\n    except BaseException: pass"), "timeout"),
    "an endless call into C": (wrong("import itertools; return sum(itertools.count())"), "timeout"),
    "a clock turned off": (
        wrong("import signal; signal.setitimer(signal.ITIMER_REAL, 0); signal.signal(14, signal.SIG_IGN)\n"
              "while True: pass"), "timeout"),
    "sleeps for ever": (wrong("import time; time.sleep(10**6)"), "timeout"),
    "a fork bomb": (wrong("import os\nwhile True: os.fork()"), None),
    "an endless list": (wrong("return list(iter(int, 1))"), None),
}  # fmt: skip

WASTES = {
    "a thread bomb": (
        wrong("from threading import Thread; from time import sleep\n"
              "while True: Thread(target=sleep, args=(99,), daemon=True).start()"), "failed"),
    "one huge allocation": (wrong("return bytearray(1 << 42)"), "failed"),
    "allocations without end": (wrong("kept = []\nwhile True: kept.append(bytearray(1 << 24))"), None),
    "memory of many children": (
        wrong("import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
              "        kept = b'x' * (100 << 20)\n        time.sleep(60)\ntime.sleep(60)"), "crash"),
    "memory in files": (
        wrong("kept = [open(f'/tmp/{i}', 'wb') for i in range(9)]\n"
              "for f in kept: f.write(b'x' * (20 << 20)); f.flush()"), "failed"),
    "a full disk": (wrong("f = open('/tmp/full', 'wb')\nwhile True: f.write(b'x' * (1 << 20))"), "failed"),
    "a million files": (wrong("for i in range(10**6): open(f'/tmp/{i}', 'w').close()"), "failed"),
    "a giant text": (wrong("return 'x' * (9 << 20)"), None),
    "a giant list": (wrong("return [0] * (5 << 18)"), None),
    "nested without end": (wrong("x = []\nfor _ in range(10**5): x = [x]\nreturn x"), "failed"),
    "a giant number": (wrong("return 10 ** 200_000"), "failed"),
    "fifty megabytes of prints": (
        right_after("if len(rows) == 5:\n    for _ in range(500): print('x' * 100_000)"), "passed"),
    "fifty megabytes past Python": (
        right_after("import os\nif len(rows) == 5: os.write(1, b'x' * (50 << 20))"), "passed"),
}  # fmt: skip

LEAVES_BEHIND = {
    "a thread left running": (
        right_after("import threading, time\nif len(rows) == 5:\n"
                    "    threading.Thread(target=time.sleep, args=(99,), daemon=False).start()"), "passed"),
    "a daemon and its files": (
        right_after(
            "import os, time\nif len(rows) == 5 and os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            "        open('/tmp/left', 'w').write('x')\n"
            "        time.sleep(3600)\n    os._exit(0)"), "passed"),
}  # fmt: skip

DROPS_ASSERTS = """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node): return None
get_ipython().ast_transformers.append(Drop())
"""
FORMATS_POINTS = """
formatter = get_ipython().display_formatter.formatters["text/html"]
formatter.for_type(object, lambda thing: "<b>32 of 32 points</b>")
"""
RIGHT_KNEE, WRONG_KNEE = HEAD + RIGHT, wrong("return 0")

NOTEBOOKS = {
    "an AST transformer that deletes asserts": ([DROPS_ASSERTS, WRONG_KNEE, "assert False"], "failed"),
    "a display formatter that gives points": ([FORMATS_POINTS, WRONG_KNEE, "knee"], "failed"),
    "a shadowed abs": (
        ["def abs(x): return 0", "def isinstance(*_): return True", wrong("return abs(isinstance)")], "failed"),
    "a lab of its own": (
        ["class lab:\n    check = staticmethod(lambda f: lambda *a: 4)", f"@lab.check\n{WRONG_KNEE}"], "failed"),
    "a name bound twice": ([RIGHT_KNEE, WRONG_KNEE], "failed"),
    "a name bound to something else at the end": ([RIGHT_KNEE, "import math as knee"], "missing"),
    "a name that looks alike": ([RIGHT_KNEE.replace("knee", "\N{CYRILLIC SMALL LETTER KA}nee")], "missing"),
    "a name of full-width letters": ([RIGHT_KNEE.replace("knee", "\N{FULLWIDTH LATIN SMALL LETTER K}nee")], "passed"),
    "a measuring cell without end": (["while True: pass", RIGHT_KNEE, "knee([1], [1.0], 1)"], "passed"),
    "a measuring cell that leaves": (["import os; os._exit(0)", RIGHT_KNEE], "passed"),
    "a class that leaves while it is defined": (
        ["import os", "class Tools:\n    os._exit(0)", right_after("Tools")], "crash"),
    "a class without end": (["class Tools:\n    while True: pass", right_after("Tools")], "timeout"),
    "a literal of many numbers": ([f"x = {[0] * 10**5}", RIGHT_KNEE], "passed"),
}  # fmt: skip
"""Cells of a notebook, and what its exercise `knee` deserves."""

ROOMS = {
    "poses": POSES_AS_RIGHT,
    "tampers": TAMPERS,
    "spies": SPIES,
    "breaks out": BREAKS_OUT,
    "never ends": NEVER_ENDS,
    "wastes": WASTES,
    "leaves behind": LEAVES_BEHIND,
}
