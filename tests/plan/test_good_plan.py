from msgspec.structs import replace

from phasegate.base.keys import Run
from phasegate.plan.gate import Need, Receiver, Spec
from phasegate.plan.load import load_plan
from phasegate.plan.model import Plan, TimeRule
from tests.support.good_plans import FILES, GOOD

OVERNIGHT = Run("2026-02-03", "overnight")
SAME_DAY = Run("2026-02-03", "same_day")


def load(text: str = GOOD) -> Plan:
    return load_plan(text, files=FILES.__getitem__)


def test_phases_and_steps_come_needs_first_and_else_in_the_order_of_the_file() -> None:
    plan = load()
    assert list(plan.phases) == ["raw", "analytics", "precompute"]
    assert list(plan.steps) == ["gamebook", "odds", "team_game", "player_game", "upcoming", "player_daily"]


def test_a_phase_without_modes_has_those_that_others_declare_and_expects_everything() -> None:
    plan = load()
    assert plan.modes == ("overnight", "same_day")
    assert {mode: gate.expect for mode, gate in plan.phases["raw"].modes.items()} == {
        "overnight": ("gamebook", "odds"),
        "same_day": ("gamebook", "odds"),
    }


def test_without_any_declared_mode_there_is_one_named_daily() -> None:
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith("modes."))
    plan = load(text)
    assert plan.modes == ("daily",)
    assert plan.phases["analytics"].modes["daily"].expect == ("team_game", "player_game", "upcoming")


def test_an_inherited_mode_must_be_one_that_every_upstream_phase_has() -> None:
    more = '[phase.odds]\nmodes.hourly = { expect = "*" }\n[step.lines]\nphase = "odds"\nexternal = true\n'
    plan = load(GOOD.replace("[step.odds]", more + "[step.odds]"))
    assert "hourly" in plan.phases["raw"].modes
    assert "hourly" not in plan.phases["precompute"].modes


def test_modes_are_read_whole() -> None:
    modes = load().phases["analytics"].modes
    overnight, same_day = modes["overnight"], modes["same_day"]
    assert overnight.expect == ("team_game", "player_game", "upcoming")
    assert overnight.critical == ("player_game",)
    assert overnight.at_least == 2  # half of three, rounded up
    assert overnight.deadline == TimeRule(local="10:00", days=1)
    assert overnight.accept == ("success", "empty")
    assert same_day.expect == ("upcoming",)
    assert same_day.deadline == TimeRule(opening=True, after_s=8 * 3600.0)
    assert same_day.accept == ("success",)
    assert same_day.at_least is None


def test_a_share_is_exact() -> None:
    steps = "".join(f'[step.s{i}]\nphase = "p"\nexternal = true\n' for i in range(100))
    top = 'pipeline = "a"\ntimezone = "UTC"\n[phase.p]\nmodes.daily = { expect = "*", require = { share = 0.07 } }\n'
    assert load_plan(top + steps).phases["p"].modes["daily"].at_least == 7


def test_steps_are_read_whole() -> None:
    steps = load().steps
    assert steps["team_game"].sql == FILES["sql/team_game.sql"].strip().removesuffix(";")
    assert steps["team_game"].table is not None
    assert steps["team_game"].table.write == "replace"
    assert steps["team_game"].table.scale("pace") == 3
    assert steps["player_game"].needs == (Need("raw", "gamebook"), Need("analytics", "team_game"))
    assert steps["player_game"].shrink_max == 0.2
    assert (steps["upcoming"].kind, steps["upcoming"].python) == ("python", "nba.upcoming:build")
    assert steps["upcoming"].reads == "unattested"
    assert steps["upcoming"].table is not None
    assert list(steps["upcoming"].table.columns.items()) == [
        ("game_date", "DATE"),
        ("player_lookup", "VARCHAR"),
        ("line", "DECIMAL(6, 2)"),
    ]
    assert steps["gamebook"].table is not None
    assert steps["gamebook"].table.write == "merge"
    assert steps["odds"].table is None
    assert (steps["odds"].topic, steps["odds"].attempts_max) == ("scrape-odds", 3)


def test_the_code_of_a_step_changes_with_what_it_runs_and_with_its_table_only() -> None:
    code = load().steps["team_game"].code
    again = load_plan(GOOD, files={**FILES, "sql/team_game.sql": "SELECT 2"}.__getitem__)
    assert again.steps["team_game"].code != code
    assert again.steps["player_game"].code == load().steps["player_game"].code
    assert load(GOOD.replace("pace = 3", "pace = 4")).steps["team_game"].code != code
    assert load(GOOD.replace("catch_up_max_s = 900", "")).steps["team_game"].code == code


