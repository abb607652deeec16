"""The night of 3 February 2026 on the entry points of deploy/gcp and Google's emulators; the tables are in a file."""

from pathlib import Path

import pytest

from benchmarks.night import play
from benchmarks.servers import NoServer


@pytest.mark.slow
def test_the_night_on_the_clouds_own_parts_ends_as_it_must(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        watch = play(tmp_path, quick=True)
    except NoServer as missing:
        pytest.skip(str(missing))
    printed = capsys.readouterr().out
    assert watch.wrong == [], printed
    assert watch.table == {
        "player rows": 348, "duplicate rows": 0, "entries in phase3_completion": 5, "triggers to phase 4, lost": 0,
        "games handed to phase 4": 10, "changes": 2, "times phase 4 was started": 2,
    }  # fmt: skip
    assert "duplicate rows                              72             0" in printed
    assert "triggers to phase 4, lost                    1             0" in printed
