"""Which `nn.Module` is running: a stack a thread keeps while modules call each other, and names as their owner gives.

Needs no model as argument: the outermost module called names everything below it ("LlamaForCausalLM.model.layers.0"),
and a second outermost module of the same class becomes "Linear#2". A module called through `forward` directly, past its
hooks, is not seen; what it does counts to the one that called it.
"""

from __future__ import annotations

import threading
from collections import Counter
from time import perf_counter_ns
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn
from torch.nn.modules import module as hooks


class ModulePath:
    """Follows every module of the process between `__enter__` and `__exit__`; `current()` names the running one."""

    def __init__(self) -> None:
        self._names: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()
        self._roots: Counter[str] = Counter()
        self._local = threading.local()
        self.spent_ns = 0
        self.met_compiled = False

    def __enter__(self) -> ModulePath:
        self._handles = [
            hooks.register_module_forward_pre_hook(self._push),
            hooks.register_module_forward_hook(self._pop, always_call=True),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def current(self) -> str:
        """The path of the innermost running module of this thread, "" outside all modules."""
        stack = getattr(self._local, "stack", None)
        return stack[-1][1] if stack else ""

    def _push(self, module: nn.Module, _args: Any) -> None:
        began = perf_counter_ns()
        stack = self._local.__dict__.setdefault("stack", [])
        name = self._names.get(module)
        if name is None:
            name = self._adopt(module, under=stack[-1][1] if stack else "")
        stack.append((module, name))
        self.spent_ns += perf_counter_ns() - began

    def _pop(self, module: nn.Module, _args: Any, _output: Any) -> None:
        stack = self._local.__dict__.get("stack", [])
        while stack and stack.pop()[0] is not module:
            pass  # a module left by an exception before its own hook was reached

    def _adopt(self, module: nn.Module, under: str) -> str:
        """Names `module` and all below it; one made on the fly inside another module is named by its class."""
        kind = type(getattr(module, "_orig_mod", module)).__name__
        self._roots[under, kind] += 1
        count = self._roots[under, kind]
        root = f"{under}.({kind})" if under else kind
        root = root if count == 1 else f"{root}#{count}"
        for name, child in module.named_modules():
            self.met_compiled |= hasattr(child, "_orig_mod") or child._compiled_call_impl is not None
            path = name.replace("_orig_mod.", "").removesuffix("_orig_mod")
            self._names[child] = f"{root}.{path}" if path else root
        return root