def test_line_endings_and_a_byte_order_mark_change_nothing() -> None:
    windows = load_plan("\ufeff" + GOOD.replace("\n", "\r\n"), files=lambda name: FILES[name].replace("\n", "\r\n"))
    assert windows == load()


def test_the_hash_of_a_plan_changes_with_everything_in_it() -> None:
    plan = load()
    assert plan.hash == load().hash != ""
    for old, new in (("settle_s = 30", "settle_s = 31"), ('"10:00 +1d"', '"10:01 +1d"'), ("New_York", "Chicago")):
        assert load(GOOD.replace(old, new)).hash != plan.hash


def test_a_gate_has_the_members_of_its_mode_and_what_they_need() -> None:
    plan = load()
    gate, topic = plan.gate("analytics", run=OVERNIGHT, opened_at=0.0), "nba.analytics.requests"
    code = {name: step.code for name, step in plan.steps.items()}
    raw, team = Need("raw", "gamebook"), Need("analytics", "team_game")
    assert gate.members == {
        "team_game": Spec(needs=(raw,), topic=topic, code=code["team_game"]),
        "player_game": Spec(needs=(raw, team), topic=topic, code=code["player_game"]),
        "upcoming": Spec(needs=(Need("raw", "odds"),), topic=topic, code=code["upcoming"], attested=False, shared=True),
    }
    assert gate.expect == ("team_game", "player_game", "upcoming")
    assert (gate.critical, gate.at_least) == (("player_game",), 2)
    assert gate.receivers == (
        Receiver("precompute", "nba-phase4-trigger", "begin"),
        Receiver("audit", "audit", "publish"),
    )
    assert list(load().gate("analytics", run=SAME_DAY, opened_at=0.0).members) == ["upcoming"]


def test_a_step_that_nothing_expects_is_a_member_when_an_expected_one_needs_it() -> None:
    text = GOOD.replace('modes.overnight = { expect = "*"', 'modes.overnight = { expect = ["player_game", "upcoming"]')
    gate = load(text).gate("analytics", run=OVERNIGHT, opened_at=0.0)
    assert list(gate.members) == ["team_game", "player_game", "upcoming"]
    assert gate.expect == ("player_game", "upcoming")


def test_a_gate_asks_for_external_steps_only_where_they_have_a_topic() -> None:
    gate = load().gate("raw", run=OVERNIGHT, opened_at=0.0)
    assert gate.members == {
        "gamebook": Spec(asks=False, topic="nba.raw.requests", shared=True),
        "odds": Spec(asks=True, topic="scrape-odds", attempts_max=3),
    }
    assert (gate.settle_s, gate.settle_max_s, gate.catch_up_max_s) == (30.0, 300.0, 600.0)
    assert gate.receivers == (Receiver("analytics", "nba.analytics.begin", "begin"),)
    assert load().gate("precompute", run=SAME_DAY, opened_at=0.0).catch_up_max_s == 900.0


def test_a_gate_has_one_hash_on_every_date_and_another_when_its_rule_changes() -> None:
    plan = load()
    gate = plan.gate("analytics", run=OVERNIGHT, opened_at=0.0)
    assert gate.hash == plan.gate("analytics", run=replace_date(OVERNIGHT, "2026-07-01"), opened_at=9.0).hash
    later = load(GOOD.replace('"10:00 +1d"', '"11:00 +1d"')).gate("analytics", run=OVERNIGHT, opened_at=0.0)
    elsewhere = load(GOOD.replace("New_York", "Chicago")).gate("analytics", run=OVERNIGHT, opened_at=0.0)
    laxer = load(GOOD.replace("share = 0.5", "count = 1")).gate("analytics", run=OVERNIGHT, opened_at=0.0)
    assert len({gate.hash, later.hash, elsewhere.hash, laxer.hash}) == 4
    assert replace(laxer, hash="", at_least=2) == replace(gate, hash="")


def replace_date(run: Run, day: str) -> Run:
    return Run(day, run.mode)


def test_a_worker_listens_to_every_topic_by_which_a_phase_begins_or_is_asked() -> None:
    assert load().topics() == (
        "nba.completions",
        "nba.raw.requests",
        "nba.analytics.begin",
        "nba.analytics.requests",
        "nba-phase4-trigger",
        "nba.precompute.requests",
    )
