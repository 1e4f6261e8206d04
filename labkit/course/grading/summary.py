"""The class at a glance: what each exercise cost whom, and which misconceptions were behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from labkit.course.catalogue import load_checks
from labkit.course.grading.page import page, paragraph, table
from labkit.course.grading.standing import Standing
from labkit.course.grading.tables import UNSAFE
from labkit.course.manifest import write_whole

_STATUSES = ("passed", "failed", "timeout", "crash", "missing", "blocked")
_SHOWN = 12


def write_summary(standings: Sequence[Standing], out: Path) -> None:
    """`summary.html`."""
    labs = sorted({standing.lab for standing in standings if standing.lab})
    parts = [paragraph(UNSAFE, "warning")] if not all(standing.is_confined for standing in standings) else []
    for lab in labs:
        parts += _lab_part(lab, [standing for standing in standings if standing.lab == lab])
    parts += _unread(standings)
    write_whole(out / "summary.html", page("The class", *parts))


def misconceptions(standings: Sequence[Standing]) -> Counter[tuple[str, str]]:
    """How often each exercise was answered with each misconception that its check knows."""
    grades = [standing.grade for standing in standings if standing.grade]
    return Counter((e.exercise, e.misconception) for grade in grades for e in grade.exercises if e.misconception)


def _lab_part(lab: str, standings: list[Standing]) -> list[str]:
    handed_in = [standing for standing in standings if standing.grade]
    average = sum(standing.points for standing in handed_in) / max(len(handed_in), 1)
    rows = [["exercise", *_STATUSES]]
    for name in load_checks(lab).exercises:
        found = Counter(e.status for s in handed_in for e in s.grade.exercises if e.exercise == name)
        rows.append([name, *(str(found[status]) for status in _STATUSES)])
    told = f"{len(handed_in)} of {len(standings)} students handed in; on average {average:.1f} points."
    parts = [f"<h2>Lab {lab}</h2>", paragraph(told), table(rows)]
    counted = misconceptions(standings).most_common(_SHOWN)
    if counted:
        parts.append(_figure(counted))
        parts.append(table([["exercise", "it looks as if", "students"],
                            *([name, says, str(count)] for (name, says), count in counted)]))  # fmt: skip
    return parts


def _unread(standings: Sequence[Standing]) -> list[str]:
    problems = [[s.student.name, s.grade.notebook, s.grade.problem] for s in standings if s.grade and s.grade.problem]
    if not problems:
        return []
    return ["<h2>Could not be read, or not in full</h2>", table([["student", "notebook", "why"], *problems])]


def _figure(counted: list[tuple[tuple[str, str], int]]) -> str:
    from labkit.measure.figure import PALETTE, Figure, plot

    labels = [f"{name}: {says[:48]}{'...' if len(says) > 48 else ''}" for (name, says), _ in counted]
    counts = [count for _, count in counted]
    (first, _), most = counted[0]
    with plot(width=8.0, height=1.2 + 0.3 * len(counted)) as (figure, axes):
        axes.barh(labels[::-1], counts[::-1], color=PALETTE[0])
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(title=f"Most common: {most} times in {first}", xlabel="submissions (count)", ylabel="said (sentence)")
    return Figure(
        figure, alt=f"Bars of how often each misconception was seen; the longest is in {first}."
    )._repr_html_()
