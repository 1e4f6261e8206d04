"""Notebooks found in what learning platforms export, and archives made to harm."""

import io
import os
import stat
import zipfile

import pytest

from labkit.course.grading import archives
from labkit.course.grading.identity import Owner
from labkit.course.grading.roster import match, read_roster
from labkit.course.grading.submissions import find_submissions


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def found(folder):
    return {str(s.path): (s.owner.identifier, s.owner.attempt) for s in find_submissions(folder)}


def test_a_canvas_export_is_one_flat_archive(hand_in):
    names = ["doejane_4711_80215_00_your_machine.ipynb", "doejane_4711_80216_00_your_machine-1.ipynb",
             "nguyenanh_LATE_4712_80217_00_your_machine.ipynb"]  # fmt: skip
    target = hand_in("submissions.zip", zipped(dict.fromkeys(names, b"{}")))
    owners = [("4711", 0), ("4711", 1), ("4712", 0)]
    assert found(target) == {f"submissions.zip/{n}": o for n, o in zip(names, owners, strict=True)}
    assert find_submissions(target)[0].read() == b"{}"


def test_a_moodle_export_has_a_folder_for_each(hand_in):
    hand_in("Jané Doe_80215_assignsubmission_file_/00_your_machine.ipynb", b"{}")
    hand_in("An O'Hara_80216_assignsubmission_file_/work.zip", zipped({"deep/er/00.ipynb": b"{}"}))
    hand_in("Flat One_80217_assignsubmission_file_00_your_machine.ipynb", b"{}")
    assert sorted(found(hand_in.folder).values()) == [("80215", 0), ("80216", 0), ("80217", 0)]


def test_an_nbgrader_course(hand_in):
    for student in ("alice", "bob"):
        hand_in(f"submitted/{student}/machine/00_your_machine.ipynb", b"{}")
    assert sorted(found(hand_in.folder).values()) == [("alice", 0), ("bob", 0)]
    assert sorted(found(hand_in.folder / "submitted").values()) == [("alice", 0), ("bob", 0)]
    for other in ("source", "release", "autograded/alice"):
        hand_in(f"{other}/machine/00_your_machine.ipynb", b"{}")
    assert sorted(found(hand_in.folder).values()) == [("alice", 0), ("bob", 0)]


def test_folders_by_name_in_a_wrapping_folder(hand_in):
    for student in ("Alice", "Bob"):
        hand_in(f"export/{student}/sub/00.ipynb", b"{}")
    assert sorted(found(hand_in.folder).values()) == [("Alice", 0), ("Bob", 0)]


def test_left_overs_are_no_submissions(hand_in):
    for name in (
        ".ipynb_checkpoints/00-checkpoint.ipynb",
        "__MACOSX/._00.ipynb",
        "._00.ipynb",
        "notes.txt",
        "00.ipynb",
    ):
        hand_in(f"alice/{name}", b"{}")
    assert list(found(hand_in.folder)) == ["alice/00.ipynb"]


def test_links_and_pipes_are_not_followed(hand_in, tmp_path):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(b"{}")
    (hand_in.folder / "mallory").mkdir()
    (hand_in.folder / "mallory/00.ipynb").symlink_to(secret)
    (hand_in.folder / "linked").symlink_to(tmp_path)
    os.mkfifo(hand_in.folder / "mallory/01.ipynb")
    submissions = find_submissions(hand_in.folder)
    assert [str(s.path) for s in submissions] == ["mallory/00.ipynb", "mallory/01.ipynb"]
    for submission in submissions:
        with pytest.raises(ValueError, match=r"opened|plain"):
            submission.read()


def test_links_in_archives_are_not_followed(hand_in):
    link = zipfile.ZipInfo("alice/00.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    (submission,) = find_submissions(hand_in("all.zip", packed.getvalue()))
    with pytest.raises(ValueError, match="link"):
        submission.read()


def test_members_that_climb_out_stay_inside(hand_in):
    target = hand_in("all.zip", zipped({"../../../etc/cron.d/00.ipynb": b"{}", "/abs/01.ipynb": b"{}"}))
    paths = [s.path for s in find_submissions(target)]
    assert all(".." not in path.parts and not path.is_absolute() for path in paths)
    assert list(hand_in.folder.rglob("*")) == [target]  # nothing is ever unpacked to the disk


def test_a_bomb_of_one_huge_member(hand_in, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    target = hand_in("a/bomb.zip", zipped({"00.ipynb": bytes(8 << 20)}))
    assert target.stat().st_size < 20_000
    with pytest.raises(ValueError, match="unpacks to 8 MiB"):
        find_submissions(hand_in.folder)[0].read()


def test_a_bomb_that_lies_about_its_size(hand_in):
    content = zipped({"00.ipynb": bytes(8 << 20)})
    content = content.replace((8 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (submission,) = find_submissions(hand_in("a.zip", content))
    with pytest.raises(ValueError, match="unpacked"):
        submission.read()


def test_archives_in_archives_in_archives(hand_in):
    inner = zipped({"00.ipynb": b"{}"})
    nested = zipped({"inner.zip": zipped({"inner.zip": inner}), "fine.zip": inner})
    submissions = {str(s.path): s for s in find_submissions(hand_in("all.zip", nested))}
    assert submissions["all.zip/fine.zip/00.ipynb"].read() == b"{}"
    with pytest.raises(ValueError, match="in an archive in an archive"):
        submissions["all.zip/inner.zip/inner.zip"].read()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 no", zipped({"a.ipynb": b"{}" * 99})[:-60]],
    ids=["empty", "no archive", "cut short"],  # an archive holds the time it was made
)
def test_damaged_archives(content, hand_in):
    hand_in("bob/00.zip", content)
    with pytest.raises(ValueError, match="archive cannot be read"):
        find_submissions(hand_in.folder)[0].read()


def test_nothing_to_grade(hand_in, tmp_path):
    with pytest.raises(ValueError, match="no notebook"):
        find_submissions(hand_in.folder)
    with pytest.raises(ValueError, match="no folder"):
        find_submissions(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    [
        'Student,ID,SIS Login ID,Section\n    Points Possible,,,\n"Doe, Jane",4711,jdoe,A\n',
        "Identifier,Full name,Email address\nParticipant 4711,Jane Doe,jdoe@example.org\n",
        "id,first_name,last_name,email\n4711,Jane,Doe,jdoe@example.org\n",
        "\ufeffname;id\nJane Doe;4711\n",
    ],
    ids=["canvas", "moodle", "nbgrader", "by hand"],
)
def test_rosters(text, tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(text, encoding="utf-8")
    (jane,) = read_roster(path)
    owners = [Owner("4711", "?"), Owner("x", "doejane"), Owner("y", "jane doe"), Owner("z", "Somebody Else")]
    students = match(owners, [jane])
    assert [students[owner] for owner in owners[:3]] == [jane] * 3
    assert students[owners[3]].identifier == "z"


def test_a_roster_of_nobody(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("colour,size\nred,3\n")
    with pytest.raises(ValueError, match="names no student"):
        read_roster(path)
