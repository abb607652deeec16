-- The past of each team of the date before its game. Key (game_date, team_abbr).
-- Reads nbac_schedule of the date alone; team_offense_game_summary and team_defense_game_summary strictly before it.
--
-- One row for each side of each game that is not postponed. A team with two games on the date gets two rows: the key
-- is refused, never blended. The past is the games of the season of the game, before the date.
--
--   home_flag           NULL on a neutral site, or where the schedule names neither side's place
--   days_rest           the date less the date of the last game: 1 is a back-to-back; NULL before the first game
--   back_to_back_flag   the last game was on the day before
--   games_last_7_days   games on the 7 dates before the date; likewise 14
--
-- Formulas: Dean Oliver, "Basketball on Paper" (2004), in the form of the Basketball-Reference glossary, on the sums
-- of the window, as that site gives them over many games:
--   offensive rating = 100 PTS / possessions
--   defensive rating = 100 points allowed / opponent possessions
--   pace             = 48 possessions / (team minutes / 5)
-- opponent_*_last_game is of the opponent's latest game, opponent_*_last_10 of its last 10.
-- NULL without games, or where a denominator is 0. Rounded when written: to 3 decimals. Sums are of whole numbers or
-- decimals, so the order in which the rows are read changes nothing.
WITH games AS (
    SELECT
        game_id, season, home_team_abbr, away_team_abbr, neutral_site, tipoff_at, team_a_abbr, team_b_abbr
    FROM nba_raw.nbac_schedule
    WHERE game_date = CAST($run_date AS DATE) AND NOT postponed
),
sides AS (
    SELECT games.*, team_a_abbr AS team_abbr, team_b_abbr AS opponent_team_abbr FROM games
    UNION ALL
    SELECT games.*, team_b_abbr AS team_abbr, team_a_abbr AS opponent_team_abbr FROM games
),
history AS (
    SELECT
        offense.team_abbr, offense.season, offense.game_date, offense.win_flag,
        offense.points, offense.minutes_played,
        CAST(offense.possessions AS DECIMAL(12, 3)) AS possessions,
        defense.points_allowed,
        CAST(defense.opponent_possessions AS DECIMAL(12, 3)) AS opponent_possessions,
        row_number() OVER (
            PARTITION BY offense.team_abbr, offense.season ORDER BY offense.game_date DESC, offense.game_id DESC
        ) AS games_ago
    FROM nba_analytics.team_offense_game_summary AS offense
    LEFT JOIN nba_analytics.team_defense_game_summary AS defense
        ON defense.game_date = offense.game_date AND defense.game_id = offense.game_id
        AND defense.defending_team_abbr = offense.team_abbr
        AND defense.game_date >= CAST($season_start AS DATE)
        AND defense.game_date < CAST($run_date AS DATE)
    WHERE offense.game_date >= CAST($season_start AS DATE)
        AND offense.game_date < CAST($run_date AS DATE)
),
sums AS (
    SELECT
        team_abbr, season,
        date_diff('day', max(game_date), CAST($run_date AS DATE)) AS days_rest,
        count(CASE WHEN game_date >= CAST($run_date AS DATE) - INTERVAL 7 DAY THEN 1 END) AS games_7,
        count(CASE WHEN game_date >= CAST($run_date AS DATE) - INTERVAL 14 DAY THEN 1 END) AS games_14,
        count(*) AS games,
        count(CASE WHEN win_flag THEN 1 END) AS wins,
        sum(points) AS points,
        sum(possessions) AS possessions,
        sum(minutes_played) AS minutes,
        sum(points_allowed) AS allowed,
        sum(opponent_possessions) AS faced,
        sum(CASE WHEN games_ago <= 10 THEN points END) AS points_10,
        sum(CASE WHEN games_ago <= 10 THEN possessions END) AS possessions_10,
        sum(CASE WHEN games_ago <= 10 THEN minutes_played END) AS minutes_10,
        sum(CASE WHEN games_ago <= 10 THEN points_allowed END) AS allowed_10,
        sum(CASE WHEN games_ago <= 10 THEN opponent_possessions END) AS faced_10,
        sum(CASE WHEN games_ago = 1 THEN points END) AS points_1,
        sum(CASE WHEN games_ago = 1 THEN possessions END) AS possessions_1,
        sum(CASE WHEN games_ago = 1 THEN minutes_played END) AS minutes_1,
        sum(CASE WHEN games_ago = 1 THEN points_allowed END) AS allowed_1,
        sum(CASE WHEN games_ago = 1 THEN opponent_possessions END) AS faced_1
    FROM history
    GROUP BY team_abbr, season
),
rates AS (
    SELECT
        team_abbr, season, days_rest, games_7, games_14, games, wins, possessions, minutes, possessions_10, minutes_10,
        100 * points / nullif(CAST(possessions AS DOUBLE), 0) AS offense_season,
        100 * allowed / nullif(CAST(faced AS DOUBLE), 0) AS defense_season,
        240 * CAST(possessions AS DOUBLE) / nullif(minutes, 0) AS pace_season,
        100 * points_10 / nullif(CAST(possessions_10 AS DOUBLE), 0) AS offense_10,
        100 * allowed_10 / nullif(CAST(faced_10 AS DOUBLE), 0) AS defense_10,
        240 * CAST(possessions_10 AS DOUBLE) / nullif(minutes_10, 0) AS pace_10,
        100 * points_1 / nullif(CAST(possessions_1 AS DOUBLE), 0) AS offense_1,
        100 * allowed_1 / nullif(CAST(faced_1 AS DOUBLE), 0) AS defense_1,
        240 * CAST(possessions_1 AS DOUBLE) / nullif(minutes_1, 0) AS pace_1
    FROM sums
)
SELECT
    CAST($run_date AS DATE) AS game_date,
    CAST(sides.team_abbr AS VARCHAR) AS team_abbr,
    CAST(sides.game_id AS VARCHAR) AS game_id,
    CAST(sides.opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(sides.season AS VARCHAR) AS season,
    CAST(
        CASE
            WHEN neutral_site THEN NULL
            WHEN home_team_abbr = sides.team_abbr OR away_team_abbr = sides.opponent_team_abbr THEN true
            WHEN home_team_abbr = sides.opponent_team_abbr OR away_team_abbr = sides.team_abbr THEN false
        END AS BOOLEAN
    ) AS home_flag,
    CAST(sides.neutral_site AS BOOLEAN) AS neutral_site,
    CAST(sides.tipoff_at AS TIMESTAMP) AS tipoff_at,
    CAST(own.days_rest AS INTEGER) AS days_rest,
    CAST(coalesce(own.days_rest = 1, false) AS BOOLEAN) AS back_to_back_flag,
    CAST(coalesce(own.games_7, 0) AS INTEGER) AS games_last_7_days,
    CAST(coalesce(own.games_14, 0) AS INTEGER) AS games_last_14_days,
    CAST(coalesce(own.games, 0) AS INTEGER) AS games_played,
    CAST(coalesce(own.wins, 0) AS INTEGER) AS wins,
    CAST(coalesce(own.games - own.wins, 0) AS INTEGER) AS losses,
    CAST(own.offense_10 AS DOUBLE) AS offensive_rating_last_10,
    CAST(own.defense_10 AS DOUBLE) AS defensive_rating_last_10,
    CAST(own.pace_10 AS DOUBLE) AS pace_last_10,
    CAST(own.offense_season AS DOUBLE) AS offensive_rating_season,
    CAST(own.defense_season AS DOUBLE) AS defensive_rating_season,
    CAST(own.pace_season AS DOUBLE) AS pace_season,
    CAST(other.offense_1 AS DOUBLE) AS opponent_offensive_rating_last_game,
    CAST(other.defense_1 AS DOUBLE) AS opponent_defensive_rating_last_game,
    CAST(other.pace_1 AS DOUBLE) AS opponent_pace_last_game,
    CAST(other.offense_10 AS DOUBLE) AS opponent_offensive_rating_last_10,
    CAST(other.defense_10 AS DOUBLE) AS opponent_defensive_rating_last_10,
    CAST(other.pace_10 AS DOUBLE) AS opponent_pace_last_10,
    CAST(own.possessions_10 AS DOUBLE) AS possessions_last_10,
    CAST(own.minutes_10 AS INTEGER) AS team_minutes_last_10,
    CAST(own.possessions AS DOUBLE) AS possessions_season,
    CAST(own.minutes AS INTEGER) AS team_minutes_season,
    CAST(other.possessions_10 AS DOUBLE) AS opponent_possessions_last_10,
    CAST(other.minutes_10 AS INTEGER) AS opponent_team_minutes_last_10
FROM sides
LEFT JOIN rates AS own ON own.team_abbr = sides.team_abbr AND own.season = sides.season
LEFT JOIN rates AS other ON other.team_abbr = sides.opponent_team_abbr AND other.season = sides.season
