"""What a plan says must hold of a table: a write that would break it writes nothing, and names the key."""

import pytest

from phasegate.base.findings import Finding, listed
from phasegate.base.keys import Run
from phasegate.errors import Partial
from phasegate.warehouse import Row
from tests.support.pipelines import Shop, settle, shop

DAY, LATER = "2026-02-03", "2026-02-05"
COLUMNS = 'columns = { day = "VARCHAR", game = "VARCHAR", team = "VARCHAR", player = "VARCHAR", points = "INTEGER"'
PLAN = f"""
pipeline = "shop"
timezone = "UTC"

[phase.load]
[phase.report]
after = "load"

[step.box]
phase = "load"
external = true
table = "raw.box"
key = ["day", "player"]
partition = "day"
version = "at"
tombstone = "gone"
replaces = ["game"]
determines = ["game -> day", "game, player -> team"]
{COLUMNS}, at = "BIGINT" }}

[step.teams]
phase = "report"
needs = ["load.box"]
python = "made:teams"
table = "out.teams"
key = ["day", "game", "team"]
partition = "day"
sums = ["points by game, team = load.box.points"]
columns = {{ day = "VARCHAR", game = "VARCHAR", team = "VARCHAR", points = "INTEGER" }}
"""


def row(player: str, *, game: str = "1", team: str = "x", day: str = DAY, at: int = 1, gone: bool = False) -> Row:
    return {"day": day, "game": game, "team": team, "player": player, "points": 2, "at": at, "gone": gone}


class Games:
    """The pipeline, and what its step for teams counts for a player."""

    def __init__(self) -> None:
        self.worth = 2
        self.shop: Shop = shop({"made:teams": self._teams}, plan=PLAN)
        self.shop.warehouse.functions = {"box": lambda read, _params: read("raw.box")}

    def load(self, *rows: Row, day: str = DAY) -> None:
        with self.shop.pipeline.begin(f"{day}.daily", step="box") as run:
            run.write(rows)
            run.complete()

    def players(self, day: str = DAY) -> list[str]:
        parts = self.shop.warehouse.tables["raw.box"]
        return sorted(str(kept.cells["player"]) for kept in parts.get(day, {}).values())

    def found(self, day: str = DAY) -> list[Finding]:
        outcomes = self.shop.pipeline.checks.inspector.inspect(day, day)
        return [finding for finding in listed(outcomes) if finding.code == "PG011"]

    def why(self, phase: str, day: str = DAY) -> tuple[str, str]:
        (view,) = [view for view in self.shop.pipeline.views.why(f"{day}.daily") if view.phase == phase]
        return view.state, view.members[0].reason

    def _teams(self, run: object) -> list[dict[str, object]]:
        day = run.date  # type: ignore[attr-defined]
        rows = [one for one in run.read("box", {}) if one["day"] == day]  # type: ignore[attr-defined]
        groups = sorted({(one["game"], one["team"]) for one in rows})
        return [
            {"day": day, "game": game, "team": team,
             "points": self.worth * sum((one["game"], one["team"]) == (game, team) for one in rows)}
            for game, team in groups
        ]  # fmt: skip


@pytest.fixture
def games() -> Games:
    return Games()


def test_rows_that_a_source_took_back_go_with_the_next_delivery_of_their_game(games: Games) -> None:
    games.load(row("a"), row("b"), row("c", game="2"))
    games.load(row("a", at=2), row("renamed", at=2))
    assert games.players() == ["a", "c", "renamed"]
    receipt = games.shop.warehouse.commits[-1]
    assert (receipt.inserted, receipt.deleted, receipt.unchanged, receipt.rows) == (1, 1, 1, 3)


def test_a_delivery_that_comes_again_late_neither_deletes_nor_restores(games: Games) -> None:
    games.load(row("a"), row("b"))
    games.load(row("a", at=2), row("renamed", at=2))
    games.load(row("a"), row("b"))
    assert games.players() == ["a", "renamed"]
    assert games.shop.warehouse.commits[-1].refused == 2


def test_a_moved_game_is_written_once_its_old_date_is_written_without_it(games: Games) -> None:
    games.load(row("a"), row("b", game="2"))
    settle(games.shop)
    moved = row("a", day=LATER)
    with pytest.raises(Partial) as refused:
        games.load(moved, day=LATER)
    assert str(refused.value) == (
        f"raw.box/{LATER}: game 1 has day {DAY} and {LATER}, which the plan excludes (game -> day); "
        f"if {LATER} is right, write {DAY} again without it, then this date again: "
        f"phasegate begin {DAY}.daily --step box -- COMMAND"
    )
    assert games.players(LATER) == []
    assert f"phasegate begin {DAY}.daily" in games.why("load", LATER)[1]
    games.load(row("a", gone=True))
    games.load(moved, day=LATER)
    assert (games.players(), games.players(LATER)) == (["b"], ["a"])
    assert games.found() == games.found(LATER) == []


def test_a_failure_that_breaks_an_identity_is_reported_as_partial(games: Games) -> None:
    games.load(row("a"))
    with pytest.raises(Partial):
        games.load(row("a", day=LATER), day=LATER)
    phase = games.shop.pipeline.runs.read("load", Run(LATER, "daily"))
    assert phase is not None
    attempt = phase.members["box"].attempt
    assert attempt is not None
    assert attempt.status == "partial"


def test_of_several_keys_with_two_values_the_first_is_named_and_the_others_counted(games: Games) -> None:
    games.load(row("a"), row("b", game="2"))
    with pytest.raises(Partial, match=r"game 1 has day .* \(and 1 more\)"):
        games.load(row("a", day=LATER), row("b", game="2", day=LATER), row("c", game="3", day=LATER), day=LATER)


def test_sums_that_differ_are_partial_and_build_once_they_agree(games: Games) -> None:
    games.worth = 3
    games.load(row("a"), row("b"))
    settle(games.shop)
    state, reason = games.why("report")
    assert state == "dead"
    assert "the points of game 1, team x are 6, and 4 in box.points, which the plan excludes" in reason
    assert "out.teams" not in {commit.table for commit in games.shop.warehouse.commits}
    games.worth = 2
    games.shop.pipeline.runs.redrive("report", Run(DAY, "daily"), step=None)
    settle(games.shop)
    assert games.why("report")[0] == "complete"


def test_what_breaks_an_identity_past_the_fence_is_found_by_its_key(games: Games) -> None:
    games.load(row("a"), row("b", game="2"))
    games.load(row("c", game="3", day=LATER), day=LATER)
    settle(games.shop)
    assert games.found() == []
    tables = games.shop.warehouse.tables
    for kept in tables["raw.box"][LATER].values():
        kept.cells["game"] = "1"  # type: ignore[index]  # past the fence
    for kept in tables["out.teams"][DAY].values():
        kept.cells["points"] = 9  # type: ignore[index]
    (sums, moved) = games.found()
    assert moved.text == f"game 1 has day {DAY} and {LATER}; the plan excludes it: game -> day"
    assert moved.command.startswith("write the date that is wrong again, without it: phasegate begin ")
    assert (moved.evidence["identity"], moved.evidence["keys"]) == ("game -> day", "1")
    assert sums.text.startswith("the points of game 1, team x are 9, and 2 in box.points; the points of game 2")
    assert sums.command == f"phasegate backfill --from {DAY} --to {DAY}"
    assert [finding.text for finding in games.found(LATER)] == [moved.text]
