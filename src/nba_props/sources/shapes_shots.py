"""Shots of shotchartdetail as raw rows. Pure.

Rows of `nba_raw.nbac_shot_chart`.
"""

from __future__ import annotations

from datetime import date

from nba_props.names import player_lookup
from nba_props.raw import RawRow
from nba_props.raw_tables import SHOTS, check_table, in_order
from nba_props.sources.shapes import Body, cell, refuse_other_league, regular_season_game, result_set
from nba_props.teams import team_of_id

_THREE = "3PT Field Goal"


def shot_rows(body: Body, *, where: str) -> list[RawRow]:
    """Return the shots of a shotchartdetail body, by game and event.

    Of one team or both.
    """
    refuse_other_league(body.get("parameters", {}).get("LeagueID"), where=where)
    rows: list[RawRow] = []
    for shot in result_set(body, "Shot_Chart_Detail", where=where):
        day = str(cell(shot, "GAME_DATE", where=where))
        name = str(cell(shot, "PLAYER_NAME", where=where))
        rows.append(
            {
                "game_date": date.fromisoformat(f"{day[:4]}-{day[4:6]}-{day[6:]}"),
                "game_id": regular_season_game(cell(shot, "GAME_ID", where=where), where=where),
                "event_number": cell(shot, "GAME_EVENT_ID", where=where),
                "player_lookup": player_lookup(name),
                "player_id": cell(shot, "PLAYER_ID", where=where),
                "player_name": name,
                "team_abbr": team_of_id(cell(shot, "TEAM_ID", where=where), where=where),
                "zone": cell(shot, "SHOT_ZONE_BASIC", where=where),
                "distance_ft": cell(shot, "SHOT_DISTANCE", where=where),
                "is_three": cell(shot, "SHOT_TYPE", where=where) == _THREE,
                "made": cell(shot, "SHOT_MADE_FLAG", where=where) == 1,
            }
        )
    ordered = in_order(SHOTS, rows)
    check_table(SHOTS, ordered, where=where)
    return ordered
