"""Two good plans. GOOD is the design's example, complete; TIMED has all that reaches over dates and into the clock."""

FILES = {
    "sql/team_game.sql": "-- One row per team.\nSELECT * FROM nba_raw.gamebook WHERE game_date = $run_date;\n",
    "sql/player_game.sql": "WITH t AS (SELECT 1) SELECT * FROM t\n",
    "sql/player_daily.sql": "SELECT 1",
}

GOOD = """\
pipeline = "nba"
timezone = "America/New_York"

[phase.precompute]
after = ["analytics"]
catch_up_max_s = 900

[phase.analytics]
after = "raw"
modes.overnight = { expect = "*", critical = ["player_game"], deadline = "10:00 +1d", require = { share = 0.5 } }
modes.same_day = { expect = ["upcoming"], deadline = "open + 8h", accept = ["success"] }
sends = [
  { topic = "nba-phase4-trigger", ack = "begin" },
  { topic = "audit", ack = "publish" },
]

[phase.raw]
settle_s = 30
settle_max_s = 300

[step.player_daily]
phase = "precompute"
needs = ["analytics.upcoming"]
sql = "sql/player_daily.sql"
table = "nba_precompute.player_daily"
key = ["cache_date", "player_lookup"]
partition = "cache_date"

[step.player_game]
phase = "analytics"
needs = ["raw.gamebook", "team_game"]
sql = "sql/player_game.sql"
table = "nba_analytics.player_game"
key = ["game_date", "player_lookup"]
partition = "game_date"
shrink_max = 0.2

[step.team_game]
phase = "analytics"
needs = ["raw.gamebook"]
sql = "sql/team_game.sql"
table = "nba_analytics.team_game"
key = ["game_date", "team_abbr"]
partition = "game_date"
scales = { pace = 3 }

[step.upcoming]
phase = "analytics"
needs = ["raw.odds"]
python = "nba.upcoming:build"
reads = "unattested"
table = "nba_analytics.upcoming"
key = ["game_date", "player_lookup"]
partition = "game_date"
columns = { game_date = "DATE", player_lookup = "VARCHAR", line = "decimal(6,2)" }

[step.gamebook]
phase = "raw"
external = true
table = "nba_raw.gamebook"
key = ["game_date", "player_lookup", "game_id"]
partition = "game_date"
version = "source_updated_at"

[step.odds]
phase = "raw"
external = true
topic = "scrape-odds"
attempts_max = 3
"""

TIMED = """\
pipeline = "nba"
timezone = "America/New_York"
calendar = "nba.calendar:dates"
cascade_days = 2

[phase.raw]
start = "schedule 10:00"
modes.overnight = { expect = "*" }
modes.same_day = { expect = "*", start = "run" }

[phase.analytics]
after = "raw"
modes.overnight = { expect = "*", deadline = "last_game_end + 8h", reports = "18:00 .. 12:00 +1d" }
modes.same_day = { expect = ["player_game"], deadline = "18:00", reports = "12:00 .. 18:00" }

[step.gamebook]
phase = "raw"
external = true
table = "nba_raw.gamebook"
key = ["game_date", "player"]
partition = "game_date"
version = "updated"

[step.odds]
phase = "raw"
external = true

[step.team_game]
phase = "analytics"
needs = ["raw.gamebook"]
sql = "sql/any.sql"
table = "nba_analytics.team_game"
key = ["game_date", "team_abbr"]
partition = "game_date"

[step.player_game]
phase = "analytics"
needs = ["raw.gamebook", { step = "team_game", back = "20d" }]
sql = "sql/any.sql"
table = "nba_analytics.player_game"
key = ["game_date", "player"]
partition = "game_date"
"""
TIMED_FILES = {"sql/any.sql": "SELECT 1"}
