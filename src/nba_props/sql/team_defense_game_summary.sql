-- What the opponent did against each team in its game of the date. Key (game_date, defending_team_abbr).
-- Reads the raw rows only: a row counts for the team that its player played against.
--
-- Opponent totals are sums of the player rows, so team turnovers are not in opp_turnovers.
--
-- Formulas: Dean Oliver, "Basketball on Paper" (2004), in the form of the Basketball-Reference glossary.
--   opponent possessions = FGA + 0.44 FTA + TOV - OREB, of the opponent
--   defensive rating     = 100 points allowed / opponent possessions
--   opponent pace        = 48 opponent possessions / (opponent minutes / 5)
--   TS%, eFG%            = PTS / (2 (FGA + 0.44 FTA)), (FGM + 0.5 3PM) / FGA, of the opponent
-- NULL where a denominator is 0. Rounded when written: ratios to 4 decimals, all else to 3.
WITH totals AS (
    -- Grouped by game too: should a team have two games on a date, the key is refused, never blended.
    SELECT
        game_date, game_id, season,
        opponent_team_abbr AS defending_team_abbr,
        team_abbr AS opponent_team_abbr,
        NOT bool_and(win_flag) AS win_flag,
        CAST(sum(minutes) AS INTEGER) AS opp_minutes_played,
        CAST(sum(points) AS INTEGER) AS points_allowed,
        CAST(sum(assists) AS INTEGER) AS opp_assists,
        CAST(sum(offensive_rebounds) AS INTEGER) AS opp_offensive_rebounds,
        CAST(sum(defensive_rebounds) AS INTEGER) AS opp_defensive_rebounds,
        CAST(sum(turnovers) AS INTEGER) AS opp_turnovers,
        CAST(sum(field_goals_made) AS INTEGER) AS opp_fg_makes,
        CAST(sum(field_goals_attempted) AS INTEGER) AS opp_fg_attempts,
        CAST(sum(three_pointers_made) AS INTEGER) AS opp_three_pt_makes,
        CAST(sum(three_pointers_attempted) AS INTEGER) AS opp_three_pt_attempts,
        CAST(sum(free_throws_made) AS INTEGER) AS opp_ft_makes,
        CAST(sum(free_throws_attempted) AS INTEGER) AS opp_ft_attempts
    FROM nba_raw.nbac_gamebook_player_stats AS raw
    WHERE game_date = CAST($run_date AS DATE)
    GROUP BY raw.game_date, raw.game_id, raw.season, raw.team_abbr, raw.opponent_team_abbr
),
derived AS (
    SELECT
        *,
        opp_fg_attempts + CAST(0.44 AS DOUBLE) * opp_ft_attempts AS shooting_chances,
        opp_fg_attempts + CAST(0.44 AS DOUBLE) * opp_ft_attempts + opp_turnovers - opp_offensive_rebounds
            AS possessions_exact
    FROM totals
)
SELECT
    CAST(game_date AS DATE) AS game_date,
    CAST(defending_team_abbr AS VARCHAR) AS defending_team_abbr,
    CAST(game_id AS VARCHAR) AS game_id,
    CAST(opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(season AS VARCHAR) AS season,
    CAST(win_flag AS BOOLEAN) AS win_flag,
    CAST(opp_minutes_played AS INTEGER) AS opp_minutes_played,
    CAST(points_allowed AS INTEGER) AS points_allowed,
    CAST(opp_assists AS INTEGER) AS opp_assists,
    CAST(opp_offensive_rebounds AS INTEGER) AS opp_offensive_rebounds,
    CAST(opp_defensive_rebounds AS INTEGER) AS opp_defensive_rebounds,
    CAST(opp_offensive_rebounds + opp_defensive_rebounds AS INTEGER) AS opp_rebounds,
    CAST(opp_turnovers AS INTEGER) AS opp_turnovers,
    CAST(opp_fg_makes AS INTEGER) AS opp_fg_makes,
    CAST(opp_fg_attempts AS INTEGER) AS opp_fg_attempts,
    CAST(opp_three_pt_makes AS INTEGER) AS opp_three_pt_makes,
    CAST(opp_three_pt_attempts AS INTEGER) AS opp_three_pt_attempts,
    CAST(opp_ft_makes AS INTEGER) AS opp_ft_makes,
    CAST(opp_ft_attempts AS INTEGER) AS opp_ft_attempts,
    CAST(possessions_exact AS DOUBLE) AS opponent_possessions,
    CAST(100 * points_allowed / nullif(possessions_exact, 0) AS DOUBLE) AS defensive_rating,
    CAST(48 * possessions_exact * 5 / nullif(opp_minutes_played, 0) AS DOUBLE) AS opponent_pace,
    CAST(points_allowed / nullif(2 * shooting_chances, 0) AS DOUBLE) AS opp_ts_pct,
    CAST(
        (2 * opp_fg_makes + opp_three_pt_makes) / nullif(CAST(2 * opp_fg_attempts AS DOUBLE), 0) AS DOUBLE
    ) AS opp_efg_pct
FROM derived
