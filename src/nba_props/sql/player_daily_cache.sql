-- What is known of each player of the date before his game. Key (cache_date, player_lookup).
-- One row for every player with a row in player_game_summary on cache_date. Reads player_game_summary only.
--
-- Windows: his last 5 and last 10 games and all of the season so far, strictly before cache_date, of the season
-- of cache_date. The row on cache_date gives who he is and his season, never a number: no look-ahead.
-- A game is a row of player_game_summary; one with 0 minutes (seconds played) counts, as in the league's GP.
--
-- Averages per game; NULL without games. usage_rate is the mean over the games that have one (short stints do not).
-- ts_pct is of the window's sums, PTS / (2 (FGA + 0.44 FTA)), as Basketball-Reference gives it over many games.
-- Rounded when written: averages to 3 decimals, ts_pct to 4. Sums are of whole numbers or decimals, so the order
-- in which the rows are read changes nothing.
WITH today AS (
    SELECT game_date, player_lookup, player_id, player_name, team_abbr, opponent_team_abbr, season
    FROM nba_analytics.player_game_summary
    WHERE game_date = CAST($run_date AS DATE)
),
history AS (
    -- By id too: two players who share a lookup on different dates are two players.
    SELECT
        past.*,
        past.offensive_rebounds + past.defensive_rebounds AS rebounds,
        CAST(past.usage_rate AS DECIMAL(12, 3)) AS usage_decimal,
        100 * past.fg_attempts + 44 * past.ft_attempts AS chances_x100,
        row_number() OVER (
            PARTITION BY past.player_lookup, past.player_id ORDER BY past.game_date DESC, past.game_id DESC
        ) AS games_ago
    FROM nba_analytics.player_game_summary AS past
    JOIN today
        ON past.player_lookup = today.player_lookup AND past.player_id = today.player_id
        AND past.season = today.season
    WHERE past.game_date < CAST($run_date AS DATE)
)
SELECT
    CAST(today.game_date AS DATE) AS cache_date,
    CAST(today.player_lookup AS VARCHAR) AS player_lookup,
    CAST(today.player_id AS BIGINT) AS player_id,
    CAST(today.player_name AS VARCHAR) AS player_name,
    CAST(today.team_abbr AS VARCHAR) AS team_abbr,
    CAST(today.opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(today.season AS VARCHAR) AS season,
    CAST(count(games_ago) FILTER (WHERE games_ago <= 5) AS INTEGER) AS games_played_last_5,
    CAST(count(games_ago) FILTER (WHERE games_ago <= 10) AS INTEGER) AS games_played_last_10,
    CAST(count(games_ago) AS INTEGER) AS games_played_season,
    CAST(round(avg(minutes_played) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS minutes_avg_last_5,
    CAST(round(avg(points) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS points_avg_last_5,
    CAST(round(avg(assists) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS assists_avg_last_5,
    CAST(round(avg(rebounds) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS rebounds_avg_last_5,
    CAST(round(avg(steals) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS steals_avg_last_5,
    CAST(round(avg(blocks) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS blocks_avg_last_5,
    CAST(round(avg(turnovers) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS turnovers_avg_last_5,
    CAST(round(avg(three_pt_makes) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS three_pt_makes_avg_last_5,
    CAST(round(avg(usage_decimal) FILTER (WHERE games_ago <= 5), 3) AS DOUBLE) AS usage_rate_avg_last_5,
    CAST(
        round(
            50 * sum(points) FILTER (WHERE games_ago <= 5)
            / nullif(sum(chances_x100) FILTER (WHERE games_ago <= 5), 0), 4
        ) AS DOUBLE
    ) AS ts_pct_last_5,
    CAST(round(avg(minutes_played) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS minutes_avg_last_10,
    CAST(round(avg(points) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS points_avg_last_10,
    CAST(round(avg(assists) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS assists_avg_last_10,
    CAST(round(avg(rebounds) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS rebounds_avg_last_10,
    CAST(round(avg(steals) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS steals_avg_last_10,
    CAST(round(avg(blocks) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS blocks_avg_last_10,
    CAST(round(avg(turnovers) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS turnovers_avg_last_10,
    CAST(round(avg(three_pt_makes) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS three_pt_makes_avg_last_10,
    CAST(round(avg(usage_decimal) FILTER (WHERE games_ago <= 10), 3) AS DOUBLE) AS usage_rate_avg_last_10,
    CAST(
        round(
            50 * sum(points) FILTER (WHERE games_ago <= 10)
            / nullif(sum(chances_x100) FILTER (WHERE games_ago <= 10), 0), 4
        ) AS DOUBLE
    ) AS ts_pct_last_10,
    CAST(round(avg(minutes_played), 3) AS DOUBLE) AS minutes_avg_season,
    CAST(round(avg(points), 3) AS DOUBLE) AS points_avg_season,
    CAST(round(avg(assists), 3) AS DOUBLE) AS assists_avg_season,
    CAST(round(avg(rebounds), 3) AS DOUBLE) AS rebounds_avg_season,
    CAST(round(avg(steals), 3) AS DOUBLE) AS steals_avg_season,
    CAST(round(avg(blocks), 3) AS DOUBLE) AS blocks_avg_season,
    CAST(round(avg(turnovers), 3) AS DOUBLE) AS turnovers_avg_season,
    CAST(round(avg(three_pt_makes), 3) AS DOUBLE) AS three_pt_makes_avg_season,
    CAST(round(avg(usage_decimal), 3) AS DOUBLE) AS usage_rate_avg_season,
    CAST(round(50 * sum(points) / nullif(sum(chances_x100), 0), 4) AS DOUBLE) AS ts_pct_season
FROM today
LEFT JOIN history ON history.player_lookup = today.player_lookup AND history.player_id = today.player_id
GROUP BY
    today.game_date, today.player_lookup, today.player_id, today.player_name, today.team_abbr,
    today.opponent_team_abbr, today.season
