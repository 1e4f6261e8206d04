"""The command line. Each command imports its room when it runs: `--help` is instant, set-up needs no package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit.cli import bundle, grade, new_lab, rag, release, serve
from labkit.cli.publishing import site, slides


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. What a user did wrong is told in one sentence, without a traceback."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except KeyboardInterrupt:
        print("Stopped. Nothing is lost; the same command goes on from here.", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        if options.debug:
            raise
        print(f"labkit {options.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labkit", description="Large Models, Layer by Layer")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(run=run)
        return sub

    lab = command("lab", _lab, "set up what is missing, then open JupyterLab on your workspace")
    lab.add_argument("--port", type=int, help="port of JupyterLab (or the variable PORT)")
    lab.add_argument("--no-browser", action="store_true", help="print the address only (or NO_BROWSER=1)")

    setup = command("setup", _setup, "make .venv and install the pinned packages; a second run installs nothing")
    setup.add_argument("--extra", action="append", default=[], help="gpu, grading, slides or dev; may be repeated")
    setup.add_argument("--torch-backend", metavar="NAME", help="cpu, auto, cu130 ...: choose torch's build with uv")

    doctor = command("doctor", _doctor, "say what is wrong with this installation and what to type")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")

    start = command("start", _start, "write the learner edition of one lab or all into your workspace")
    start.add_argument("labs", nargs="*", metavar="NN", help="lab numbers; all when none is given")
    start.add_argument("--edition", choices=("learner", "self-study", "instructor"), default="learner")
    start.add_argument("--to", type=Path, help="the workspace folder; work/ when not given")

    command("progress", _progress, "exercises passed, predictions and how well calibrated you are")
    reset = command("reset", _reset, "begin a lab again; your version is kept as a backup")
    reset.add_argument("lab", metavar="NN")

    command("models", _models, "list the models that load without a network")
    train = command("train", _train, "train one of the course's models by its recipe; goes on where it stopped")
    order = "course-embed; or course-seed, then course-draft, course-dense or course-trunk, and then course-moe"
    train.add_argument("name", help=order)
    train.add_argument("--out", type=Path, default=Path("bench/training"), help="folder for checkpoints and weights")
    train.add_argument("--minutes", type=float, default=75, help="stop after so long, keeping a checkpoint")
    ship = command("ship", _ship, "ask a trained model everything and put it, with its card, into data/models")
    ship.add_argument("name", help="a name that train takes")
    ship.add_argument("--out", type=Path, default=Path("bench/training"), help="folder that train wrote to")
    rag.add_arguments(command("rag", rag.run, "answer a question from a folder of your own texts, with its source"))
    serve.add_arguments(command("serve", serve.run, "serve a model to OpenAI clients on this machine"))
    release.add_arguments(command("release", release.run, "write the learner editions for a class, scanned for leaks"))
    grade.add_arguments(command("grade", grade.run, "grade a folder of strangers' notebooks in a sandbox"))
    slides.add_arguments(command("slides", slides.run, "build the decks: pages that open offline, and PDF"))
    site.add_arguments(command("site", site.run, "build the labs as pages to read in a browser, offline"))
    bundle.add_arguments(
        command("bundle", bundle.run, "collect the course and its packages for a room without a network")
    )
    new_lab.add_arguments(command("new-lab", new_lab.run, "write the skeleton of a new lab, its checks and its deck"))
    bench = command("bench", _bench, "run the timed comparisons and write them as JSON")
    bench.add_argument("rooms", nargs="*", metavar="ROOM", help="rooms of labkit; all that have timed proofs if none")
    bench.add_argument("--out", type=Path, default=Path("bench"), help="folder for the results")
    bench.add_argument("--record", metavar="KIND", help="keep them in data/reference as those of this kind of machine")
    return parser


def _lab(options: argparse.Namespace) -> int:
    from labkit.cli import environment, launch

    python = environment.ensure()
    if not environment.is_current(python):
        return environment.run_again(python, ["lab", *_lab_flags(options)])
    return launch.jupyterlab(port=options.port, browser=not options.no_browser)


def _lab_flags(options: argparse.Namespace) -> list[str]:
    port = ["--port", str(options.port)] if options.port is not None else []
    return port + (["--no-browser"] if options.no_browser else [])


def _setup(options: argparse.Namespace) -> int:
    from labkit.cli import environment

    print(f"Ready: {environment.ensure(options.extra, options.torch_backend)}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from labkit.cli import doctor

    findings = doctor.examine()
    print(doctor.as_json(findings) if options.json else doctor.as_text(findings))
    return doctor.exit_status(findings)


def _start(options: argparse.Namespace) -> int:
    from labkit.course.workspace import start

    for line in start(options.labs or None, edition=options.edition, to=options.to):
        print(line)
    return 0


def _progress(options: argparse.Namespace) -> int:
    from labkit.course.workspace import progress

    print(progress())
    return 0


def _reset(options: argparse.Namespace) -> int:
    from labkit.course.workspace import reset

    print(reset(options.lab))
    return 0


def _models(options: argparse.Namespace) -> int:
    from labkit.models import list_models

    print(list_models())
    return 0


def _train(options: argparse.Namespace) -> int:
    import logging

    from labkit.training import train

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.name == "course-embed":
        from labkit.training.embedding import train_embedding

        print(train_embedding(options.out, options.minutes))
        return 0
    print(train(options.name, out=options.out, minutes=options.minutes))
    return 0


def _ship(options: argparse.Namespace) -> int:
    from labkit.cli import ship

    return ship.run(options.name, options.out)


def _bench(options: argparse.Namespace) -> int:
    from labkit.cli import bench

    return bench.run(options.out, options.rooms, options.record)
