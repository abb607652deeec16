# ruff: noqa: E501  an error is one line, and so is what is expected of it
"""Each case: a good plan, a part of it, what stands there in its place, and the exact refusal."""

import pytest

from phasegate.errors import BadInput
from phasegate.plan.load import load_plan
from tests.support.bad_plans import refusal

PLAN = """\
pipeline = "nba"
timezone = "America/New_York"

[phase.raw]

[phase.analytics]
after = "raw"
modes.overnight = { expect = "*", critical = ["player_game"] }

[step.gamebook]
phase = "raw"
external = true

[step.team_game]
phase = "analytics"
needs = [
  "raw.gamebook",
]
sql = "sql/team_game.sql"
table = "nba_analytics.team_game"
key = ["game_date", "team_abbr"]
partition = "game_date"

[step.player_game]
phase = "analytics"
needs = ["raw.gamebook", "team_game"]
python = "nba.steps:player_game"
table = "nba_analytics.player_game"
key = ["game_date", "player"]
partition = "game_date"
columns = { game_date = "DATE", player = "VARCHAR", minutes = "INTEGER" }
"""
FILES = {
    "sql/team_game.sql": "SELECT 1",
    "sql/empty.sql": "-- nothing yet\n",
    "sql/insert.sql": "INSERT INTO t SELECT 1",
}
MODE = 'modes.overnight = { expect = "*", critical = ["player_game"] }'

