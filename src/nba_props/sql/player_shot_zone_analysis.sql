-- How each expected player of the date scored in his last games, by kind of shot. Key (analysis_date, player_lookup).
-- One row for every row of upcoming_player_game_context on analysis_date. Reads strictly before it player_game_summary
-- and nbac_shot_chart.
--
-- Windows: his last 10 and last 20 games of the season of analysis_date, for whichever team;
-- games_last_10 and games_last_20 are the numbers of games found. A player is his player_id.
-- Sums over the window: makes and attempts of twos (field goals less threes), threes and free throws.
--   two_pt_pct ...     = makes / attempts
--   *_share_of_points  = 2 x twos made, 3 x threes made, free throws made, each / points; together 1
--
-- Zones, from his shots in nbac_shot_chart, stats.nba.com's SHOT_ZONE_BASIC:
--   paint 'Restricted Area' and 'In The Paint (Non-RA)'; mid_range 'Mid-Range'; corner_three 'Left Corner 3' and
--   'Right Corner 3'; above_break_three 'Above the Break 3'. Shots from the 'Backcourt' are in none.
-- A game counts as recorded when the chart has any shot of his team in it. zone_reason_last_*:
--   no shots recorded     of no game: the zone columns are NULL
--   partial: n of m games the zone columns are of the n recorded games of the window's m
--   ok                    of every game
-- NULL where a denominator is 0. Rounded when written: ratios to 4 decimals. All sums are exact.
WITH today AS (
    SELECT player_lookup, player_id, player_name, team_abbr, season
    FROM nba_analytics.upcoming_player_game_context
    WHERE game_date = CAST($run_date AS DATE)
),
past AS (
    SELECT
        past.player_id, past.team_abbr, past.game_id, past.game_date, past.points, past.three_pt_makes,
        past.three_pt_attempts, past.ft_makes, past.ft_attempts,
        past.fg_makes - past.three_pt_makes AS two_makes,
        past.fg_attempts - past.three_pt_attempts AS two_attempts,
        row_number() OVER (PARTITION BY past.player_id ORDER BY past.game_date DESC, past.game_id DESC) AS games_ago
    FROM nba_analytics.player_game_summary AS past
    JOIN today ON past.player_id = today.player_id AND past.season = today.season
    WHERE past.game_date >= CAST($season_start AS DATE) AND past.game_date < CAST($run_date AS DATE)
),
recent AS (
    -- Each game once for each window that contains it.
    SELECT 10 AS span, past.* FROM past WHERE games_ago <= 10
    UNION ALL
    SELECT 20 AS span, past.* FROM past WHERE games_ago <= 20
),
sums AS (
    SELECT
        player_id, span,
        count(*) AS games,
        sum(points) AS points,
        sum(two_makes) AS two_makes,
        sum(two_attempts) AS two_attempts,
        sum(three_pt_makes) AS three_makes,
        sum(three_pt_attempts) AS three_attempts,
        sum(ft_makes) AS ft_makes,
        sum(ft_attempts) AS ft_attempts
    FROM recent
    GROUP BY player_id, span
),
chart AS (
    SELECT game_date, game_id, player_id, team_abbr, zone, made
    FROM nba_raw.nbac_shot_chart
    WHERE game_date >= CAST($season_start AS DATE) AND game_date < CAST($run_date AS DATE)
),
zones AS (
    -- At least one line for each recorded game: it counts as recorded for a player without a shot in it too.
    SELECT
        recent.player_id, recent.span,
        count(DISTINCT recent.game_id) AS recorded,
        count(CASE WHEN zone IN ('Restricted Area', 'In The Paint (Non-RA)') THEN 1 END) AS paint,
        count(CASE WHEN zone IN ('Restricted Area', 'In The Paint (Non-RA)') AND made THEN 1 END) AS paint_made,
        count(CASE WHEN zone = 'Mid-Range' THEN 1 END) AS mid,
        count(CASE WHEN zone = 'Mid-Range' AND made THEN 1 END) AS mid_made,
        count(CASE WHEN zone IN ('Left Corner 3', 'Right Corner 3') THEN 1 END) AS corner,
        count(CASE WHEN zone IN ('Left Corner 3', 'Right Corner 3') AND made THEN 1 END) AS corner_made,
        count(CASE WHEN zone = 'Above the Break 3' THEN 1 END) AS above,
        count(CASE WHEN zone = 'Above the Break 3' AND made THEN 1 END) AS above_made
    FROM recent
    JOIN (SELECT DISTINCT game_date, game_id, team_abbr FROM chart) AS recorded
        ON recorded.game_date = recent.game_date AND recorded.game_id = recent.game_id
        AND recorded.team_abbr = recent.team_abbr
    LEFT JOIN chart
        ON chart.game_date = recent.game_date AND chart.game_id = recent.game_id
        AND chart.player_id = recent.player_id
    GROUP BY recent.player_id, recent.span
),
profiles AS (
    SELECT
        sums.player_id, sums.span, games,
        two_attempts,
        two_makes,
        two_makes / nullif(CAST(two_attempts AS DOUBLE), 0) AS two_pct,
        2 * two_makes / nullif(CAST(points AS DOUBLE), 0) AS two_share,
        three_attempts,
        three_makes,
        three_makes / nullif(CAST(three_attempts AS DOUBLE), 0) AS three_pct,
        3 * three_makes / nullif(CAST(points AS DOUBLE), 0) AS three_share,
        ft_attempts,
        ft_makes,
        ft_makes / nullif(CAST(ft_attempts AS DOUBLE), 0) AS ft_pct,
        ft_makes / nullif(CAST(points AS DOUBLE), 0) AS ft_share,
        paint,
        paint_made,
        paint_made / nullif(CAST(paint AS DOUBLE), 0) AS paint_pct,
        mid,
        mid_made,
        mid_made / nullif(CAST(mid AS DOUBLE), 0) AS mid_pct,
        corner,
        corner_made,
        corner_made / nullif(CAST(corner AS DOUBLE), 0) AS corner_pct,
        above,
        above_made,
        above_made / nullif(CAST(above AS DOUBLE), 0) AS above_pct,
        CASE
            WHEN recorded IS NULL THEN 'no shots recorded'
            WHEN recorded < games
                THEN 'partial: ' || CAST(recorded AS VARCHAR) || ' of ' || CAST(games AS VARCHAR) || ' games'
            ELSE 'ok'
        END AS zone_reason
    FROM sums
    LEFT JOIN zones ON zones.player_id = sums.player_id AND zones.span = sums.span
)
SELECT
    CAST($run_date AS DATE) AS analysis_date,
    CAST(today.player_lookup AS VARCHAR) AS player_lookup,
    CAST(today.player_id AS BIGINT) AS player_id,
    CAST(today.player_name AS VARCHAR) AS player_name,
    CAST(today.team_abbr AS VARCHAR) AS team_abbr,
    CAST(today.season AS VARCHAR) AS season,
    CAST(coalesce(ten.games, 0) AS INTEGER) AS games_last_10,
    CAST(ten.two_attempts AS INTEGER) AS two_pt_attempts_last_10,
    CAST(ten.two_makes AS INTEGER) AS two_pt_makes_last_10,
    CAST(ten.two_pct AS DOUBLE) AS two_pt_pct_last_10,
    CAST(ten.two_share AS DOUBLE) AS two_pt_share_of_points_last_10,
    CAST(ten.three_attempts AS INTEGER) AS three_pt_attempts_last_10,
    CAST(ten.three_makes AS INTEGER) AS three_pt_makes_last_10,
    CAST(ten.three_pct AS DOUBLE) AS three_pt_pct_last_10,
    CAST(ten.three_share AS DOUBLE) AS three_pt_share_of_points_last_10,
    CAST(ten.ft_attempts AS INTEGER) AS ft_attempts_last_10,
    CAST(ten.ft_makes AS INTEGER) AS ft_makes_last_10,
    CAST(ten.ft_pct AS DOUBLE) AS ft_pct_last_10,
    CAST(ten.ft_share AS DOUBLE) AS ft_share_of_points_last_10,
    CAST(ten.paint AS INTEGER) AS paint_attempts_last_10,
    CAST(ten.paint_made AS INTEGER) AS paint_makes_last_10,
    CAST(ten.paint_pct AS DOUBLE) AS paint_pct_last_10,
    CAST(ten.mid AS INTEGER) AS mid_range_attempts_last_10,
    CAST(ten.mid_made AS INTEGER) AS mid_range_makes_last_10,
    CAST(ten.mid_pct AS DOUBLE) AS mid_range_pct_last_10,
    CAST(ten.corner AS INTEGER) AS corner_three_attempts_last_10,
    CAST(ten.corner_made AS INTEGER) AS corner_three_makes_last_10,
    CAST(ten.corner_pct AS DOUBLE) AS corner_three_pct_last_10,
    CAST(ten.above AS INTEGER) AS above_break_three_attempts_last_10,
    CAST(ten.above_made AS INTEGER) AS above_break_three_makes_last_10,
    CAST(ten.above_pct AS DOUBLE) AS above_break_three_pct_last_10,
    CAST(coalesce(ten.zone_reason, 'no shots recorded') AS VARCHAR) AS zone_reason_last_10,
    CAST(coalesce(twenty.games, 0) AS INTEGER) AS games_last_20,
    CAST(twenty.two_attempts AS INTEGER) AS two_pt_attempts_last_20,
    CAST(twenty.two_makes AS INTEGER) AS two_pt_makes_last_20,
    CAST(twenty.two_pct AS DOUBLE) AS two_pt_pct_last_20,
    CAST(twenty.two_share AS DOUBLE) AS two_pt_share_of_points_last_20,
    CAST(twenty.three_attempts AS INTEGER) AS three_pt_attempts_last_20,
    CAST(twenty.three_makes AS INTEGER) AS three_pt_makes_last_20,
    CAST(twenty.three_pct AS DOUBLE) AS three_pt_pct_last_20,
    CAST(twenty.three_share AS DOUBLE) AS three_pt_share_of_points_last_20,
    CAST(twenty.ft_attempts AS INTEGER) AS ft_attempts_last_20,
    CAST(twenty.ft_makes AS INTEGER) AS ft_makes_last_20,
    CAST(twenty.ft_pct AS DOUBLE) AS ft_pct_last_20,
    CAST(twenty.ft_share AS DOUBLE) AS ft_share_of_points_last_20,
    CAST(twenty.paint AS INTEGER) AS paint_attempts_last_20,
    CAST(twenty.paint_made AS INTEGER) AS paint_makes_last_20,
    CAST(twenty.paint_pct AS DOUBLE) AS paint_pct_last_20,
    CAST(twenty.mid AS INTEGER) AS mid_range_attempts_last_20,
    CAST(twenty.mid_made AS INTEGER) AS mid_range_makes_last_20,
    CAST(twenty.mid_pct AS DOUBLE) AS mid_range_pct_last_20,
    CAST(twenty.corner AS INTEGER) AS corner_three_attempts_last_20,
    CAST(twenty.corner_made AS INTEGER) AS corner_three_makes_last_20,
    CAST(twenty.corner_pct AS DOUBLE) AS corner_three_pct_last_20,
    CAST(twenty.above AS INTEGER) AS above_break_three_attempts_last_20,
    CAST(twenty.above_made AS INTEGER) AS above_break_three_makes_last_20,
    CAST(twenty.above_pct AS DOUBLE) AS above_break_three_pct_last_20,
    CAST(coalesce(twenty.zone_reason, 'no shots recorded') AS VARCHAR) AS zone_reason_last_20
FROM today
LEFT JOIN profiles AS ten ON ten.player_id = today.player_id AND ten.span = 10
LEFT JOIN profiles AS twenty ON twenty.player_id = today.player_id AND twenty.span = 20
