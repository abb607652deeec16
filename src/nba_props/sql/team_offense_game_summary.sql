-- What each team did in its game of the date. Key (game_date, team_abbr). Reads the raw rows only.
--
-- Team totals are sums of the player rows. Real team turnovers also hold team turnovers (a five-second
-- call, say), which no player row carries: possessions here are lower by them.
-- minutes_played is the sum of the players' whole minutes, so about 237 to 243 where 240 were played.
--
-- Formulas: Dean Oliver, "Basketball on Paper" (2004), in the form of the Basketball-Reference glossary.
--   possessions      = FGA + 0.44 FTA + TOV - OREB
--   offensive rating = 100 PTS / possessions
--   pace             = 48 possessions / (team minutes / 5)
--   TS%              = PTS / (2 (FGA + 0.44 FTA))
--   eFG%             = (FGM + 0.5 3PM) / FGA
-- NULL where a denominator is 0. Rounded when written: ratios to 4 decimals, all else to 3.
WITH totals AS (
    -- Grouped by game too: should a team have two games on a date, the key is refused, never blended.
    SELECT
        game_date, game_id, team_abbr, opponent_team_abbr, season,
        bool_and(win_flag) AS win_flag,
        CAST(sum(minutes) AS INTEGER) AS minutes_played,
        CAST(sum(points) AS INTEGER) AS points,
        CAST(sum(assists) AS INTEGER) AS assists,
        CAST(sum(offensive_rebounds) AS INTEGER) AS offensive_rebounds,
        CAST(sum(defensive_rebounds) AS INTEGER) AS defensive_rebounds,
        CAST(sum(steals) AS INTEGER) AS steals,
        CAST(sum(blocks) AS INTEGER) AS blocks,
        CAST(sum(turnovers) AS INTEGER) AS turnovers,
        CAST(sum(personal_fouls) AS INTEGER) AS personal_fouls,
        CAST(sum(field_goals_made) AS INTEGER) AS fg_makes,
        CAST(sum(field_goals_attempted) AS INTEGER) AS fg_attempts,
        CAST(sum(three_pointers_made) AS INTEGER) AS three_pt_makes,
        CAST(sum(three_pointers_attempted) AS INTEGER) AS three_pt_attempts,
        CAST(sum(free_throws_made) AS INTEGER) AS ft_makes,
        CAST(sum(free_throws_attempted) AS INTEGER) AS ft_attempts
    FROM nba_raw.nbac_gamebook_player_stats
    WHERE game_date = CAST($run_date AS DATE)
    GROUP BY game_date, game_id, team_abbr, opponent_team_abbr, season
),
derived AS (
    SELECT
        *,
        fg_attempts + CAST(0.44 AS DOUBLE) * ft_attempts AS shooting_chances,
        fg_attempts + CAST(0.44 AS DOUBLE) * ft_attempts + turnovers - offensive_rebounds AS possessions_exact
    FROM totals
)
SELECT
    CAST(game_date AS DATE) AS game_date,
    CAST(team_abbr AS VARCHAR) AS team_abbr,
    CAST(game_id AS VARCHAR) AS game_id,
    CAST(opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(season AS VARCHAR) AS season,
    CAST(win_flag AS BOOLEAN) AS win_flag,
    CAST(minutes_played AS INTEGER) AS minutes_played,
    CAST(points AS INTEGER) AS points,
    CAST(assists AS INTEGER) AS assists,
    CAST(offensive_rebounds AS INTEGER) AS offensive_rebounds,
    CAST(defensive_rebounds AS INTEGER) AS defensive_rebounds,
    CAST(steals AS INTEGER) AS steals,
    CAST(blocks AS INTEGER) AS blocks,
    CAST(turnovers AS INTEGER) AS turnovers,
    CAST(personal_fouls AS INTEGER) AS personal_fouls,
    CAST(fg_makes AS INTEGER) AS fg_makes,
    CAST(fg_attempts AS INTEGER) AS fg_attempts,
    CAST(three_pt_makes AS INTEGER) AS three_pt_makes,
    CAST(three_pt_attempts AS INTEGER) AS three_pt_attempts,
    CAST(ft_makes AS INTEGER) AS ft_makes,
    CAST(ft_attempts AS INTEGER) AS ft_attempts,
    CAST(possessions_exact AS DOUBLE) AS possessions,
    CAST(100 * points / nullif(possessions_exact, 0) AS DOUBLE) AS offensive_rating,
    CAST(48 * possessions_exact * 5 / nullif(minutes_played, 0) AS DOUBLE) AS pace,
    CAST(points / nullif(2 * shooting_chances, 0) AS DOUBLE) AS ts_pct,
    CAST((2 * fg_makes + three_pt_makes) / nullif(CAST(2 * fg_attempts AS DOUBLE), 0) AS DOUBLE) AS efg_pct
FROM derived
