"""Grades a class: finds the submissions, grades what is not graded yet, writes what people read."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Executor
from pathlib import Path

from labkit.course.catalogue import notebooks_dir
from labkit.course.grading.cluster import run_on
from labkit.course.grading.crew import run_all, run_in, usable_cores
from labkit.course.grading.feedback import write_feedback
from labkit.course.grading.grade_one import Job, Settings, grade_job, lab_of_file, unread
from labkit.course.grading.gradebook import fill_gradebook
from labkit.course.grading.grades import Grade
from labkit.course.grading.identity import Owner
from labkit.course.grading.journal import Journal, only_writer
from labkit.course.grading.plaintext import readable
from labkit.course.grading.roster import Student, match, read_roster
from labkit.course.grading.sandbox import Sandbox, SandboxError
from labkit.course.grading.seed import Seed
from labkit.course.grading.selftest import require_confinement
from labkit.course.grading.standing import Standing, standings
from labkit.course.grading.submissions import Submission, find_submissions
from labkit.course.grading.summary import write_summary
from labkit.course.grading.tables import write_tables
from labkit.measure.progress import progress


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """`graded` counts the notebooks that were run now, `kept` those that an earlier run had done."""

    standings: list[Standing]
    graded: int
    kept: int
    out: Path

    def __str__(self) -> str:
        students = len({standing.student.identifier for standing in self.standings})
        notebooks = f"{self.graded + self.kept} notebooks ({self.graded} graded now, {self.kept} before)"
        return f"{students} students, {notebooks}. Results: {self.out / 'summary.html'}, {self.out / 'grades.csv'}"


def grade_folder(
    folder: Path,
    seed_file: Path,
    out: Path,
    roster: Path | None = None,
    lab: str | None = None,
    confined: bool = True,
    workers: int | None = None,
    gradebook: Path | None = None,
    executor: str | Executor | None = None,
) -> ClassResult:
    """Grade every notebook under `folder` into `out`; a second run does what the first left undone.

    `lab` names the lab where the notebooks are not to say so themselves, `gradebook` the database of an nbgrader course
    that is to be filled as well. `executor` does the work in place of `workers` processes here: the address of a Dask
    scheduler, or any executor of `concurrent.futures` (the sandbox is proved here and on all workers of Dask; on the
    machines of another executor that is yours to do). Raises `SandboxError` where the sandbox does not hold and
    `confined` is asked for, `ValueError` for what is wrong with the folder, the seed, the roster or the cluster.
    """
    settings = Settings(Seed.read(seed_file), lab, confined)
    listed = read_roster(roster) if roster else []
    submissions = find_submissions(folder)
    students = match([submission.owner for submission in submissions], listed)
    with only_writer(out):
        journal = Journal(out)
        done = _done_before(submissions, students, settings, journal)
        waiting = [submission for submission in submissions if submission not in done]
        if confined and waiting and not isinstance(executor, str):
            named = [path for path in (roster, gradebook) if path is not None and path.exists()]
            _prove_the_sandbox([seed_file, folder, out, notebooks_dir(), *named])
        jobs = (_job(submission, students, settings) for submission in waiting)
        if isinstance(executor, str) and waiting:
            crew = run_on(executor, grade_job, jobs, _given_up, confined)
        elif isinstance(executor, Executor):
            crew = run_in(executor, grade_job, jobs)
        else:
            crew = run_all(grade_job, jobs, min(workers or usable_cores(), max(len(waiting), 1)), _given_up)
        graded = {}
        for grade in progress(crew, "Grading", total=len(waiting)):
            journal.write(grade)
            graded[grade.student, grade.notebook] = grade
        done |= {submission: graded[_name(submission, students)] for submission in waiting}
        found = standings([(s.owner, done[s]) for s in submissions], students, listed, lab and settings.labs()[0])
        write_tables(found, out)
        write_feedback(found, out)
        write_summary(found, out)
        if gradebook is not None:
            fill_gradebook(found, gradebook)
    return ClassResult(found, len(waiting), len(submissions) - len(waiting), out)


def _prove_the_sandbox(secrets: list[Path]) -> None:
    try:
        with Sandbox() as sandbox:
            require_confinement(sandbox, secrets)
    except SandboxError as error:
        raise SandboxError(
            f"The sandbox does not work on this machine: {error}. Nothing was run. `--unsafe` grades without one, on a"
            " machine that holds nothing worth stealing."
        ) from None


def _done_before(
    submissions: list[Submission], students: dict[Owner, Student], settings: Settings, journal: Journal
) -> dict[Submission, Grade]:
    """What an earlier run graded, with the same content, seed and checks; and what cannot be read at all."""
    done: dict[Submission, Grade] = {}
    for submission in submissions:
        try:
            job = _job(submission, students, settings)
        except ValueError as error:
            job = Job(*_name(submission, students), b"", settings)
            done[submission] = unread(job, lab_of_file(job.notebook, settings.labs()), readable(error))
            journal.write(done[submission])
            continue
        if found := journal.find(unread(job, "", "")):
            done[submission] = found
    return done


def _job(submission: Submission, students: dict[Owner, Student], settings: Settings) -> Job:
    return Job(*_name(submission, students), submission.read(), settings)


def _name(submission: Submission, students: dict[Owner, Student]) -> tuple[str, str]:
    return students[submission.owner].identifier, readable(submission.path)


def _given_up(job: Job) -> Grade:
    """A submission that ended two of our own processes, the second time alone in its pool."""
    lab = lab_of_file(job.notebook, job.settings.labs())
    return unread(job, lab, "Grading it ended the grading process itself, twice; please look at it by hand.")