BAD = {
    "no quotes": (
        '"nba"',
        "nba",
        '1: not a value; put quotes round text: key = "text" (column 12)',
    ),
    "no equals": (
        'pipeline = "nba"',
        'pipeline "nba"',
        '1: no "=" after the key; write: key = value (column 10)',
    ),
    "key twice": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\npartition = "day"\n\n',
        "23: this key or table is written twice; remove one (column 18)",
    ),
    "table twice": (
        "[step.player_game]",
        "[step.team_game]",
        '24: the table "step.team_game" is written twice; rename or remove one (column 16)',
    ),
    "list not closed": (
        '  "raw.gamebook",\n]',
        '  "raw.gamebook",',
        '18: not a value; close the list of line 16 with "]", or put quotes round text (column 1)',
    ),
    "list without comma": (
        '["game_date", "team_abbr"]',
        '["game_date" "team_abbr"]',
        '21: a list is not closed; add "]", and commas between its items',
    ),
    "string not closed": (
        '"America/New_York"',
        '"America/New_York',
        "2: a string is not closed; add the quote at its end (column 29)",
    ),
    "header not closed": (
        "[step.gamebook]",
        "[step.gamebook",
        "10: the table's name is not closed; write: [step.name] (column 15)",
    ),
    "inline table twice": (
        'expect = "*", critical',
        'expect = "*", expect = "*", critical',
        '8: the key "expect" is written twice; remove one (column 47)',
    ),
    "newline in table": (
        'expect = "*", critical',
        'expect = "*",\n  critical',
        "8: a key is missing, or needs quotes; write: key = value ({ … } stands on one line, no comma at its end) (column 34)",
    ),
    "backslash": (
        '"sql/team_game.sql"',
        '"sql\\team_game\\q.sql"',
        "19: a backslash stands alone in a string; put single quotes round the string (column 23)",
    ),
    "two on a line": (
        "external = true\n",
        'external = true topic = "a"\n',
        "12: more follows after the value; begin a new line for the next key (column 17)",
    ),
    "control": (
        '"nba"',
        '"nb\x00a"',
        "1: a character that cannot be seen stands here; remove it (column 15)",
    ),
    "nested": (
        '"nba"',
        "[" * 5000,
        "1: lists or tables are nested too deeply; flatten them",
    ),
    "no pipeline": (
        'pipeline = "nba"\n',
        "",
        "1: pipeline: is missing, wanted a name in quotes",
    ),
    "pipeline case": (
        '"nba"',
        '"NBA props"',
        '1: pipeline: the name "NBA props" is not allowed; use a-z, 0-9 and _, beginning with a letter, at most 80 characters',
    ),
    "pipeline number": (
        '"nba"',
        "7",
        "1: pipeline: is 7, wanted a name in quotes",
    ),
    "no timezone": (
        'timezone = "America/New_York"\n',
        "",
        '1: timezone: is missing, wanted the name of a time zone, such as "America/New_York"',
    ),
    "zone unknown": (
        "New_York",
        "NewYork",
        '2: timezone: unknown time zone "America/NewYork"; did you mean "America/New_York"?',
    ),
    "zone nowhere": (
        "America/New_York",
        "../../etc/passwd",
        '2: timezone: unknown time zone "../../etc/passwd"; write one such as "UTC"',
    ),
    "top unknown": (
        "timezone =",
        'zone = "x"\ntimezone =',
        '2: unknown key "zone"; did you mean "timezone"? known: alerts, calendar, cascade_days, dialect, phase, pipeline, platform, step, timezone',
    ),
    "top steps": (
        "[step.gamebook]",
        "[steps.gamebook]",
        '10: unknown key "steps"; did you mean "step"? known: alerts, calendar, cascade_days, dialect, phase, pipeline, platform, step, timezone',
    ),
    "phase text": (
        "[phase.raw]\n",
        '[phase]\nraw = "yes"\n',
        '5: [phase.raw]: is "yes", wanted at least one table [phase.NAME]',
    ),
    "phase name": (
        "[phase.raw]",
        "[phase.Raw]",
        '4: [phase.Raw]: the name "Raw" is not allowed; use a-z, 0-9 and _, beginning with a letter, at most 80 characters',
    ),
    "phase quoted": (
        "[phase.raw]",
        '[phase."raw data"]',
        '4: [phase."raw data"]: the name "raw data" is not allowed; use a-z, 0-9 and _, beginning with a letter, at most 80 characters',
    ),
    "phase key": (
        'after = "raw"',
        'afer = "raw"',
        '7: [phase.analytics]: unknown key "afer"; did you mean "after"? known: after, catch_up_max_s, mirror, modes, sends, settle_max_s, settle_s, start',
    ),
    "phase mirror": (
        'after = "raw"',
        'after = "raw"\nmirror = "phase3_completion"',
        '8: [phase.analytics] mirror: is "phase3_completion", wanted a path such as "phase3_completion/{date}"',
    ),
    "phase mirror upper case": (
        'after = "raw"',
        'after = "raw"\nmirror = "Phase3/{game_date}"',
        '8: [phase.analytics] mirror: is "Phase3/{game_date}", wanted a path such as "phase3_completion/{date}"',
    ),
    "after unknown": (
        'after = "raw"',
        'after = "rwa"',
        '7: [phase.analytics] after: unknown phase "rwa"; did you mean "raw"? known: analytics, raw',
    ),
    "after type": (
        'after = "raw"',
        "after = 1",
        '7: [phase.analytics] after: is 1, wanted a phase such as "raw", or a list of phases',
    ),
    "after twice": (
        'after = "raw"',
        'after = ["raw", "raw"]',
        '7: [phase.analytics] after: holds "raw" twice; remove one',
    ),
    "phase cycle": (
        "[phase.raw]\n",
        '[phase.raw]\nafter = "analytics"\n',
        "5: [phase.raw] after: cycle raw -> analytics -> raw; remove one of these",
    ),
    "after self": (
        'after = "raw"',
        'after = ["analytics"]',
        "7: [phase.analytics] after: cycle analytics -> analytics; remove one of these",
    ),
    "phase no step": (
        "[phase.analytics]",
        "[phase.odds]\n\n[phase.analytics]",
        '6: [phase.odds]: has no step; give one phase = "odds", or remove the phase',
    ),
    "settle neg": (
        'after = "raw"',
        'after = "raw"\nsettle_s = -1',
        "8: [phase.analytics] settle_s: is -1, wanted a number from 0 to 604800",
    ),
    "settle nan": (
        'after = "raw"',
        'after = "raw"\nsettle_s = nan',
        "8: [phase.analytics] settle_s: is nan, wanted a number from 0 to 604800",
    ),
    "settle text": (
        'after = "raw"',
        'after = "raw"\nsettle_s = "5 minutes"',
        '8: [phase.analytics] settle_s: is "5 minutes", wanted a number from 0 to 604800',
    ),
    "settle max": (
        'after = "raw"',
        'after = "raw"\nsettle_s = 60\nsettle_max_s = 30',
        "9: [phase.analytics] settle_max_s: is 30, wanted at least settle_s, which is 60",
    ),
    "mode name": (
        "modes.overnight",
        "modes.Over-Night",
        '8: [phase.analytics] modes.Over-Night: the name "Over-Night" is not allowed; use a-z, 0-9 and _, beginning with a letter, at most 80 characters',
    ),
    "mode empty": (
        MODE,
        "modes = {}",
        '8: [phase.analytics] modes: is empty, wanted modes such as modes.daily = { expect = "*" }',
    ),
    "mode no expect": (
        MODE,
        'modes.overnight = { critical = ["player_game"] }',
        '8: [phase.analytics] modes.overnight.expect: is missing, wanted "*" or a list of this phase\'s steps such as ["team_game"]',
    ),
    "mode unknown key": (
        MODE,
        'modes.overnight = { expect = "*", exepct = "*" }',
        '8: [phase.analytics] modes.overnight: unknown key "exepct"; did you mean "expect"? known: accept, any_date, await_windows, critical, deadline, expect, reports, require, start',
    ),
    "expect word": (
        '"*"',
        '"all"',
        '8: [phase.analytics] modes.overnight.expect: is "all", wanted "*" or a list of this phase\'s steps such as ["team_game"]',
    ),
    "expect empty": (
        'expect = "*"',
        "expect = []",
        '8: [phase.analytics] modes.overnight.expect: is empty, wanted "*" or a list of this phase\'s steps such as ["team_game"]',
    ),
    "expect unknown": (
        'expect = "*"',
        'expect = ["player_games"]',
        '8: [phase.analytics] modes.overnight.expect: "player_games" is not a step of phase "analytics"; did you mean "player_game"? known: player_game, team_game',
    ),
    "expect other phase": (
        'expect = "*"',
        'expect = ["gamebook"]',
        '8: [phase.analytics] modes.overnight.expect: "gamebook" is not a step of phase "analytics"; known: player_game, team_game',
    ),
    "critical not expected": (
        'expect = "*"',
        'expect = ["team_game"]',
        '8: [phase.analytics] modes.overnight.critical: "player_game" is not in expect, so the gate would never check it; add it there',
    ),
    "share high": (
        MODE,
        'modes.overnight = { expect = "*", require = { share = 90 } }',
        "8: [phase.analytics] modes.overnight.require.share: is 90, wanted a number from 0 to 1",
    ),
    "share zero": (
        MODE,
        'modes.overnight = { expect = "*", require = { share = 0 } }',
        "8: [phase.analytics] modes.overnight.require.share: is 0, wanted a number above 0, at most 1",
    ),
    "count high": (
        MODE,
        'modes.overnight = { expect = "*", require = { count = 3 } }',
        "8: [phase.analytics] modes.overnight.require.count: is 3, wanted a whole number from 1 to 2",
    ),
    "require word": (
        MODE,
        'modes.overnight = { expect = "*", require = "most" }',
        '8: [phase.analytics] modes.overnight.require: is "most", wanted "all", { share = 0.9 } or { count = 3 }',
    ),
    "require both": (
        MODE,
        'modes.overnight = { expect = "*", require = { share = 0.5, count = 1 } }',
        '8: [phase.analytics] modes.overnight.require: has two keys, wanted "all", { share = 0.9 } or { count = 3 }',
    ),
    "require empty": (
        MODE,
        'modes.overnight = { expect = "*", require = {} }',
        '8: [phase.analytics] modes.overnight.require: has no key, wanted "all", { share = 0.9 } or { count = 3 }',
    ),
    "require key": (
        MODE,
        'modes.overnight = { expect = "*", require = { percent = 50 } }',
        '8: [phase.analytics] modes.overnight.require: unknown key "percent"; known: count, share',
    ),
    "accept bad": (
        MODE,
        'modes.overnight = { expect = "*", accept = ["partial"] }',
        '8: [phase.analytics] modes.overnight.accept: holds "partial", wanted a list of "success" and "empty"',
    ),
    "accept empty": (
        MODE,
        'modes.overnight = { expect = "*", accept = [] }',
        '8: [phase.analytics] modes.overnight.accept: is empty, wanted a list of "success" and "empty"',
    ),
    "deadline hour": (
        MODE,
        'modes.overnight = { expect = "*", deadline = "25:00" }',
        '8: [phase.analytics] modes.overnight.deadline: is "25:00", wanted "HH:MM", "HH:MM +1d" or "open + 8h" (m, h or d)',
    ),
    "deadline anchor": (
        MODE,
        'modes.overnight = { expect = "*", deadline = "last_game_end + 8h" }',
        '8: [phase.analytics] modes.overnight.deadline: "last_game_end" is an anchor from a calendar, and this plan has none; write calendar = "module:function" at the top, or a local time such as "10:00 +1d"',
    ),
    "deadline open": (
        MODE,
        'modes.overnight = { expect = "*", deadline = "open + 8 weeks" }',
        '8: [phase.analytics] modes.overnight.deadline: is "open + 8 weeks", wanted "HH:MM", "HH:MM +1d" or "open + 8h" (m, h or d)',
    ),
    "deadline zero": (
        MODE,
        'modes.overnight = { expect = "*", deadline = "open + 0m" }',
        '8: [phase.analytics] modes.overnight.deadline: is "open + 0m", wanted more than nothing and at most 30 days',
    ),
    "deadline days": (
        MODE,
        'modes.overnight = { expect = "*", deadline = "10:00 +31d" }',
        '8: [phase.analytics] modes.overnight.deadline: is "10:00 +31d", wanted at most 30 days',
    ),
    "deadline time": (
        MODE,
        'modes.overnight = { expect = "*", deadline = 10:00:00 }',
        '8: [phase.analytics] modes.overnight.deadline: is 10:00:00, wanted "HH:MM", "HH:MM +1d" or "open + 8h" (m, h or d)',
    ),
    "mode upstream": (
        "[phase.raw]\n",
        '[phase.raw]\nmodes.hourly = { expect = "*" }\n',
        '9: [phase.analytics] modes.overnight: phase "raw", which comes before, has no mode "overnight": it would never begin; add modes.overnight to [phase.raw]',
    ),
    "mode none common": (
        "[phase.raw]\n",
        '[phase.odds]\nmodes.hourly = { expect = "*" }\n[step.lines]\nphase = "odds"\nexternal = true\n[phase.publish]\nafter = ["analytics", "odds"]\n[step.board]\nphase = "publish"\nexternal = true\n[phase.raw]\n',
        "10: [phase.publish] after: the phases that this one comes after have no mode in common, so it would never begin; give them a common mode",
    ),
    "send key": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topc = "a", ack = "publish" }]\n',
        '8: [phase.analytics] sends[0]: unknown key "topc"; did you mean "topic"? known: ack, form, phase, topic',
    ),
    "send text": (
        'after = "raw"\n',
        'after = "raw"\nsends = ["a"]\n',
        '8: [phase.analytics] sends: holds "a", wanted a list such as [{ topic = "next", ack = "begin" }]',
    ),
    "send ack": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "a", ack = "never" }]\n',
        '8: [phase.analytics] sends[0].ack: is "never", wanted "begin" or "completion" or "publish" or "post"',
    ),
    "send no ack": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "a" }]\n',
        '8: [phase.analytics] sends[0].ack: is missing, wanted "begin" or "completion" or "publish" or "post"',
    ),
    "send topic": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "A topic", ack = "publish" }]\n',
        "8: [phase.analytics] sends[0].topic: is \"A topic\", wanted a topic of a-z, 0-9, '.', '_' and '-'",
    ),
    "send post": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "nba-audit", ack = "post" }]\n',
        '8: [phase.analytics] sends[0].topic: is "nba-audit", wanted a name of a-z, 0-9 and _, which begins with a letter: '
        "PHASEGATE_POST_NAME holds its address",
    ),
    "send nobody": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "a", ack = "begin" }]\n',
        '8: [phase.analytics] sends[0].ack: no phase comes after "analytics", so none would begin; use "completion", "publish" or "post"',
    ),
    "send phase publish": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "a", ack = "publish", phase = "raw" }]\n',
        '8: [phase.analytics] sends[0].phase: goes with ack = "begin" only, and this is "publish"; remove it',
    ),
    "send not after": (
        "[phase.raw]\n",
        '[phase.raw]\nsends = [{ topic = "a", ack = "begin", phase = "raw" }]\n',
        '5: [phase.raw] sends[0].phase: "raw" does not come after "raw"; known: analytics',
    ),
    "send which": (
        "[phase.raw]\n",
        '[phase.raw]\nsends = [{ topic = "a", ack = "begin" }]\n[phase.publish]\nafter = "raw"\n[step.board]\nphase = "publish"\nexternal = true\n',
        '5: [phase.raw] sends[0].phase: is missing: 2 phases come after "raw"; write phase = "publish" or "analytics"',
    ),
    "send twice": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "a", ack = "publish" }, { topic = "a", ack = "completion" }]\n',
        '8: [phase.analytics] sends[1].topic: "a" is already sent to; remove one',
    ),
    "send own": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "nba.x", ack = "publish" }]\n',
        '8: [phase.analytics] sends[0].topic: "nba.x": topics that begin with "nba." are Phasegate\'s own; choose another',
    ),
    "send phase name": (
        'after = "raw"\n',
        'after = "raw"\nsends = [{ topic = "raw", ack = "publish" }]\n',
        '8: [phase.analytics] sends[0].topic: "raw" is the name of a phase, which is a receiver of its own; choose another',
    ),
    "send shared": (
        "[phase.raw]\n",
        '[phase.raw]\nsends = [{ topic = "a", ack = "begin", phase = "analytics" }]\n[phase.z]\nsends = [{ topic = "a", ack = "publish" }]\n[step.zz]\nphase = "z"\nexternal = true\n',
        '7: [phase.z] sends[0].topic: "a" already carries what begins "analytics"; choose another for triggers of phase "z"',
    ),
    "step name": (
        "[step.gamebook]",
        "[step.1gamebook]",
        '10: [step.1gamebook]: the name "1gamebook" is not allowed; use a-z, 0-9 and _, beginning with a letter, at most 80 characters',
    ),
    "step key": (
        'partition = "game_date"\n\n',
        'partiton = "game_date"\n\n',
        '22: [step.team_game]: unknown key "partiton"; did you mean "partition"? known: attempts_max, code, columns, command, covers, determines, dialect, expected_by, expected_zone, external, identity, key, late_after_s, needs, partition, phase, python, reads, replaces, run_max_s and 10 more',
    ),
    "step no phase": (
        'phase = "raw"\n',
        "",
        "10: [step.gamebook] phase: is missing, wanted the name of a phase",
    ),
    "step phase": (
        'phase = "raw"',
        'phase = "raws"',
        '11: [step.gamebook] phase: unknown phase "raws"; did you mean "raw"? known: analytics, raw',
    ),
    "no kind": (
        "external = true\n",
        "",
        '10: [step.gamebook]: has nothing that builds it; write sql = "FILE", python = "MODULE:FUNCTION", command = "SHELL COMMAND" or external = true',
    ),
    "two kinds": (
        "external = true\n",
        'external = true\nsql = "sql/team_game.sql"\n',
        "12: [step.gamebook] external: the step has sql and external; keep one",
    ),
    "external false": (
        "external = true",
        "external = false",
        "12: [step.gamebook] external: is false, wanted true; or write sql, python or command in its place",
    ),
    "needs type": (
        'needs = ["raw.gamebook", "team_game"]',
        'needs = "team_game"',
        '26: [step.player_game] needs: is "team_game", wanted a list of steps such as ["raw.gamebook", { step = "team_game", back = "20d" }]',
    ),
    "needs item": (
        'needs = ["raw.gamebook", "team_game"]',
        'needs = ["team_game", 5]',
        '26: [step.player_game] needs: holds 5, wanted a list of steps such as ["raw.gamebook", { step = "team_game", back = "20d" }]',
    ),
    "needs unknown": (
        '"raw.gamebook",\n',
        '"raw.gamebok",\n',
        '16: [step.team_game] needs: unknown step "raw.gamebok"; did you mean "gamebook"? known: gamebook, player_game, team_game',
    ),
    "needs phase": (
        'needs = ["raw.gamebook", "team_game"]',
        'needs = ["raw.team_game"]',
        '26: [step.player_game] needs: "team_game" is not a step of "raw"; write "analytics.team_game"',
    ),
    "needs twice": (
        'needs = ["raw.gamebook", "team_game"]',
        'needs = ["analytics.team_game", "team_game"]',
        '26: [step.player_game] needs: holds "analytics.team_game" twice; remove one',
    ),
    "needs not upstream": (
        "external = true\n",
        'external = true\nneeds = ["team_game"]\n',
        '13: [step.gamebook] needs: "analytics.team_game" would never arrive: phase "raw" does not come after "analytics"; write after = "analytics" in [phase.raw]',
    ),
    "step cycle": (
        '"raw.gamebook",\n',
        '"player_game",\n',
        "16: [step.team_game] needs: cycle team_game -> player_game -> team_game; remove one of these needs",
    ),
    "needs self": (
        '"raw.gamebook",\n',
        '"team_game",\n',
        "16: [step.team_game] needs: cycle team_game -> team_game; remove one of these needs",
    ),
    "unreachable": (
        'expect = "*", critical = ["player_game"]',
        'expect = ["team_game"]',
        '24: [step.player_game]: no mode of phase "analytics" expects it and no step that is expected needs it; add it to expect, or remove the step',
    ),
    "never arrives": (
        "[phase.raw]\n",
        '[phase.raw]\nmodes.overnight = { expect = ["odds"] }\n[step.odds]\nphase = "raw"\nexternal = true\n',
        '20: [step.team_game] needs: "raw.gamebook" never arrives in mode "overnight": phase "raw" does not expect it; add it to expect there, or leave "team_game" out of that mode of [phase.analytics]',
    ),
    "sql missing": (
        '"sql/team_game.sql"',
        '"sql/team_games.sql"',
        '19: [step.team_game] sql: "sql/team_games.sql" cannot be read (there is no such file); check the name and the folder',
    ),
    "sql empty": (
        '"sql/team_game.sql"',
        '"sql/empty.sql"',
        '19: [step.team_game] sql: "sql/empty.sql" is empty; write the SELECT that builds the table',
    ),
    "sql insert": (
        '"sql/team_game.sql"',
        '"sql/insert.sql"',
        '19: [step.team_game] sql: "sql/insert.sql" begins with "INSERT", wanted one SELECT or WITH … SELECT; Phasegate writes its rows to the table',
    ),
    "python form": (
        '"nba.steps:player_game"',
        '"nba/steps.py"',
        '27: [step.player_game] python: is "nba/steps.py", wanted "module:function", such as "pipeline.steps:build"',
    ),
    "topic sql": (
        'sql = "sql/team_game.sql"',
        'sql = "sql/team_game.sql"\ntopic = "x"',
        "20: [step.team_game] topic: does nothing here: requests for sql steps go to Phasegate's own topic; remove it",
    ),
    "reads sql": (
        'sql = "sql/team_game.sql"',
        'sql = "sql/team_game.sql"\nreads = "unattested"',
        "20: [step.team_game] reads: does nothing here: only python steps can read past run.read(); remove it",
    ),
    "attempts ext": (
        "external = true\n",
        "external = true\nattempts_max = 3\n",
        "13: [step.gamebook] attempts_max: does nothing here: without topic no requests are sent for this step; remove it",
    ),
    "attempts zero": (
        'sql = "sql/team_game.sql"',
        'sql = "sql/team_game.sql"\nattempts_max = 0',
        "20: [step.team_game] attempts_max: is 0, wanted a whole number from 1 to 100",
    ),
    "attempts true": (
        'sql = "sql/team_game.sql"',
        'sql = "sql/team_game.sql"\nattempts_max = true',
        "20: [step.team_game] attempts_max: is true, wanted a whole number from 1 to 100",
    ),
    "shrink": (
        'sql = "sql/team_game.sql"',
        'sql = "sql/team_game.sql"\nshrink_max = 10',
        "20: [step.team_game] shrink_max: is 10, wanted a number from 0 to 1",
    ),
    "topic own": (
        "external = true\n",
        'external = true\ntopic = "nba.raw.requests"\n',
        '13: [step.gamebook] topic: "nba.raw.requests": topics that begin with "nba." are Phasegate\'s own; choose another',
    ),
    "no table": (
        'table = "nba_analytics.team_game"\n',
        "",
        '14: [step.team_game] table: is missing: a sql step writes one; write table = "schema.table"',
    ),
    "table form": (
        '"nba_analytics.team_game"',
        '"NBA.TeamGame"',
        '20: [step.team_game] table: is "NBA.TeamGame", wanted "schema.table" in lower case',
    ),
    "table shared": (
        '"nba_analytics.player_game"',
        '"nba_analytics.team_game"',
        '28: [step.player_game] table: "nba_analytics.team_game" is already the table of step "team_game"; give each step a table of its own',
    ),
    "no key": (
        'key = ["game_date", "team_abbr"]\n',
        "",
        '14: [step.team_game] key: is missing, wanted the columns that make a row unique, such as ["game_date", "player"]',
    ),
    "no partition": (
        'partition = "game_date"\n\n',
        "\n",
        '14: [step.team_game] partition: is missing, wanted the column of the run\'s date, such as "game_date"',
    ),
    "partition not in key": (
        'key = ["game_date", "team_abbr"]',
        'key = ["team_abbr"]',
        '21: [step.team_game] key: does not contain the partition column "game_date", so a row could be in two partitions; add it',
    ),
    "key text": (
        'key = ["game_date", "team_abbr"]',
        'key = "team_abbr"',
        '21: [step.team_game] key: is "team_abbr", wanted a list of columns such as ["game_date"]',
    ),
    "column case": (
        '"team_abbr"',
        '"teamAbbr"',
        '21: [step.team_game] key: the column name "teamAbbr" is not allowed; use a-z, 0-9 and _, beginning with a letter',
    ),
    "column own": (
        '"team_abbr"',
        '"_pg_token"',
        '21: [step.team_game] key: "_pg_token": columns that begin with "_pg_" are Phasegate\'s own',
    ),
    "key undeclared": (
        '["game_date", "player"]',
        '["game_date", "players"]',
        '29: [step.player_game] key: "players" is not in columns; did you mean "player"? known: game_date, minutes, player',
    ),
    "no columns": (
        'columns = { game_date = "DATE", player = "VARCHAR", minutes = "INTEGER" }\n',
        "",
        '24: [step.player_game] columns: is missing: rows from Python have no types; write columns = { game_date = "DATE" }',
    ),
    "column type": (
        '"VARCHAR"',
        '"TEXT"',
        '31: [step.player_game] columns.player: is "TEXT", wanted one of BOOLEAN, SMALLINT, INTEGER, BIGINT, DOUBLE, DECIMAL(p, s), VARCHAR, DATE, TIMESTAMP',
    ),
    "write word": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nwrite = "append"\n\n',
        '23: [step.team_game] write: is "append", wanted "replace" or "merge"',
    ),
    "merge version": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nwrite = "merge"\n\n',
        '14: [step.team_game] version: is missing: a merge needs the column that says which row is newer; write version = "COLUMN", or write = "replace"',
    ),
    "external version": (
        "external = true\n",
        'external = true\ntable = "nba_raw.gamebook"\nkey = ["game_date"]\npartition = "game_date"\n',
        '10: [step.gamebook] version: is missing: a merge needs the column that says which row is newer (write = "merge" is the default of external steps); write version = "COLUMN", or write = "replace"',
    ),
    "version key": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nversion = "team_abbr"\n\n',
        '23: [step.team_game] version: "team_abbr" is part of the key; use a column that is not',
    ),
    "tombstone replace": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\ntombstone = "gone"\n\n',
        "23: [step.team_game] tombstone: does nothing here: a replacement needs no marks of deletion; remove it",
    ),
    "tombstone version": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nwrite = "merge"\nversion = "v"\ntombstone = "v"\n\n',
        '25: [step.team_game] tombstone: "v" is the version too; use two columns',
    ),
    "replaces replace": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nreplaces = ["game_id"]\n\n',
        "23: [step.team_game] replaces: does nothing here: a replacement replaces the whole date; remove it",
    ),
    "replaces the key": (
        'minutes = "INTEGER" }',
        'minutes = "INTEGER" }\nwrite = "merge"\nversion = "minutes"\nreplaces = ["player"]',
        "34: [step.player_game] replaces: holds the whole key, so a group is one row; name what a delivery has whole",
    ),
    "replaces unknown": (
        'minutes = "INTEGER" }',
        'minutes = "INTEGER" }\nwrite = "merge"\nversion = "minutes"\nreplaces = ["playr"]',
        '34: [step.player_game] replaces: "playr" is not in columns; did you mean "player"? known: game_date, minutes, player',
    ),
    "determines form": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\ndetermines = ["game_id"]\n\n',
        '23: [step.team_game] determines: holds "game_id", wanted a list such as ["game_id -> game_date"]',
    ),
    "determines itself": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\ndetermines = ["a, b -> a"]\n\n',
        '23: [step.team_game] determines: "a, b -> a" holds always; name another column after ->',
    ),
    "determines unknown": (
        'minutes = "INTEGER" }',
        'minutes = "INTEGER" }\ndetermines = ["player -> minute"]',
        '32: [step.player_game] determines: "minute" is not in columns; did you mean "minutes"? known: game_date, minutes, player',
    ),
    "determines without table": (
        "external = true\n",
        'external = true\ndetermines = ["a -> b"]\n',
        '13: [step.gamebook] determines: does nothing without a table; add table = "schema.table", or remove it',
    ),
    "sums form": (
        'minutes = "INTEGER" }',
        'minutes = "INTEGER" }\nsums = ["minutes = team_game.minutes"]',
        '32: [step.player_game] sums: holds "minutes = team_game.minutes", wanted a list such as ["points by game_id, team = team_game.points"]',
    ),
    "sums of a step that is not needed": (
        'minutes = "INTEGER" }',
        'minutes = "INTEGER" }\nsums = ["minutes by player = team_gam.minutes"]',
        '32: [step.player_game] sums: "team_gam" is no step that this one needs; name a step with a table, and add it to needs of "player_game"',
    ),
    "shrink merge": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nwrite = "merge"\nversion = "v"\nshrink_max = 0.5\n\n',
        "25: [step.team_game] shrink_max: does nothing here: a merge does not replace rows; remove it",
    ),
    "volatile key": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nvolatile = ["team_abbr"]\n\n',
        '23: [step.team_game] volatile: "team_abbr" is part of the key; use a column that is not',
    ),
    "identity is the key": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nidentity = ["team_abbr"]\n\n',
        "23: [step.team_game] identity: holds the whole key, so it finds nothing; name what tells two things apart",
    ),
    "identity without table": (
        "external = true\n",
        'external = true\nidentity = ["team"]\n',
        '13: [step.gamebook] identity: does nothing without a table; add table = "schema.table", or remove it',
    ),
    "key without table": (
        "external = true\n",
        'external = true\nkey = ["game_date"]\n',
        '13: [step.gamebook] key: does nothing without a table; add table = "schema.table", or remove it',
    ),
    "scale integer": (
        '"INTEGER" }\n',
        '"INTEGER" }\nscales = { minutes = 2 }\n',
        "32: [step.player_game] scales.minutes: does nothing: the column is INTEGER, and only DOUBLE is rounded; remove it",
    ),
    "scale high": (
        'partition = "game_date"\n\n',
        'partition = "game_date"\nscales = { pace = 99 }\n\n',
        "23: [step.team_game] scales.pace: is 99, wanted a whole number from 0 to 14",
    ),
    "columns list": (
        "columns = {",
        "columns = [] #{",
        '31: [step.player_game] columns: is a list, wanted a table such as { game_date = "DATE", points = "INTEGER" }',
    ),
    "partition type": (
        'game_date = "DATE"',
        'game_date = "INTEGER"',
        '30: [step.player_game] partition: holds the run\'s date, and "game_date" is INTEGER, wanted DATE or VARCHAR',
    ),
    "version type": (
        'minutes = "INTEGER" }',
        'minutes = "VARCHAR" }\nversion = "minutes"',
        '32: [step.player_game] version: orders rows, and "minutes" is VARCHAR, wanted SMALLINT or INTEGER or BIGINT or DOUBLE or DATE or TIMESTAMP',
    ),
    "tombstone type": (
        'minutes = "INTEGER" }',
        'minutes = "INTEGER", gone = "INTEGER" }\nwrite = "merge"\nversion = "minutes"\ntombstone = "gone"',
        '34: [step.player_game] tombstone: marks rows, and "gone" is INTEGER, wanted BOOLEAN',
    ),
    "version undeclared": (
        '"INTEGER" }\n',
        '"INTEGER" }\nversion = "updated"\n',
        '32: [step.player_game] version: "updated" is not in columns; known: game_date, minutes, player',
    ),
    "no phases": (
        '[phase.raw]\n\n[phase.analytics]\nafter = "raw"\nmodes.overnight = { expect = "*", critical = ["player_game"] }\n',
        "",
        "1: phase: is missing, wanted at least one table [phase.NAME]",
    ),
}


