-- What each team of the date allowed in its last games, by kind of shot. Key (analysis_date, team_abbr).
-- One row for every row of upcoming_team_game_context on analysis_date. Reads strictly before it
-- team_defense_game_summary and nbac_shot_chart.
--
-- Window: the team's last 15 games of the season of analysis_date; games_in_window of them.
-- opp_* are sums over the window: makes and attempts of twos (field goals less threes), threes and free throws.
--   defensive_rating     = 100 points allowed / opponent possessions, of sums (Oliver; see team_defense_game_summary)
--   opp_two_pt_pct ...   = makes / attempts
--   opp_ft_attempt_rate  = FTA / FGA, Basketball-Reference's FTr: how often the team sends shooters to the line
--   *_share_of_points    = 2 x twos made, 3 x threes made, free throws made, each / points allowed
-- league_* are the same over all games of all teams of the season before the date: what to compare with.
--
-- Zones, from the shots of the window's opponents in nbac_shot_chart, stats.nba.com's SHOT_ZONE_BASIC:
--   paint 'Restricted Area' and 'In The Paint (Non-RA)'; mid_range 'Mid-Range'; corner_three 'Left Corner 3' and
--   'Right Corner 3'; above_break_three 'Above the Break 3'. Shots from the 'Backcourt' are in none.
-- A game counts as recorded when the chart has a shot of the opponent in it. zone_reason:
--   no shots recorded     of no game: the zone columns are NULL
--   partial: n of m games the zone columns are of the n recorded games of the window's m
--   ok                    of every game
-- NULL where a denominator is 0. Rounded when written: ratios to 4 decimals, all else to 3. All sums are exact.
WITH today AS (
    SELECT team_abbr, opponent_team_abbr, game_id, season
    FROM nba_analytics.upcoming_team_game_context
    WHERE game_date = CAST($run_date AS DATE)
),
past AS (
    SELECT
        defending_team_abbr, opponent_team_abbr, game_id, game_date, season, points_allowed, opp_fg_attempts,
        CAST(opponent_possessions AS DECIMAL(12, 3)) AS possessions,
        opp_fg_makes - opp_three_pt_makes AS two_makes,
        opp_fg_attempts - opp_three_pt_attempts AS two_attempts,
        opp_three_pt_makes AS three_makes,
        opp_three_pt_attempts AS three_attempts,
        opp_ft_makes AS ft_makes,
        opp_ft_attempts AS ft_attempts,
        row_number() OVER (
            PARTITION BY defending_team_abbr, season ORDER BY game_date DESC, game_id DESC
        ) AS games_ago
    FROM nba_analytics.team_defense_game_summary
    WHERE game_date >= CAST($season_start AS DATE) AND game_date < CAST($run_date AS DATE)
),
sums AS (
    SELECT
        defending_team_abbr, season,
        count(*) AS games,
        sum(points_allowed) AS points,
        sum(possessions) AS possessions,
        sum(opp_fg_attempts) AS fg_attempts,
        sum(two_makes) AS two_makes,
        sum(two_attempts) AS two_attempts,
        sum(three_makes) AS three_makes,
        sum(three_attempts) AS three_attempts,
        sum(ft_makes) AS ft_makes,
        sum(ft_attempts) AS ft_attempts
    FROM past
    WHERE games_ago <= 15
    GROUP BY defending_team_abbr, season
),
league AS (
    SELECT
        season,
        sum(two_makes) AS two_makes,
        sum(two_attempts) AS two_attempts,
        sum(three_makes) AS three_makes,
        sum(three_attempts) AS three_attempts,
        sum(ft_attempts) AS ft_attempts,
        sum(two_makes) / nullif(CAST(sum(two_attempts) AS DOUBLE), 0) AS two_pct,
        sum(three_makes) / nullif(CAST(sum(three_attempts) AS DOUBLE), 0) AS three_pct,
        sum(ft_attempts) / nullif(CAST(sum(opp_fg_attempts) AS DOUBLE), 0) AS ft_rate
    FROM past
    GROUP BY season
),
shots AS (
    SELECT
        past.defending_team_abbr, past.season, chart.game_id, chart.made,
        CASE
            WHEN chart.zone IN ('Restricted Area', 'In The Paint (Non-RA)') THEN 'paint'
            WHEN chart.zone = 'Mid-Range' THEN 'mid'
            WHEN chart.zone IN ('Left Corner 3', 'Right Corner 3') THEN 'corner'
            WHEN chart.zone = 'Above the Break 3' THEN 'above'
        END AS area
    FROM nba_raw.nbac_shot_chart AS chart
    JOIN past
        ON past.game_date = chart.game_date AND past.game_id = chart.game_id
        AND past.opponent_team_abbr = chart.team_abbr
    WHERE chart.game_date >= CAST($season_start AS DATE) AND chart.game_date < CAST($run_date AS DATE)
        AND past.games_ago <= 15
),
zones AS (
    SELECT
        defending_team_abbr, season,
        count(DISTINCT game_id) AS recorded,
        count(CASE WHEN area = 'paint' THEN 1 END) AS paint,
        count(CASE WHEN area = 'paint' AND made THEN 1 END) AS paint_made,
        count(CASE WHEN area = 'mid' THEN 1 END) AS mid,
        count(CASE WHEN area = 'mid' AND made THEN 1 END) AS mid_made,
        count(CASE WHEN area = 'corner' THEN 1 END) AS corner,
        count(CASE WHEN area = 'corner' AND made THEN 1 END) AS corner_made,
        count(CASE WHEN area = 'above' THEN 1 END) AS above,
        count(CASE WHEN area = 'above' AND made THEN 1 END) AS above_made
    FROM shots
    GROUP BY defending_team_abbr, season
)
SELECT
    CAST($run_date AS DATE) AS analysis_date,
    CAST(today.team_abbr AS VARCHAR) AS team_abbr,
    CAST(today.game_id AS VARCHAR) AS game_id,
    CAST(today.season AS VARCHAR) AS season,
    CAST(coalesce(games, 0) AS INTEGER) AS games_in_window,
    CAST(points AS INTEGER) AS points_allowed,
    CAST(points / CAST(games AS DOUBLE) AS DOUBLE) AS points_allowed_avg,
    CAST(100 * points / nullif(CAST(possessions AS DOUBLE), 0) AS DOUBLE) AS defensive_rating,
    CAST(sums.two_attempts AS INTEGER) AS opp_two_pt_attempts,
    CAST(sums.two_makes AS INTEGER) AS opp_two_pt_makes,
    CAST(sums.two_makes / nullif(CAST(sums.two_attempts AS DOUBLE), 0) AS DOUBLE) AS opp_two_pt_pct,
    CAST(2 * sums.two_makes / nullif(CAST(points AS DOUBLE), 0) AS DOUBLE) AS opp_two_pt_share_of_points,
    CAST(sums.three_attempts AS INTEGER) AS opp_three_pt_attempts,
    CAST(sums.three_makes AS INTEGER) AS opp_three_pt_makes,
    CAST(sums.three_makes / nullif(CAST(sums.three_attempts AS DOUBLE), 0) AS DOUBLE) AS opp_three_pt_pct,
    CAST(3 * sums.three_makes / nullif(CAST(points AS DOUBLE), 0) AS DOUBLE) AS opp_three_pt_share_of_points,
    CAST(sums.ft_attempts AS INTEGER) AS opp_ft_attempts,
    CAST(ft_makes AS INTEGER) AS opp_ft_makes,
    CAST(ft_makes / nullif(CAST(sums.ft_attempts AS DOUBLE), 0) AS DOUBLE) AS opp_ft_pct,
    CAST(ft_makes / nullif(CAST(points AS DOUBLE), 0) AS DOUBLE) AS opp_ft_share_of_points,
    CAST(sums.ft_attempts / nullif(CAST(fg_attempts AS DOUBLE), 0) AS DOUBLE) AS opp_ft_attempt_rate,
    CAST(league.two_pct AS DOUBLE) AS league_two_pt_pct,
    CAST(league.three_pct AS DOUBLE) AS league_three_pt_pct,
    CAST(league.ft_rate AS DOUBLE) AS league_ft_attempt_rate,
    CAST(league.two_makes AS INTEGER) AS league_two_pt_makes,
    CAST(league.two_attempts AS INTEGER) AS league_two_pt_attempts,
    CAST(league.three_makes AS INTEGER) AS league_three_pt_makes,
    CAST(league.three_attempts AS INTEGER) AS league_three_pt_attempts,
    CAST(league.ft_attempts AS INTEGER) AS league_ft_attempts,
    CAST(paint AS INTEGER) AS paint_attempts,
    CAST(paint_made AS INTEGER) AS paint_makes,
    CAST(paint_made / nullif(CAST(paint AS DOUBLE), 0) AS DOUBLE) AS paint_pct,
    CAST(mid AS INTEGER) AS mid_range_attempts,
    CAST(mid_made AS INTEGER) AS mid_range_makes,
    CAST(mid_made / nullif(CAST(mid AS DOUBLE), 0) AS DOUBLE) AS mid_range_pct,
    CAST(corner AS INTEGER) AS corner_three_attempts,
    CAST(corner_made AS INTEGER) AS corner_three_makes,
    CAST(corner_made / nullif(CAST(corner AS DOUBLE), 0) AS DOUBLE) AS corner_three_pct,
    CAST(above AS INTEGER) AS above_break_three_attempts,
    CAST(above_made AS INTEGER) AS above_break_three_makes,
    CAST(above_made / nullif(CAST(above AS DOUBLE), 0) AS DOUBLE) AS above_break_three_pct,
    CAST(
        CASE
            WHEN recorded IS NULL THEN 'no shots recorded'
            WHEN recorded < games
                THEN 'partial: ' || CAST(recorded AS VARCHAR) || ' of ' || CAST(games AS VARCHAR) || ' games'
            ELSE 'ok'
        END AS VARCHAR
    ) AS zone_reason
FROM today
LEFT JOIN sums ON sums.defending_team_abbr = today.team_abbr AND sums.season = today.season
LEFT JOIN league ON league.season = today.season
LEFT JOIN zones ON zones.defending_team_abbr = today.team_abbr AND zones.season = today.season
