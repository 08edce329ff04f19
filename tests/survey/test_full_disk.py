"""A disk that is really full, in stage after stage: the survey goes on once there is more room."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from survey import job

pytestmark = [
    pytest.mark.lab,
    pytest.mark.once,
    pytest.mark.no_cover,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("internet"),
]
# A disk of its own in a mount namespace.  A run whose resolver fails the test only takes the input,
# for which there is room; then there is next to none, and a little more after each failure.
_GROWING = """\
into=$1 kept=$2; shift 2
mount -t tmpfs -o size=32m tmpfs "$into" || exit 98
"$@" --test-names x.bogus.test,x.bogus.test,x.bogus.test >/dev/null 2>&1 && exit 97
kib=$(($(df -k --output=used "$into" | tail -n 1) + 16))
mount -o remount,size=${kib}k "$into" || exit 98
until "$@" >"$kept/out" 2>"$kept/err.$kib"; do
  echo $? >"$kept/status.$kib"
  ls "$into/work" >"$kept/stages.$kib"
  kib=$((kib + 96)); [ $kib -lt 50000 ] || exit 99
  mount -o remount,size=${kib}k "$into" || exit 98
done
cp -a "$into" "$kept/results"
"""
_ADVICE = re.compile(
    r"danebot: (cannot write )?/.*; free some space,? and run (it|the command) again"
)


def test_a_full_disk_is_told_in_each_stage_and_nothing_is_lost(
    undisturbed: Path, tmp_path: Path
) -> None:
    into, kept = tmp_path / "out", tmp_path / "kept"
    into.mkdir()
    kept.mkdir()
    words = job.run_words(undisturbed.parent / "domains.txt", into, "--rows", "150")
    run = job.command(tmp_path, (), *words)
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _GROWING, "sh"]
    ran = subprocess.run([*alone, into, kept, *run], cwd=job.ROOT, check=False, timeout=800)
    assert ran.returncode == 0
    failed = [path.suffix for path in kept.glob("status.*")]
    for size in failed:
        assert (kept / f"status{size}").read_text() == "1\n"
        (line,) = (kept / f"err{size}").read_text().splitlines()
        assert str(into) in line
        assert _ADVICE.fullmatch(line), line
    reached = {len((kept / f"stages{size}").read_text().split()) for size in failed}
    assert len(reached) >= 3, reached  # how many stages there were when it was full
    assert job.select(kept / "results", job.SAME) == job.select(undisturbed, job.SAME)
