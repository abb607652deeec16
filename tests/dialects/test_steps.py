"""The ten texts of the reference pipeline: their translations, and what these compute on two weeks of made-up games."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from nba_props import PLAN
from nba_props.raw import RawRow
from phasegate import read_plan
from phasegate.code.translated import with_sql
from phasegate.dialects.engines import ENGINE_NAMES, Engine
from tests.support.golden_sql import GOLDEN, OTHERS, translated, translations
from tests.support.sql_engines import SqlEngine, alike, evaluator, postgresql
from tests.support.step_warehouse import DAY, FORECASTS, PROPS, SCHEDULE, SHOTS, TABLES, Warehouse, line, upcoming

WRITTEN = read_plan(PLAN)
NAMES = [f"{engine}/{step.name}" for engine in OTHERS for step in WRITTEN.steps.values() if step.sql]
SEASON_START = "2024-07-01"
GAMES = (("BOS", "NYK"), ("NYK", "BOS"), ("LAL", "UTA"), ("UTA", "LAL"))
KEPT_OF_A_SHOT = ("game_date", "game_id", "player_lookup", "player_id", "team_abbr")
ZONES = ("Restricted Area", "In The Paint (Non-RA)", "Mid-Range", "Left Corner 3", "Right Corner 3",
         "Above the Break 3", "Backcourt")  # fmt: skip


@pytest.fixture(scope="module")
def kept() -> Mapping[str, tuple[Path, str]]:
    return {f"{path.parent.name}/{path.stem}": (path, text) for path, text in translations()}


def test_every_step_has_a_kept_translation_for_every_engine(kept: Mapping[str, tuple[Path, str]]) -> None:
    assert {f"{path.parent.name}/{path.stem}" for path in GOLDEN.glob("*/*.sql")} == kept.keys() == set(NAMES)
    assert len(kept) == 20


@pytest.mark.parametrize("name", NAMES)
def test_a_translation_is_what_it_was(name: str, kept: Mapping[str, tuple[Path, str]]) -> None:
    path, text = kept[name]
    assert path.read_text() == text, "python -m tests.support.golden_sql writes it again: read what changed"


@pytest.mark.parametrize("engine", OTHERS)
def test_a_change_of_engine_leaves_every_code_and_the_plan_s_hash_as_they_are(engine: Engine) -> None:
    found = translated(engine)
    assert {step.name: step.code for step in found.steps.values()} == {
        step.name: step.code for step in WRITTEN.steps.values()
    }
    assert found.hash == WRITTEN.hash
    assert with_sql(WRITTEN, engine="duckdb") is WRITTEN


def played(warehouse: Warehouse, *, seed: int) -> None:
    """Fill a warehouse with seven nights of four teams, and build the forecasts of the next."""
    random = Random(seed)
    rows: list[RawRow] = []
    shots: list[dict[str, object]] = []
    for ago in (17, 9, 8, 5, 3, 2, 1):
        for mine, other in GAMES:
            for name in "abcd":
                rows.append(line(f"Gork {mine} {name * 3}", _before(ago), mine, other, **_counts(random, mine)))
                kept = {key: rows[-1][key] for key in KEPT_OF_A_SHOT}
                # one night has no chart
                shots += [kept | {"zone": random.choice(ZONES), "made": random.random() < 0.5}
                          for _ in range(3 if ago != 5 else 0)]  # fmt: skip
    warehouse.play(*rows)
    warehouse.add(SHOTS, shots)
    places = {"home_team_abbr": "BOS", "away_team_abbr": "NYK", "tipoff_at": datetime(2025, 1, 11, 0, 30)}  # noqa: DTZ001
    warehouse.add(SCHEDULE, [upcoming(DAY, "BOS", "NYK", **places), upcoming(DAY, "LAL", "UTA", neutral_site=True)])
    for row in rows[-16:]:
        named = {"game_date": DAY, "player_lookup": row["player_lookup"]}
        offers = "bacd"[: random.randrange(5)]
        warehouse.add(PROPS, [named | {"bookmaker": n, "points_line": random.randrange(10, 60) / 2} for n in offers])
    warehouse.forecast(DAY)


def _before(days: int) -> date:
    return DAY - timedelta(days=days)


def _counts(random: Random, mine: str) -> dict[str, object]:
    shots, fouled = random.randrange(20), random.randrange(8)
    threes = random.randrange(shots + 1)
    made = random.randrange(threes + 1)
    return {
        "minutes": random.choice((0, 2, 20, 33, 41)), "field_goals_attempted": shots, "three_pointers_made": made,
        "three_pointers_attempted": threes, "field_goals_made": made + random.randrange(shots - threes + 1),
        "free_throws_attempted": fouled, "free_throws_made": random.randrange(fouled + 1),
        "assists": random.randrange(9), "offensive_rebounds": random.randrange(4), "turnovers": random.randrange(4),
        "defensive_rebounds": random.randrange(9), "steals": random.randrange(3), "blocks": random.randrange(3),
        "win_flag": mine in ("BOS", "LAL"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    made = Warehouse()
    played(made, seed=7)
    return made


@pytest.fixture(scope="module")
def engines(warehouse: Warehouse) -> Iterator[Mapping[Engine, SqlEngine]]:
    with postgresql() as server:
        found: Mapping[Engine, SqlEngine] = {"postgresql": server, "bigquery": evaluator()}
        for engine in found.values():
            warehouse.copy_to(engine)
        yield found


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("step", TABLES)
def test_a_step_has_equal_cells_on_every_engine(
    step: str, engine: Engine, warehouse: Warehouse, engines: Mapping[Engine, SqlEngine]
) -> None:
    day = DAY if step in FORECASTS else DAY - timedelta(days=2)
    params = {"run_date": day.isoformat(), "season_start": SEASON_START}
    sql = WRITTEN.steps[step].sql
    wanted = warehouse.db.execute(sql, {name: one for name, one in params.items() if f"${name}" in sql}).fetchall()
    found = engines[engine].ask(translated(engine).steps[step].sql, params)
    assert len(wanted) in (4, 16)
    assert alike(found) == alike(wanted), ENGINE_NAMES[engine]
