-- The features of each expected player of the date. Key (game_date, player_lookup).
-- One row for every row of upcoming_player_game_context on the date. Reads the date's rows of it, player_daily_cache,
-- player_composite_factors, player_shot_zone_analysis and team_defense_zone_analysis: all have earlier games only.
-- Until each of these is built for the date, features of it are missing.
--
-- 32 features, each a column of its own name, all DOUBLE; flags are 1 and 0; NULL is missing, nothing is filled in.
--   points_trend, minutes_trend   average of the last 5 games less that of the season
--   opponent_*_allowed            of the opponent's last 15 games
--   the others                    as in their table
--
-- feature_sources, feature_quality: a word for every feature in the order of the columns, spelled
-- ';feature:word;feature:word;', with a semicolon at both ends: LIKE '%;points_line:missing;%' finds one exactly.
-- The source is the table. The quality is
--   missing  the feature is NULL
--   partial  it has a value, but of fewer games than its window: 5, 10, 15 or 20 by its name, 10 for the season
--            and trends; pace_factor 10 of both teams; defense_factor 20 of the player and 15 of the opponent.
--            usage_rate_avg_last_10: also if one of the 10 was a short stint, which has none
--            points_line: of one bookmaker alone
--   full     otherwise
-- feature_quality_score = 100 x features with a value / 32: each counts the same, partial as full. 3 decimals.
-- feature_version names the list: it changes with any feature's name, meaning or order.
WITH features AS (
    SELECT
        player.game_date, player.player_lookup, player.game_id, player.player_id, player.team_abbr,
        player.opponent_team_abbr, player.season,
        CASE WHEN cache.games_played_last_5 >= 5 THEN 'full;' ELSE 'partial;' END AS five,
        CASE WHEN cache.games_played_last_10 >= 10 THEN 'full;' ELSE 'partial;' END AS ten,
        CASE WHEN cache.games_with_usage_last_10 >= 10 THEN 'full;' ELSE 'partial;' END AS ten_used,
        CASE WHEN cache.games_played_season >= 10 THEN 'full;' ELSE 'partial;' END AS so_far,
        CASE WHEN shots.games_last_20 >= 20 THEN 'full;' ELSE 'partial;' END AS twenty,
        CASE WHEN other.games_in_window >= 10 THEN 'full;' ELSE 'partial;' END AS other_ten,
        CASE WHEN other.games_in_window >= 10 AND own.games_in_window >= 10 THEN 'full;' ELSE 'partial;' END
            AS both_ten,
        CASE WHEN other.games_in_window >= 15 THEN 'full;' ELSE 'partial;' END AS fifteen,
        CASE WHEN other.games_in_window >= 15 AND shots.games_last_20 >= 20 THEN 'full;' ELSE 'partial;' END
            AS matched,
        CASE WHEN player.bookmakers >= 2 THEN 'full;' ELSE 'partial;' END AS books,
        cache.points_avg_last_5,
        cache.points_avg_last_10,
        cache.points_avg_season,
        cache.points_avg_last_5 - cache.points_avg_season AS points_trend,
        cache.minutes_avg_last_5,
        cache.minutes_avg_last_10,
        cache.minutes_avg_season,
        cache.minutes_avg_last_5 - cache.minutes_avg_season AS minutes_trend,
        cache.usage_rate_avg_last_10,
        cache.ts_pct_last_10,
        cache.ts_pct_season,
        cache.three_pt_makes_avg_last_10,
        player.games_played_season,
        player.days_rest,
        CASE WHEN player.back_to_back_flag THEN 1 WHEN NOT player.back_to_back_flag THEN 0 END AS back_to_back,
        player.games_last_7_days,
        player.minutes_last_7_days,
        player.opponent_defensive_rating_last_10,
        player.opponent_pace_last_10,
        player.points_line,
        shots.two_pt_share_of_points_last_20,
        shots.three_pt_share_of_points_last_20,
        shots.ft_share_of_points_last_20,
        shots.three_pt_pct_last_20,
        other.points_allowed_avg AS opponent_points_allowed_avg,
        other.opp_two_pt_pct AS opponent_two_pt_pct_allowed,
        other.opp_three_pt_pct AS opponent_three_pt_pct_allowed,
        other.opp_ft_attempt_rate AS opponent_ft_attempt_rate_allowed,
        factors.fatigue_score,
        factors.pace_factor,
        factors.defense_factor,
        factors.home_factor
    FROM nba_analytics.upcoming_player_game_context AS player
    LEFT JOIN nba_precompute.player_daily_cache AS cache
        ON cache.cache_date = CAST($run_date AS DATE) AND cache.player_lookup = player.player_lookup
    LEFT JOIN nba_precompute.player_composite_factors AS factors
        ON factors.game_date = CAST($run_date AS DATE) AND factors.player_lookup = player.player_lookup
    LEFT JOIN nba_precompute.player_shot_zone_analysis AS shots
        ON shots.analysis_date = CAST($run_date AS DATE) AND shots.player_lookup = player.player_lookup
    LEFT JOIN nba_precompute.team_defense_zone_analysis AS other
        ON other.analysis_date = CAST($run_date AS DATE) AND other.team_abbr = player.opponent_team_abbr
    LEFT JOIN nba_precompute.team_defense_zone_analysis AS own
        ON own.analysis_date = CAST($run_date AS DATE) AND own.team_abbr = player.team_abbr
    WHERE player.game_date = CAST($run_date AS DATE)
),
marked AS (
    SELECT
        features.*,
        concat(
            ';',
            'points_avg_last_5:', CASE WHEN points_avg_last_5 IS NULL THEN 'missing;' ELSE five END,
            'points_avg_last_10:', CASE WHEN points_avg_last_10 IS NULL THEN 'missing;' ELSE ten END,
            'points_avg_season:', CASE WHEN points_avg_season IS NULL THEN 'missing;' ELSE so_far END,
            'points_trend:', CASE WHEN points_trend IS NULL THEN 'missing;' ELSE so_far END,
            'minutes_avg_last_5:', CASE WHEN minutes_avg_last_5 IS NULL THEN 'missing;' ELSE five END,
            'minutes_avg_last_10:', CASE WHEN minutes_avg_last_10 IS NULL THEN 'missing;' ELSE ten END,
            'minutes_avg_season:', CASE WHEN minutes_avg_season IS NULL THEN 'missing;' ELSE so_far END,
            'minutes_trend:', CASE WHEN minutes_trend IS NULL THEN 'missing;' ELSE so_far END,
            'usage_rate_avg_last_10:', CASE WHEN usage_rate_avg_last_10 IS NULL THEN 'missing;' ELSE ten_used END,
            'ts_pct_last_10:', CASE WHEN ts_pct_last_10 IS NULL THEN 'missing;' ELSE ten END,
            'ts_pct_season:', CASE WHEN ts_pct_season IS NULL THEN 'missing;' ELSE so_far END,
            'three_pt_makes_avg_last_10:', CASE WHEN three_pt_makes_avg_last_10 IS NULL THEN 'missing;' ELSE ten END,
            'games_played_season:', CASE WHEN games_played_season IS NULL THEN 'missing;' ELSE 'full;' END,
            'days_rest:', CASE WHEN days_rest IS NULL THEN 'missing;' ELSE 'full;' END,
            'back_to_back:', CASE WHEN back_to_back IS NULL THEN 'missing;' ELSE 'full;' END,
            'games_last_7_days:', CASE WHEN games_last_7_days IS NULL THEN 'missing;' ELSE 'full;' END,
            'minutes_last_7_days:', CASE WHEN minutes_last_7_days IS NULL THEN 'missing;' ELSE 'full;' END,
            'opponent_defensive_rating_last_10:',
            CASE WHEN opponent_defensive_rating_last_10 IS NULL THEN 'missing;' ELSE other_ten END,
            'opponent_pace_last_10:', CASE WHEN opponent_pace_last_10 IS NULL THEN 'missing;' ELSE other_ten END,
            'points_line:', CASE WHEN points_line IS NULL THEN 'missing;' ELSE books END,
            'two_pt_share_of_points_last_20:',
            CASE WHEN two_pt_share_of_points_last_20 IS NULL THEN 'missing;' ELSE twenty END,
            'three_pt_share_of_points_last_20:',
            CASE WHEN three_pt_share_of_points_last_20 IS NULL THEN 'missing;' ELSE twenty END,
            'ft_share_of_points_last_20:',
            CASE WHEN ft_share_of_points_last_20 IS NULL THEN 'missing;' ELSE twenty END,
            'three_pt_pct_last_20:', CASE WHEN three_pt_pct_last_20 IS NULL THEN 'missing;' ELSE twenty END,
            'opponent_points_allowed_avg:',
            CASE WHEN opponent_points_allowed_avg IS NULL THEN 'missing;' ELSE fifteen END,
            'opponent_two_pt_pct_allowed:',
            CASE WHEN opponent_two_pt_pct_allowed IS NULL THEN 'missing;' ELSE fifteen END,
            'opponent_three_pt_pct_allowed:',
            CASE WHEN opponent_three_pt_pct_allowed IS NULL THEN 'missing;' ELSE fifteen END,
            'opponent_ft_attempt_rate_allowed:',
            CASE WHEN opponent_ft_attempt_rate_allowed IS NULL THEN 'missing;' ELSE fifteen END,
            'fatigue_score:', CASE WHEN fatigue_score IS NULL THEN 'missing;' ELSE 'full;' END,
            'pace_factor:', CASE WHEN pace_factor IS NULL THEN 'missing;' ELSE both_ten END,
            'defense_factor:', CASE WHEN defense_factor IS NULL THEN 'missing;' ELSE matched END,
            'home_factor:', CASE WHEN home_factor IS NULL THEN 'missing;' ELSE 'full;' END
        ) AS feature_quality
    FROM features
)
SELECT
    CAST(game_date AS DATE) AS game_date,
    CAST(player_lookup AS VARCHAR) AS player_lookup,
    CAST(game_id AS VARCHAR) AS game_id,
    CAST(player_id AS BIGINT) AS player_id,
    CAST(team_abbr AS VARCHAR) AS team_abbr,
    CAST(opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(season AS VARCHAR) AS season,
    CAST('v2_32' AS VARCHAR) AS feature_version,
    -- Of 32 features, all but those that are marked as missing.
    CAST(
        CAST(100 AS DOUBLE)
        * (32 - (length(feature_quality) - length(replace(feature_quality, ':missing;', ''))) / length(':missing;'))
        / 32 AS DOUBLE
    ) AS feature_quality_score,
    CAST(points_avg_last_5 AS DOUBLE) AS points_avg_last_5,
    CAST(points_avg_last_10 AS DOUBLE) AS points_avg_last_10,
    CAST(points_avg_season AS DOUBLE) AS points_avg_season,
    CAST(points_trend AS DOUBLE) AS points_trend,
    CAST(minutes_avg_last_5 AS DOUBLE) AS minutes_avg_last_5,
    CAST(minutes_avg_last_10 AS DOUBLE) AS minutes_avg_last_10,
    CAST(minutes_avg_season AS DOUBLE) AS minutes_avg_season,
    CAST(minutes_trend AS DOUBLE) AS minutes_trend,
    CAST(usage_rate_avg_last_10 AS DOUBLE) AS usage_rate_avg_last_10,
    CAST(ts_pct_last_10 AS DOUBLE) AS ts_pct_last_10,
    CAST(ts_pct_season AS DOUBLE) AS ts_pct_season,
    CAST(three_pt_makes_avg_last_10 AS DOUBLE) AS three_pt_makes_avg_last_10,
    CAST(games_played_season AS DOUBLE) AS games_played_season,
    CAST(days_rest AS DOUBLE) AS days_rest,
    CAST(back_to_back AS DOUBLE) AS back_to_back,
    CAST(games_last_7_days AS DOUBLE) AS games_last_7_days,
    CAST(minutes_last_7_days AS DOUBLE) AS minutes_last_7_days,
    CAST(opponent_defensive_rating_last_10 AS DOUBLE) AS opponent_defensive_rating_last_10,
    CAST(opponent_pace_last_10 AS DOUBLE) AS opponent_pace_last_10,
    CAST(points_line AS DOUBLE) AS points_line,
    CAST(two_pt_share_of_points_last_20 AS DOUBLE) AS two_pt_share_of_points_last_20,
    CAST(three_pt_share_of_points_last_20 AS DOUBLE) AS three_pt_share_of_points_last_20,
    CAST(ft_share_of_points_last_20 AS DOUBLE) AS ft_share_of_points_last_20,
    CAST(three_pt_pct_last_20 AS DOUBLE) AS three_pt_pct_last_20,
    CAST(opponent_points_allowed_avg AS DOUBLE) AS opponent_points_allowed_avg,
    CAST(opponent_two_pt_pct_allowed AS DOUBLE) AS opponent_two_pt_pct_allowed,
    CAST(opponent_three_pt_pct_allowed AS DOUBLE) AS opponent_three_pt_pct_allowed,
    CAST(opponent_ft_attempt_rate_allowed AS DOUBLE) AS opponent_ft_attempt_rate_allowed,
    CAST(fatigue_score AS DOUBLE) AS fatigue_score,
    CAST(pace_factor AS DOUBLE) AS pace_factor,
    CAST(defense_factor AS DOUBLE) AS defense_factor,
    CAST(home_factor AS DOUBLE) AS home_factor,
    CAST(
        concat(
            ';',
            'points_avg_last_5:player_daily_cache;',
            'points_avg_last_10:player_daily_cache;',
            'points_avg_season:player_daily_cache;',
            'points_trend:player_daily_cache;',
            'minutes_avg_last_5:player_daily_cache;',
            'minutes_avg_last_10:player_daily_cache;',
            'minutes_avg_season:player_daily_cache;',
            'minutes_trend:player_daily_cache;',
            'usage_rate_avg_last_10:player_daily_cache;',
            'ts_pct_last_10:player_daily_cache;',
            'ts_pct_season:player_daily_cache;',
            'three_pt_makes_avg_last_10:player_daily_cache;',
            'games_played_season:upcoming_player_game_context;',
            'days_rest:upcoming_player_game_context;',
            'back_to_back:upcoming_player_game_context;',
            'games_last_7_days:upcoming_player_game_context;',
            'minutes_last_7_days:upcoming_player_game_context;',
            'opponent_defensive_rating_last_10:upcoming_player_game_context;',
            'opponent_pace_last_10:upcoming_player_game_context;',
            'points_line:upcoming_player_game_context;',
            'two_pt_share_of_points_last_20:player_shot_zone_analysis;',
            'three_pt_share_of_points_last_20:player_shot_zone_analysis;',
            'ft_share_of_points_last_20:player_shot_zone_analysis;',
            'three_pt_pct_last_20:player_shot_zone_analysis;',
            'opponent_points_allowed_avg:team_defense_zone_analysis;',
            'opponent_two_pt_pct_allowed:team_defense_zone_analysis;',
            'opponent_three_pt_pct_allowed:team_defense_zone_analysis;',
            'opponent_ft_attempt_rate_allowed:team_defense_zone_analysis;',
            'fatigue_score:player_composite_factors;',
            'pace_factor:player_composite_factors;',
            'defense_factor:player_composite_factors;',
            'home_factor:player_composite_factors;'
        ) AS VARCHAR
    ) AS feature_sources,
    CAST(feature_quality AS VARCHAR) AS feature_quality
FROM marked
