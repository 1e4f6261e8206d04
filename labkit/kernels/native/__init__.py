"""Plain C, built on first use by this machine's own compiler: the one place for native code in this project.

One operation a `.c` file, shared arithmetic in `.h` files; no Python in them, no C++, no intrinsics of one processor:
vectors are the extension that gcc and clang share, so the same source is AVX2 here and NEON there. `building` compiles
a file when its operation is first called and keeps the result under a hash of all that went into it. The operation
itself (`torch.library`), its reference and its cost stand one floor up, in `labkit.kernels.<name>`; where there is no
compiler that reference runs instead, and one line says so.
"""
