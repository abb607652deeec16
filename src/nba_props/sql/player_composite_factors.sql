-- Factors of each expected player's game of the date: fatigue, pace, defence, home. Key (game_date, player_lookup).
-- One row for every row of upcoming_player_game_context on the date. Reads the date's rows of it, of
-- upcoming_team_game_context, team_defense_zone_analysis and player_shot_zone_analysis: all have earlier games only.
--
-- fatigue_score: 0 fresh to 100 tired. Of the player's own games before the date, each part from 0 to its weight:
--   rest 30         30 after 1 day, 20 after 2, 10 after 3, 0 after 4 or more
--   back-to-back 15 when he played on the day before
--   games 15 + 10   in the last 7 days, full at 4; in the last 14, full at 8
--   minutes 20 + 10 in the last 7 days, full at 160 (4 games of 40); in the last 14, full at 320
-- The weights are this project's judgement, fitted to nothing.
--
-- The factors multiply: 1 is neutral, above 1 favours his points.
--   pace_factor     = (pace of his team's last 10 games + the opponent's) / 2 / his team's pace of the season
--   defense_factor  = points of his shots of the last 20 games at the opponent's allowed rates (its last 15 games)
--                     / points of the same shots at the league's rates of the season, where the points at rates are
--                       2 x twos tried x 2P% + 3 x threes tried x 3P% + free throws made x FTr / league FTr
--   home_factor     = 1.01 at home, 0.99 away, 1 on a neutral site: home teams scored 115.6 points and visitors 113.3
--                     in the 2,460 games of 2022-23 and 2023-24, 1.0 % above and below their mean
-- A factor without its inputs is NULL, and *_reason has the cause; else the reason is 'ok'.
-- Rounded when written: fatigue_score to 3 decimals, factors to 4.
WITH inputs AS (
    SELECT
        player.game_date, player.player_lookup, player.game_id, player.player_id, player.team_abbr,
        player.opponent_team_abbr, player.season, player.home_flag, player.days_rest,
        player.games_last_7_days AS games_7,
        player.games_last_14_days AS games_14,
        player.minutes_last_7_days AS minutes_7,
        player.minutes_last_14_days AS minutes_14,
        team.neutral_site, team.pace_last_10, team.opponent_pace_last_10,
        -- The rates of these tables are rounded, so they are taken from the sums beside them.
        team.possessions_last_10 / nullif(team.team_minutes_last_10, 0) AS own_pace,
        team.opponent_possessions_last_10 / nullif(team.opponent_team_minutes_last_10, 0) AS other_pace,
        team.possessions_season / nullif(team.team_minutes_season, 0) AS usual_pace,
        shots.player_id AS profile,
        shots.two_pt_attempts_last_20 AS twos,
        shots.three_pt_attempts_last_20 AS threes,
        shots.ft_makes_last_20 AS free_throws,
        defense.opp_two_pt_makes / nullif(CAST(defense.opp_two_pt_attempts AS DOUBLE), 0) AS two_pct,
        defense.opp_three_pt_makes / nullif(CAST(defense.opp_three_pt_attempts AS DOUBLE), 0) AS three_pct,
        defense.opp_ft_attempts
            / nullif(CAST(defense.opp_two_pt_attempts + defense.opp_three_pt_attempts AS DOUBLE), 0) AS ft_rate,
        defense.league_two_pt_makes / nullif(CAST(defense.league_two_pt_attempts AS DOUBLE), 0) AS league_two_pct,
        defense.league_three_pt_makes / nullif(CAST(defense.league_three_pt_attempts AS DOUBLE), 0)
            AS league_three_pct,
        defense.league_ft_attempts
            / nullif(CAST(defense.league_two_pt_attempts + defense.league_three_pt_attempts AS DOUBLE), 0)
            AS league_ft_rate
    FROM nba_analytics.upcoming_player_game_context AS player
    LEFT JOIN nba_analytics.upcoming_team_game_context AS team
        ON team.game_date = CAST($run_date AS DATE) AND team.team_abbr = player.team_abbr
    LEFT JOIN nba_precompute.player_shot_zone_analysis AS shots
        ON shots.analysis_date = CAST($run_date AS DATE) AND shots.player_lookup = player.player_lookup
    LEFT JOIN nba_precompute.team_defense_zone_analysis AS defense
        ON defense.analysis_date = CAST($run_date AS DATE) AND defense.team_abbr = player.opponent_team_abbr
    WHERE player.game_date = CAST($run_date AS DATE)
),
factors AS (
    SELECT
        *,
        -- Checked first, because least() and greatest() ignore a NULL.
        CASE
            WHEN days_rest IS NOT NULL AND games_7 + games_14 + minutes_7 + minutes_14 IS NOT NULL THEN
                10 * least(greatest(4 - days_rest, 0), 3)
                + CASE WHEN days_rest = 1 THEN 15 ELSE 0 END
                + CAST(15 AS DOUBLE) * least(games_7, 4) / 4
                + CAST(10 AS DOUBLE) * least(games_14, 8) / 8
                + CAST(20 AS DOUBLE) * least(minutes_7, 160) / 160
                + CAST(10 AS DOUBLE) * least(minutes_14, 320) / 320
        END AS fatigue,
        (own_pace + other_pace) / nullif(2 * usual_pace, 0) AS pace,
        -- Shots at an unknown rate count as 0 only where there are no such shots.
        (
            CASE WHEN twos = 0 THEN 0 ELSE 2 * twos * two_pct END
            + CASE WHEN threes = 0 THEN 0 ELSE 3 * threes * three_pct END
            + CASE WHEN free_throws = 0 THEN 0 ELSE free_throws * ft_rate / nullif(league_ft_rate, 0) END
        ) / nullif(
            CASE WHEN twos = 0 THEN 0 ELSE 2 * twos * league_two_pct END
            + CASE WHEN threes = 0 THEN 0 ELSE 3 * threes * league_three_pct END
            + free_throws, 0
        ) AS defense,
        CASE WHEN neutral_site THEN 1.0 WHEN home_flag THEN 1.01 WHEN NOT home_flag THEN 0.99 END AS home
    FROM inputs
)
SELECT
    CAST(game_date AS DATE) AS game_date,
    CAST(player_lookup AS VARCHAR) AS player_lookup,
    CAST(game_id AS VARCHAR) AS game_id,
    CAST(player_id AS BIGINT) AS player_id,
    CAST(team_abbr AS VARCHAR) AS team_abbr,
    CAST(opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(season AS VARCHAR) AS season,
    CAST(fatigue AS DOUBLE) AS fatigue_score,
    CAST(CASE WHEN fatigue IS NULL THEN 'no game before' ELSE 'ok' END AS VARCHAR) AS fatigue_reason,
    CAST(pace AS DOUBLE) AS pace_factor,
    CAST(
        CASE
            WHEN pace IS NOT NULL THEN 'ok'
            WHEN pace_last_10 IS NULL THEN 'no pace of the team'
            WHEN opponent_pace_last_10 IS NULL THEN 'no pace of the opponent'
            ELSE 'no pace of the season'
        END AS VARCHAR
    ) AS pace_reason,
    CAST(defense AS DOUBLE) AS defense_factor,
    CAST(
        CASE
            WHEN defense IS NOT NULL THEN 'ok'
            WHEN profile IS NULL THEN 'no profile of the player'
            WHEN twos = 0 AND threes = 0 AND free_throws = 0 THEN 'no shots of the player'
            ELSE 'no rates of the opponent'
        END AS VARCHAR
    ) AS defense_reason,
    CAST(home AS DOUBLE) AS home_factor,
    CAST(CASE WHEN home IS NULL THEN 'home side unknown' ELSE 'ok' END AS VARCHAR) AS home_reason
FROM factors
