"""What the first page tells a newcomer to do, done: one SQL file and six lines on the real plan."""

import shutil
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from nba_props import PLAN
from nba_props.replay.runner import Runner
from nba_props.sources.synthetic import SyntheticSource
from phasegate import read_plan
from tests.support.docs_runner import split
from tests.support.real_data import ROOT

NIGHTS = (date(2026, 2, 2), date(2026, 2, 3))
TABLE = "nba_analytics.team_top_scorers"


def section(heading: str) -> dict[str, str]:
    """Return the blocks below a heading of the first page: language -> text."""
    page = (ROOT / "README.md").read_text()
    part = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {block.language: block.text for block in split(part)[0]}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Give a copy of the reference pipeline with the first page's step added."""
    texts = section("Add a step")
    shutil.copytree(PLAN.parent / "sql", tmp_path / "sql")
    (tmp_path / "sql" / "team_top_scorers.sql").write_text(texts["sql"])
    (tmp_path / "plan.toml").write_text(f"{PLAN.read_text()}\n{texts['toml']}\n")
    return tmp_path / "plan.toml"


def top_three(source: SyntheticSource) -> set[tuple[date, str, str, int]]:
    """Return the three best of each team and night, ties included, straight from the box scores."""
    teams = defaultdict(list)
    for night in NIGHTS:
        for row in source.batch(night):
            teams[night, str(row["team_abbr"])].append((int(str(row["points"])), str(row["player_lookup"])))
    return {
        (night, team, player, 1 + sum(other > points for other, _ in players))
        for (night, team), players in teams.items()
        for points, player in players
        if sum(other > points for other, _ in players) < 3
    }


def test_one_sql_file_and_six_lines_add_a_step_that_is_built_on_every_night(plan: Path, tmp_path: Path) -> None:
    assert len(section("Add a step")["toml"].splitlines()) == 1 + 6
    runner = Runner(SyntheticSource(), state=tmp_path / "state", plan=read_plan(plan))
    try:
        replay = runner.run(*NIGHTS)
        rows = runner.pipeline.query(f"SELECT game_date, team_abbr, player_lookup, place FROM {TABLE}")
        expected = top_three(SyntheticSource())
    finally:
        runner.close()
    assert {(r["game_date"], r["team_abbr"], r["player_lookup"], r["place"]) for r in rows} == expected
    assert replay.tables[TABLE][0] == len(rows) == len(expected) > 60
    assert (replay.unsettled, replay.dead_letters) == ((), 0)
    assert replay.tally.builds["team_top_scorers"] == 2


def test_the_plan_on_the_first_page_is_a_part_of_the_real_one() -> None:
    whole = PLAN.read_text()
    paragraphs = section("The reference pipeline")["toml"].split("\n\n")
    assert len(paragraphs) == 3
    assert [text for text in paragraphs if text not in whole] == []
