-- One player's game of the date, with his share of the team's chances. Key (game_date, player_lookup).
-- Reads the raw rows, and team_offense_game_summary for the team totals: it must be built before.
-- Two players who share a lookup on the date have no row: the key would store only one of them.
--
-- Formulas: Dean Oliver, "Basketball on Paper" (2004), in the form of the Basketball-Reference glossary.
--   usage% = 100 (FGA + 0.44 FTA + TOV) (team minutes / 5) / (MIN (tFGA + 0.44 tFTA + tTOV))
--   TS%    = PTS / (2 (FGA + 0.44 FTA))
--   eFG%   = (FGM + 0.5 3PM) / FGA
-- NULL where a denominator is 0. Rounded when written: usage% to 3 decimals, ratios to 4.
--
-- usage_quality: minutes are whole numbers in this source, so a short stint may seem to use more than all.
--   short_stint     under 3 minutes: usage_rate is NULL
--   no_team_totals  the team has no row in team_offense_game_summary, or its chances are 0: usage_rate is NULL
--   over_100        beyond that still over 100: the value is stored, and it is a finding
--   ok              otherwise
WITH namesakes AS (
    SELECT player_lookup
    FROM nba_raw.nbac_gamebook_player_stats
    WHERE game_date = CAST($run_date AS DATE)
    GROUP BY player_lookup
    HAVING count(DISTINCT player_id) > 1
),
joined AS (
    SELECT
        raw.*,
        raw.field_goals_attempted + CAST(0.44 AS DOUBLE) * raw.free_throws_attempted AS shooting_chances,
        team.minutes_played AS team_minutes,
        team.fg_attempts + CAST(0.44 AS DOUBLE) * team.ft_attempts + team.turnovers AS team_chances
    FROM nba_raw.nbac_gamebook_player_stats AS raw
    LEFT JOIN nba_analytics.team_offense_game_summary AS team
        ON team.game_date = raw.game_date AND team.game_id = raw.game_id AND team.team_abbr = raw.team_abbr
    WHERE raw.game_date = CAST($run_date AS DATE)
        AND raw.player_lookup NOT IN (SELECT player_lookup FROM namesakes)
),
derived AS (
    SELECT
        *,
        CASE WHEN minutes >= 3 THEN
            100 * (shooting_chances + turnovers) * team_minutes / (5 * minutes * nullif(team_chances, 0))
        END AS usage
    FROM joined
)
SELECT
    CAST(game_date AS DATE) AS game_date,
    CAST(player_lookup AS VARCHAR) AS player_lookup,
    CAST(game_id AS VARCHAR) AS game_id,
    CAST(player_id AS BIGINT) AS player_id,
    CAST(player_name AS VARCHAR) AS player_name,
    CAST(team_abbr AS VARCHAR) AS team_abbr,
    CAST(opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(season AS VARCHAR) AS season,
    CAST(win_flag AS BOOLEAN) AS win_flag,
    CAST(minutes AS INTEGER) AS minutes_played,
    CAST(points AS INTEGER) AS points,
    CAST(assists AS INTEGER) AS assists,
    CAST(offensive_rebounds AS INTEGER) AS offensive_rebounds,
    CAST(defensive_rebounds AS INTEGER) AS defensive_rebounds,
    CAST(steals AS INTEGER) AS steals,
    CAST(blocks AS INTEGER) AS blocks,
    CAST(turnovers AS INTEGER) AS turnovers,
    CAST(personal_fouls AS INTEGER) AS personal_fouls,
    CAST(plus_minus AS INTEGER) AS plus_minus,
    CAST(field_goals_made AS INTEGER) AS fg_makes,
    CAST(field_goals_attempted AS INTEGER) AS fg_attempts,
    CAST(three_pointers_made AS INTEGER) AS three_pt_makes,
    CAST(three_pointers_attempted AS INTEGER) AS three_pt_attempts,
    CAST(free_throws_made AS INTEGER) AS ft_makes,
    CAST(free_throws_attempted AS INTEGER) AS ft_attempts,
    CAST(usage AS DOUBLE) AS usage_rate,
    CAST(
        CASE
            WHEN minutes < 3 THEN 'short_stint'
            WHEN usage IS NULL THEN 'no_team_totals'
            WHEN usage > 100 THEN 'over_100'
            ELSE 'ok'
        END AS VARCHAR
    ) AS usage_quality,
    CAST(points / nullif(2 * shooting_chances, 0) AS DOUBLE) AS ts_pct,
    CAST(
        (2 * field_goals_made + three_pointers_made) / nullif(CAST(2 * field_goals_attempted AS DOUBLE), 0) AS DOUBLE
    ) AS efg_pct
FROM derived
