"""`python -m labkit.world --out data` writes the files of the world and their cards."""

from __future__ import annotations

import argparse
from pathlib import Path

from labkit.world.files import write_files


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labkit.world", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the data folder: writes OUT/world and OUT/cards/world")
    for path in write_files(parser.parse_args().out):
        print(f"{path.stat().st_size:>10,} B  {path}")


if __name__ == "__main__":
    main()
