-- The past of each expected player of the date before his game. Key (cache_date, player_lookup).
-- One row for every row of upcoming_player_game_context on cache_date; numbers from player_game_summary strictly before
-- it. The date's own games are not read, not even their players: no look-ahead.
--
-- Windows: his last 5 and last 10 games and all of the season so far, of the season of cache_date, for whichever team.
-- A player is his player_id, over teams and spellings.
-- A game is a row of player_game_summary; one with 0 minutes (seconds played) counts, as in the league's GP.
--
-- Averages per game; NULL without games. usage_rate is the mean over the games that have one (short stints do not);
-- games_with_usage_last_10 of the last 10 have.
-- ts_pct is of the window's sums, PTS / (2 (FGA + 0.44 FTA)), as Basketball-Reference gives it over many games.
-- Rounded when written: averages to 3 decimals, ts_pct to 4. Sums are of whole numbers or decimals, so the order
-- in which the rows are read changes nothing.
WITH today AS (
    SELECT game_date, player_lookup, player_id, player_name, team_abbr, opponent_team_abbr, season
    FROM nba_analytics.upcoming_player_game_context
    WHERE game_date = CAST($run_date AS DATE)
),
history AS (
    SELECT
        past.player_id, past.minutes_played, past.points, past.assists, past.steals, past.blocks, past.turnovers,
        past.three_pt_makes,
        past.offensive_rebounds + past.defensive_rebounds AS rebounds,
        CAST(past.usage_rate AS DECIMAL(12, 3)) AS usage_decimal,
        100 * past.fg_attempts + 44 * past.ft_attempts AS chances_x100,
        row_number() OVER (
            PARTITION BY past.player_id ORDER BY past.game_date DESC, past.game_id DESC
        ) AS games_ago
    FROM nba_analytics.player_game_summary AS past
    JOIN today ON past.player_id = today.player_id AND past.season = today.season
    WHERE past.game_date >= CAST($season_start AS DATE) AND past.game_date < CAST($run_date AS DATE)
),
form AS (
    SELECT
        player_id,
        count(CASE WHEN games_ago <= 5 THEN 1 END) AS games_5,
        count(CASE WHEN games_ago <= 10 THEN 1 END) AS games_10,
        count(*) AS games,
        avg(CASE WHEN games_ago <= 5 THEN minutes_played END) AS minutes_5,
        avg(CASE WHEN games_ago <= 5 THEN points END) AS points_5,
        avg(CASE WHEN games_ago <= 5 THEN assists END) AS assists_5,
        avg(CASE WHEN games_ago <= 5 THEN rebounds END) AS rebounds_5,
        avg(CASE WHEN games_ago <= 5 THEN steals END) AS steals_5,
        avg(CASE WHEN games_ago <= 5 THEN blocks END) AS blocks_5,
        avg(CASE WHEN games_ago <= 5 THEN turnovers END) AS turnovers_5,
        avg(CASE WHEN games_ago <= 5 THEN three_pt_makes END) AS three_pt_makes_5,
        avg(CASE WHEN games_ago <= 5 THEN usage_decimal END) AS usage_5,
        50 * sum(CASE WHEN games_ago <= 5 THEN points END)
            / nullif(sum(CASE WHEN games_ago <= 5 THEN chances_x100 END), 0) AS ts_5,
        avg(CASE WHEN games_ago <= 10 THEN minutes_played END) AS minutes_10,
        avg(CASE WHEN games_ago <= 10 THEN points END) AS points_10,
        avg(CASE WHEN games_ago <= 10 THEN assists END) AS assists_10,
        avg(CASE WHEN games_ago <= 10 THEN rebounds END) AS rebounds_10,
        avg(CASE WHEN games_ago <= 10 THEN steals END) AS steals_10,
        avg(CASE WHEN games_ago <= 10 THEN blocks END) AS blocks_10,
        avg(CASE WHEN games_ago <= 10 THEN turnovers END) AS turnovers_10,
        avg(CASE WHEN games_ago <= 10 THEN three_pt_makes END) AS three_pt_makes_10,
        avg(CASE WHEN games_ago <= 10 THEN usage_decimal END) AS usage_10,
        count(CASE WHEN games_ago <= 10 THEN usage_decimal END) AS usage_games_10,
        50 * sum(CASE WHEN games_ago <= 10 THEN points END)
            / nullif(sum(CASE WHEN games_ago <= 10 THEN chances_x100 END), 0) AS ts_10,
        avg(minutes_played) AS minutes_season,
        avg(points) AS points_season,
        avg(assists) AS assists_season,
        avg(rebounds) AS rebounds_season,
        avg(steals) AS steals_season,
        avg(blocks) AS blocks_season,
        avg(turnovers) AS turnovers_season,
        avg(three_pt_makes) AS three_pt_makes_season,
        avg(usage_decimal) AS usage_season,
        50 * sum(points) / nullif(sum(chances_x100), 0) AS ts_season
    FROM history
    GROUP BY player_id
)
SELECT
    CAST(today.game_date AS DATE) AS cache_date,
    CAST(today.player_lookup AS VARCHAR) AS player_lookup,
    CAST(today.player_id AS BIGINT) AS player_id,
    CAST(today.player_name AS VARCHAR) AS player_name,
    CAST(today.team_abbr AS VARCHAR) AS team_abbr,
    CAST(today.opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(today.season AS VARCHAR) AS season,
    CAST(coalesce(games_5, 0) AS INTEGER) AS games_played_last_5,
    CAST(coalesce(games_10, 0) AS INTEGER) AS games_played_last_10,
    CAST(coalesce(games, 0) AS INTEGER) AS games_played_season,
    CAST(coalesce(usage_games_10, 0) AS INTEGER) AS games_with_usage_last_10,
    CAST(minutes_5 AS DOUBLE) AS minutes_avg_last_5,
    CAST(points_5 AS DOUBLE) AS points_avg_last_5,
    CAST(assists_5 AS DOUBLE) AS assists_avg_last_5,
    CAST(rebounds_5 AS DOUBLE) AS rebounds_avg_last_5,
    CAST(steals_5 AS DOUBLE) AS steals_avg_last_5,
    CAST(blocks_5 AS DOUBLE) AS blocks_avg_last_5,
    CAST(turnovers_5 AS DOUBLE) AS turnovers_avg_last_5,
    CAST(three_pt_makes_5 AS DOUBLE) AS three_pt_makes_avg_last_5,
    CAST(usage_5 AS DOUBLE) AS usage_rate_avg_last_5,
    CAST(ts_5 AS DOUBLE) AS ts_pct_last_5,
    CAST(minutes_10 AS DOUBLE) AS minutes_avg_last_10,
    CAST(points_10 AS DOUBLE) AS points_avg_last_10,
    CAST(assists_10 AS DOUBLE) AS assists_avg_last_10,
    CAST(rebounds_10 AS DOUBLE) AS rebounds_avg_last_10,
    CAST(steals_10 AS DOUBLE) AS steals_avg_last_10,
    CAST(blocks_10 AS DOUBLE) AS blocks_avg_last_10,
    CAST(turnovers_10 AS DOUBLE) AS turnovers_avg_last_10,
    CAST(three_pt_makes_10 AS DOUBLE) AS three_pt_makes_avg_last_10,
    CAST(usage_10 AS DOUBLE) AS usage_rate_avg_last_10,
    CAST(ts_10 AS DOUBLE) AS ts_pct_last_10,
    CAST(minutes_season AS DOUBLE) AS minutes_avg_season,
    CAST(points_season AS DOUBLE) AS points_avg_season,
    CAST(assists_season AS DOUBLE) AS assists_avg_season,
    CAST(rebounds_season AS DOUBLE) AS rebounds_avg_season,
    CAST(steals_season AS DOUBLE) AS steals_avg_season,
    CAST(blocks_season AS DOUBLE) AS blocks_avg_season,
    CAST(turnovers_season AS DOUBLE) AS turnovers_avg_season,
    CAST(three_pt_makes_season AS DOUBLE) AS three_pt_makes_avg_season,
    CAST(usage_season AS DOUBLE) AS usage_rate_avg_season,
    CAST(ts_season AS DOUBLE) AS ts_pct_season
FROM today
LEFT JOIN form ON form.player_id = today.player_id