@pytest.mark.parametrize(("old", "new", "error"), BAD.values(), ids=BAD)
def test_a_bad_plan_is_refused_in_one_line_with_the_place_and_the_mend(old: str, new: str, error: str) -> None:
    assert refusal(PLAN, old, new, files=FILES) == f"plan.toml:{error}"


def test_the_plan_that_the_bad_ones_are_made_of_is_good() -> None:
    assert list(load_plan(PLAN, files=FILES.__getitem__).steps) == ["gamebook", "team_game", "player_game"]


def test_an_empty_plan_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^other.toml:1: pipeline: is missing, wanted a name in quotes$"):
        load_plan("", name="other.toml")


def test_a_plan_beyond_the_bounds_is_refused() -> None:
    top = 'pipeline = "a"\ntimezone = "UTC"\n[phase.p]\n'
    steps = "".join(f'[step.s{i}]\nphase = "p"\nexternal = true\n' for i in range(501))
    with pytest.raises(
        BadInput, match=r"^plan.toml:4: step: 501 of them, at most 500 are allowed; split the pipeline$"
    ):
        load_plan(top + steps)
    with pytest.raises(BadInput, match=r"^plan.toml:1: 1000001 characters, at most 1000000 are read"):
        load_plan("#" * 1_000_001)


def test_a_chain_of_as_many_steps_as_allowed_is_put_in_order() -> None:
    top = 'pipeline = "a"\ntimezone = "UTC"\n[phase.p]\n[step.s0]\nphase = "p"\nexternal = true\n'
    chain = [f'[step.s{i}]\nphase = "p"\nexternal = true\nneeds = ["s{i - 1}"]\n' for i in range(1, 500)]
    assert list(load_plan(top + "".join(reversed(chain))).steps) == [f"s{i}" for i in range(500)]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "it is not UTF-8 text"),
    ],
)
def test_an_sql_file_that_cannot_be_read_is_named(error: Exception, why: str) -> None:
    def files(_name: str) -> str:
        raise error

    expected = (
        f'plan.toml:19: [step.team_game] sql: "sql/team_game.sql" cannot be read ({why}); check the name and the folder'
    )
    with pytest.raises(BadInput) as refused:
        load_plan(PLAN, files=files)
    assert str(refused.value) == expected


def test_a_plan_with_sql_and_no_folder_says_so() -> None:
    with pytest.raises(BadInput, match="there is no folder to read"):
        load_plan(PLAN)
