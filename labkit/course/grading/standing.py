"""Where each student stands in each lab: the one grade that counts, and the notebooks that do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from labkit.course.catalogue import load_checks
from labkit.course.grading.grades import Grade
from labkit.course.grading.identity import Owner
from labkit.course.grading.roster import Student


@dataclasses.dataclass(frozen=True)
class Standing:
    """`grade` is None when a student of the roster handed in nothing for this lab."""

    student: Student
    lab: str
    grade: Grade | None
    others: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        return self.grade.points if self.grade else 0.0

    @property
    def possible(self) -> float:
        return possible_points(self.lab)

    @property
    def is_confined(self) -> bool:
        return self.grade is None or self.grade.sandbox == "bubblewrap"


def possible_points(lab: str) -> float:
    """The points of all exercises of a lab."""
    return sum(exercise.importance for exercise in load_checks(lab).exercises.values()) if lab else 0.0


def standings(
    graded: Iterable[tuple[Owner, Grade]], students: dict[Owner, Student], roster: Sequence[Student], lab: str | None
) -> list[Standing]:
    """Of several notebooks of one student and lab the latest resubmission counts; among those of one attempt, such as
    a notebook and its copy, the one with the most points. Sorted by lab, then in the order of the roster.
    """
    groups: dict[tuple[str, str], list[tuple[Owner, Grade]]] = {}
    for owner, grade in graded:
        groups.setdefault((grade.lab, students[owner].identifier), []).append((owner, grade))
    labs = sorted({number for number, _ in groups if number} | ({lab} if lab else set()))
    found = [_standing(students[group[0][0]], number, group) for (number, _), group in groups.items()]
    found += [Standing(s, number, None) for number in labs for s in roster if (number, s.identifier) not in groups]
    place = {student.identifier: index for index, student in enumerate(roster)}
    return sorted(found, key=lambda s: (s.lab, place.get(s.student.identifier, len(place)), s.student.identifier))


def _standing(student: Student, lab: str, group: list[tuple[Owner, Grade]]) -> Standing:
    _, best = max(group, key=lambda item: (item[0].attempt, item[1].points, item[1].notebook))
    return Standing(student, lab, best, tuple(sorted(g.notebook for _, g in group if g is not best)))
