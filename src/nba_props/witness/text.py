"""The second witness's report, line by line, and its exit code.

The last lines are the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from nba_props.witness.compare import TOTAL_TURNOVERS, Disagreement, Game, Report, Span
from nba_props.witness.files import Known
from nba_props.witness.printed import Cell, GameOf, KnownCounts, WitnessedBoxes

FINE, FOUND, UNCHECKED = 0, 1, 2
TEAMS_OF_A_GAME = 2


def lines(report: Report, *, dates: Span, known: Known | None) -> list[str]:
    """Return the lines of the report.

    Every finding, then what is not a finding, then what could not be compared, then the verdict. `known`: the folder's
    list of known disagreements; None where it has no list.
    """
    return [
        f"{len(report.compared)} team-games compared, {dates[0]} to {dates[1]}",
        *(_cell(cell, report, known) for cell in report.disagreements),
        *(_known(known) if known else []),
        *(f"game {game}: the second source's box was never finalised" for game in report.never_finalised),
        *(f"{_game(game)}: played, and the second source lacks it" for game in report.missing),
        *(_whole_date(day, report.missing) for day in report.missing_dates),
        *(f"{_game(game)}: the second source has it, our player rows do not" for game in report.unknown),
        *_not_played(report),
        *_stand_in(report),
        *(_verdict(report, known) or ["OK"]),
    ]


def document(report: Report, *, dates: Span, known: Known | None) -> WitnessedBoxes:
    """Return the report as it is printed for programs."""
    counts = None if known is None else KnownCounts(**{name: len(found) for name, found in known._asdict().items()})
    return WitnessedBoxes(
        first=dates[0].isoformat(),
        last=dates[1].isoformat(),
        team_games=len(report.compared),
        team_cells=tuple(cell_of(one) for one in report.disagreements),
        never_finalised=report.never_finalised,
        missing_games=tuple(game_of(one) for one in report.missing),
        unknown_games=tuple(game_of(one) for one in report.unknown),
        postponed_games=tuple(game_of(one) for one in report.put_off),
        known=counts,
        not_evaluated=tuple(_not_evaluated(report)),
    )


def cell_of(one: Disagreement) -> Cell:
    """Return a difference as it is printed for programs."""
    return Cell(**{**one._asdict(), "game_date": one.game_date.isoformat()})


def game_of(one: Game) -> GameOf:
    """Return a game as it is printed for programs."""
    return GameOf(game_date=one.game_date.isoformat(), game_id=one.game_id, teams=one.teams)


def exit_code(report: Report, known: Known | None) -> int:
    """Return 0 where all was compared and agrees, 1 for findings.

    2 where something was not compared; it has priority.
    """
    if _not_evaluated(report):
        return UNCHECKED
    return FOUND if _findings(report, known) else FINE


def _cell(cell: Disagreement, report: Report, known: Known | None) -> str:
    assumed = cell.column == TOTAL_TURNOVERS and (cell.game_id, cell.team_abbr) in report.assumed
    ours = f"{cell.ours} (the players' sum and the second source's team turnovers)" if assumed else str(cell.ours)
    new = " (new)" if known and cell in known.new else ""
    return f"{_place(cell)}: {ours}, the second source has {cell.theirs}{new}"


def _place(cell: Disagreement) -> str:
    return f"{cell.game_date} {cell.game_id} {cell.team_abbr} {cell.column}"


def _known(known: Known) -> list[str]:
    sizes = len(known.found), len(known.unseen), len(known.gone)
    notes = [(cell, "not to be seen from player rows") for cell in known.unseen]
    notes += [(cell, "they agree now") for cell in known.gone]
    return [
        *(f"{_place(cell)}: known, {cell.ours} against {cell.theirs}, and {what}" for cell, what in notes),
        f"{count(sum(sizes), 'disagreement is', 'disagreements are')} known of these team-games: {sizes[0]} found "
        f"again, {sizes[1]} not to be seen, {sizes[2]} gone",
    ]


def _stand_in(report: Report) -> list[str]:
    """Return a line on the column that is compared only in part."""
    if not report.assumed:
        return []
    return [f"{TOTAL_TURNOVERS} of {count(len(report.assumed), 'team-game', 'team-games')}: our player rows have no "
            "team turnovers, the players' sum and the second source's own team turnovers stand in: one that a single "
            "source counted is not seen; the league's totals come with --team-log"]  # fmt: skip


def _game(game: Game) -> str:
    return f"{game.game_date} {game.game_id} {'-'.join(game.teams)}"


def _whole_date(day: date, missing: Iterable[Game]) -> str:
    games = sum(game.game_date == day for game in missing)
    return f"{day}: the second source lacks every game of this date, and {count(games, 'was', 'were')} played"


def _not_played(report: Report) -> list[str]:
    """Return what looks like a missing game and is not one.

    And the dates of which that is not known.
    """
    teams = ((game.game_date, "-".join(game.teams)) for game in report.put_off)
    notes = [f"{day} {names}: put off, so not missing" for day, names in teams]
    if report.not_played:
        notes.append(f"not played, so not missing: no regular-season game on {_ranges(report.not_played)}")
    if report.not_covered:
        notes.append(f"not known: no season of the folder covers {_ranges(report.not_covered)}")
    return notes


def _verdict(report: Report, known: Known | None) -> list[str]:
    findings = _findings(report, known)
    return [*([f"FINDING: {', '.join(findings)}"] if findings else []), *_not_evaluated(report)]


def _findings(report: Report, known: Known | None) -> list[str]:
    unseen, gone = (len(known.unseen), len(known.gone)) if known else (0, 0)
    cells, unfinished = len(report.disagreements), len(report.never_finalised)
    missing, unknown, dates = amount(report.missing), amount(report.unknown), len(report.missing_dates)
    whole = f" ({count(dates, 'whole date', 'whole dates')})" if dates else ""
    return [
        *([count(cells, "cell differs", "cells differ")] if cells else []),
        *([f"{count(unseen, 'known cell', 'known cells')} not to be seen from player rows"] if unseen else []),
        *([count(gone, "known cell agrees now", "known cells agree now")] if gone else []),
        *([count(unfinished, "box was never finalised", "boxes were never finalised")] if unfinished else []),
        *([f"{missing} missing from the second source{whole}"] if missing else []),
        *([f"{unknown} missing from our player rows"] if unknown else []),
    ]


def amount(games: Sequence[Game]) -> str:
    """Return the number of games that lack both boxes, and of single boxes."""
    whole = sum(len(game.teams) == TEAMS_OF_A_GAME for game in games)
    counts = (count(whole, "game", "games"), count(len(games) - whole, "box", "boxes"))
    return " and ".join(text for text in counts if not text.startswith("0 "))


def _not_evaluated(report: Report) -> list[str]:
    why = []
    if report.outside:
        days = [game.game_date for game in report.outside]
        begin, end = report.span
        why.append(f"{count(len(days), 'game', 'games')} from {min(days)} to {max(days)}: the second source's files "
                   f"span {begin} to {end} only")  # fmt: skip
    elif not report.compared:
        nothing = (
            "the second source has none of our games" if report.missing else "our rows have no game on these dates"
        )
        why.append(f"nothing was compared: {nothing}")
    return [f"NOT EVALUATED: {reason}" for reason in why]


def count(number: int, one: str, more: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else more}"


def _ranges(days: Sequence[date]) -> str:
    """Write ascending dates as dates and ranges.

    >>> _ranges([date(2025, 2, day) for day in (1, 14, 15, 16)])
    '2025-02-01, 2025-02-14 to 2025-02-16'
    """
    spans: list[Span] = []
    for day in days:
        if spans and day - spans[-1][1] == timedelta(days=1):
            spans[-1] = spans[-1][0], day
        else:
            spans.append((day, day))
    return ", ".join(f"{begin}" if begin == end else f"{begin} to {end}" for begin, end in spans)
