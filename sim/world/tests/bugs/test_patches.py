"""The deliberate bugs stay applicable to the code as it is, and a hunt runs the copy and finds what is in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from outdial_world.bugs.hunt import copied, hunt
from outdial_world.bugs.patches import FOLDER, REPOSITORY, BadPatch, Bug, all_bugs, apply, read

BUGS = all_bugs()
POSTGRES = [read(file) for file in sorted((FOLDER / "postgres").glob("*.patch"))]


def test_there_are_twelve_bugs_or_more_and_each_has_a_number_of_its_own() -> None:
    assert len(BUGS) >= 12
    assert [bug.number for bug in BUGS] == [f"{n:02d}" for n in range(1, len(BUGS) + 1)]


@pytest.mark.parametrize("bug", [*BUGS, *POSTGRES], ids=lambda bug: f"{bug.file.parent.name}-{bug.title}")
def test_patch_still_applies_to_the_code(bug: Bug) -> None:
    checked = subprocess.run(
        ["git", "apply", "--check", str(bug.file)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_every_bug_changes_services_or_their_runtime_and_never_the_world() -> None:
    for bug in BUGS:
        changed = re.findall(r"^\+\+\+ b/(\S+)", bug.file.read_text("utf-8"), re.MULTILINE)
        assert changed
        assert all(path.startswith(("services/", "libs/runtime/")) for path in changed), bug.title


def test_patch_without_its_head_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "01-nameless.patch"
    file.write_text("Bug: something\nCaught-by: no-such-invariant\n\ndiff --git a/x b/x\n")
    with pytest.raises(BadPatch, match=r"01-nameless\.patch"):
        read(file)


def test_patch_that_does_not_apply_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "01-strange.patch"
    diff = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-one\n+two\n"
    file.write_text(f"Bug: something\nCaught-by: redeemed-once\n\ndiff --git a/x.py b/x.py\n{diff}")
    with pytest.raises(BadPatch, match=r"01-strange\.patch"):
        apply(read(file), tmp_path)


@pytest.mark.slow
def test_copy_is_what_runs_and_the_repository_stays_as_it_is() -> None:
    bug = next(bug for bug in BUGS if bug.title == "lease-never-returned")
    changed = "services/media-gateway/media_gateway/handlers/live_call.py"
    before = (REPOSITORY / changed).read_bytes()
    with copied() as tree:
        apply(bug, tree)
        assert (tree / changed).read_bytes() != before
    assert (REPOSITORY / changed).read_bytes() == before
    assert not tree.exists()


@pytest.mark.slow
def test_bug_is_found_by_an_invariant_that_means_it() -> None:
    bug = next(bug for bug in BUGS if bug.title == "lease-never-returned")
    catch = hunt(bug, seeds=10, jobs=1)
    assert catch.caught
    assert catch.name in bug.caught_by
