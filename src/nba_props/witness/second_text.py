"""The report on any second source, line by line and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nba_props.witness import printed
from nba_props.witness.compare import Disagreement, Game, Span
from nba_props.witness.printed import Named, WitnessedBySecond
from nba_props.witness.second import Player, PlayerCell, SecondReport
from nba_props.witness.text import FINE, FOUND, UNCHECKED, amount, cell_of, count, game_of


def second_lines(report: SecondReport, *, dates: Span) -> list[str]:
    """Return the lines of the report: every finding, then the verdict."""
    findings, unchecked = _findings(report), second_not_evaluated(report)
    sizes = count(report.team_games, "team-game", "team-games"), count(report.players, "player line", "player lines")
    return [
        f"{' and '.join(sizes)} compared, {dates[0]} to {dates[1]}",
        *(f"{_place(one)} {one.column}: {_both(one)}" for one in report.team_cells),
        *(f"{_person(one.player)} {one.column}: {_both(one)}" for one in report.player_cells),
        *(f"{_person(one)}: played, and the second source lacks this player" for one in report.missing_players),
        *(f"{_person(one)}: the second source has this player, our rows do not" for one in report.unknown_players),
        *(f"{_game(one)}: played, and the second source lacks it" for one in report.missing),
        *(f"{_game(one)}: the second source has it, our player rows do not" for one in report.unknown),
        *([f"FINDING: {', '.join(findings)}"] if findings else []),
        *(f"NOT EVALUATED: {reason}" for reason in unchecked),
        *([] if findings or unchecked else ["OK"]),
    ]


def second_exit_code(report: SecondReport) -> int:
    """Return 0 where all was compared and agrees, 1 for findings.

    2 where something was not compared; it has priority.
    """
    if second_not_evaluated(report):
        return UNCHECKED
    return FOUND if _findings(report) else FINE


def second_document(report: SecondReport, *, dates: Span) -> WitnessedBySecond:
    """Return the report as it is printed for programs."""
    return WitnessedBySecond(
        first=dates[0].isoformat(),
        last=dates[1].isoformat(),
        team_games=report.team_games,
        players=report.players,
        team_cells=tuple(cell_of(one) for one in report.team_cells),
        player_cells=tuple(
            printed.PlayerCell(**_named(one.player), column=one.column, ours=one.ours, theirs=one.theirs)
            for one in report.player_cells
        ),
        missing_games=tuple(game_of(one) for one in report.missing),
        unknown_games=tuple(game_of(one) for one in report.unknown),
        missing_players=tuple(Named(**_named(one)) for one in report.missing_players),
        unknown_players=tuple(Named(**_named(one)) for one in report.unknown_players),
        not_evaluated=tuple(second_not_evaluated(report)),
    )


def second_not_evaluated(report: SecondReport) -> list[str]:
    """Return what could not be compared, and why; empty if all was."""
    why = [f"{day}: {reason}" for day, reason in report.unread]
    if report.outside:
        days = [game.game_date for game in report.outside]
        why.append(f"{count(len(days), 'game', 'games')} from {min(days)} to {max(days)}: the second source does not "
                   "cover these dates")  # fmt: skip
    elif not report.team_games and not report.unread:
        nothing = (
            "the second source has none of our games" if report.missing else "our rows have no game on these dates"
        )
        why.append(f"nothing was compared: {nothing}")
    return why


def _findings(report: SecondReport) -> list[str]:
    counted: list[tuple[Sequence[object], str, str]] = [
        (report.team_cells, "team cell differs", "team cells differ"),
        (report.player_cells, "player cell differs", "player cells differ"),
        (report.missing_players, "player missing from the second source", "players missing from the second source"),
        (report.unknown_players, "player missing from our player rows", "players missing from our player rows"),
    ]
    games = ((report.missing, "the second source"), (report.unknown, "our player rows"))
    return [
        *(count(len(found), one, more) for found, one, more in counted if found),
        *(f"{amount(found)} missing from {where}" for found, where in games if found),
    ]


def _place(cell: Disagreement) -> str:
    return f"{cell.game_date} {cell.game_id} {cell.team_abbr}"


def _person(one: Player) -> str:
    return f"{one.game_date} {one.game_id} {one.team_abbr} {one.player_name} ({one.player_id})"


def _both(cell: Disagreement | PlayerCell) -> str:
    return f"{cell.ours}, the second source has {cell.theirs}"


def _game(game: Game) -> str:
    return f"{game.game_date} {game.game_id} {'-'.join(game.teams)}"


def _named(one: Player) -> dict[str, Any]:
    return {**one._asdict(), "game_date": one.game_date.isoformat()}
