"""Points lines of bookmakers: one row per player, bookmaker and date.

The files (`odds/*.parquet`) are captures of the-odds-api, appended: `source_file` names the UTC date of the capture and
nothing finer, so it counts from midnight UTC on. A line is repeated in every capture and side, it changes from one
capture to the next, a price may be a sentinel, and a few captures were made during a game.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

from nba_props.errors import DataError
from nba_props.names import Matches, find_collisions, has_lookup, match_names
from nba_props.notices import Notice
from nba_props.raw import RawRow
from nba_props.raw_tables import PROPS, check_table, in_order
from nba_props.sources import eastern_date
from nba_props.sources.parquet_file import query

MARKET = "player_points"
PRICE_MAX = 5_000
"""American odds beyond this are not a price: one bookmaker writes -10000 and -100000 where it has none."""


_Key: TypeAlias = tuple[date, str, str]
"""Date, lookup and bookmaker of a row."""


class Quote(NamedTuple):
    """One side of one line in one capture.

    `event` is the bookmaker's id of the game.
    """

    player: str
    bookmaker: str
    side: str
    line: float
    price: int
    event: str
    commences: datetime
    captured: datetime


class Line(NamedTuple):
    """A line in one capture.

    `whole`: with both sides.
    """

    points: float
    over: int | None
    under: int | None
    whole: bool


class OddsBook:
    """The rows of each date, and the problems that were found.

    `known`: the league's players of the season, (id, name). `matches`: how names were mapped. `two_events`: (date,
    lookup, bookmaker) with lines for two games, which are two players of one lookup, so that neither has a row.
    `namesakes`: the lookups that several of the known players share: the player of such a line is unknown, so none is
    stored. `in_play`: how many sides of a date were captured after the tip-off, and left out.
    """

    def __init__(
        self, quotes: Iterable[Quote], *, known: Iterable[tuple[int, str]], left_out: Iterable[Notice] = ()
    ) -> None:
        players = list(known)
        self._left_out = list(left_out)
        every = list(dict.fromkeys(quotes))  # without full duplicates
        before = [quote for quote in every if not _in_play(quote)]
        self.in_play = Counter(eastern_date(quote.commences) for quote in every if _in_play(quote))
        self.namesakes = frozenset(find_collisions(players))
        self.matches: Matches = match_names((quote.player for quote in before), known=[name for _, name in players])
        self.two_events: tuple[tuple[date, str, str], ...] = ()
        self._offered: dict[str, set[date]] = {}
        for quote in before:
            self._offered.setdefault(quote.player, set()).add(eastern_date(quote.commences))
        self._quotes = self._tidy(before)

    def rows(self, day: date, *, at: datetime | None = None) -> list[RawRow]:
        """Return the rows of `raw_tables.PROPS` for the games of a date.

        By player and bookmaker. `at`: only from the captures at that moment and before; None: from all.
        """
        rows = []
        for key, quotes in self._quotes.get(day, {}).items():
            seen = [quote for quote in quotes if at is None or quote.captured <= at]
            if seen:
                rows.append(_row(seen, key=key))
        ordered = in_order(PROPS, rows)
        check_table(PROPS, ordered, where=f"odds of {day}")
        return ordered

    def dates(self) -> list[date]:
        """Return the dates that have rows, ascending."""
        return sorted(self._quotes)

    def notices(self) -> list[Notice]:
        """Return the notices on lines left out and names without a player."""
        texts: list[tuple[tuple[date, ...], str]] = [
            ((day,), f"{sides} sides of lines of {day} were captured during the game and left out")
            for day, sides in sorted(self.in_play.items())
        ]
        texts += [
            ((day,), f"the lines of {bookmaker} for {lookup!r} on {day} are of two games, so of two players, and left "
                     "out; tell the players apart by name at the source")
            for day, lookup, bookmaker in self.two_events
        ]  # fmt: skip
        texts += [
            (self._dates_of([name]), f"no player of the season is called {name!r}: the lines are stored, but in no "
                                     "forecast; if it is a spelling, add it to nba_props.names.ALIASES")
            for name in self.matches.unmatched
        ]  # fmt: skip
        texts += [
            (self._dates_of(names), f"{', '.join(map(repr, names))} might be the player {lookup!r}, whom another name "
                                    "claims too: the lines join no forecast; tell the names apart at the source")
            for lookup, names in self.matches.shared.items()
        ]  # fmt: skip
        return [*self._left_out, *(Notice(PROPS.name, dates, text) for dates, text in texts)]

    def _dates_of(self, names: Iterable[str]) -> tuple[date, ...]:
        return tuple(sorted(set().union(*(self._offered[name] for name in names))))

    def _tidy(self, quotes: Sequence[Quote]) -> dict[date, dict[_Key, list[Quote]]]:
        """Return the quotes of each date by row.

        Quotes of two games, or of a shared lookup, are left out.
        """
        groups: dict[_Key, list[Quote]] = {}
        for quote in quotes:
            key = (eastern_date(quote.commences), self.matches.lookups[quote.player], quote.bookmaker)
            if key[1] not in self.namesakes:
                groups.setdefault(key, []).append(quote)
        by_date: dict[date, dict[_Key, list[Quote]]] = {}
        for key, group in groups.items():
            if len({quote.event for quote in group}) > 1:
                self.two_events = tuple(sorted({*self.two_events, key}))
            else:
                by_date.setdefault(key[0], {})[key] = group
        return by_date


def read_odds(folder: Path, *, known: Iterable[tuple[int, str]]) -> OddsBook:
    """Return the lines of a folder's `odds/*.parquet`.

    `known`: the league's (id, name). Without a file the book is empty. A line that cannot be read is left out alone.
    """
    left_out: list[Notice] = []
    files = sorted((folder / "odds").glob("*.parquet"))
    quotes = [quote for path in files for quote in _quotes(path, left_out=left_out)]
    return OddsBook(quotes, known=known, left_out=left_out)


def _quotes(path: Path, *, left_out: list[Notice]) -> Iterable[Quote]:
    found = query(
        path,
        f"""
        SELECT DISTINCT player, bookmaker, side, TRY_CAST(line AS DOUBLE), TRY_CAST(price AS INTEGER), game_id,
               commence_time, CAST(try_strptime(source_file, '%m_%d_%Y.csv') AS DATE)
        FROM read_parquet($path) WHERE market = '{MARKET}' ORDER BY ALL
        """,
    )
    for number, cells in enumerate(found, start=1):
        *same, commences, day = cells
        begins = _moment(commences)
        if begins is None or None in cells or not (isinstance(cells[0], str) and has_lookup(cells[0])):
            days = () if begins is None else (eastern_date(begins),)
            error = DataError(
                str(path),
                problem=f"line {number} has a cell that is empty or unreadable: {cells}",
                fix="capture it again",
            )
            left_out.append(Notice(PROPS.name, days, f"left out: {error}", held_back=True))
            continue
        player, bookmaker, side, line, price, event = cast("tuple[str, str, str, float, int, str]", tuple(same))
        yield Quote(
            player=player,
            bookmaker=bookmaker,
            side=side,
            line=line,
            price=price,
            event=event,
            commences=begins,
            captured=datetime.combine(cast("date", day), datetime.min.time(), tzinfo=UTC),
        )


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _in_play(quote: Quote) -> bool:
    """Return whether a line was certainly captured after the tip-off.

    A scheduled start is a whole minute, a real one is not. A game that begins at the very moment from which a capture
    counts is not certainly in play.
    """
    return quote.commences < quote.captured or quote.commences.second != 0


def _row(quotes: Sequence[Quote], *, key: _Key) -> RawRow:
    by_capture: dict[datetime, list[Quote]] = {}
    for quote in quotes:
        by_capture.setdefault(quote.captured, []).append(quote)
    shown = {moment: _main_line(by_capture[moment]) for moment in sorted(by_capture)}
    # A line with one side is a special offer: it counts only where the bookmaker has shown nothing else.
    lines = {moment: line for moment, line in shown.items() if line.whole} or shown
    points = [line.points for line in lines.values()]
    newest = max(lines)
    return {
        "game_date": key[0],
        "player_lookup": key[1],
        "bookmaker": key[2],
        "player_name": max(by_capture[newest]).player.strip(),
        "points_line": points[-1],
        "over_price": _price(lines[newest].over),
        "under_price": _price(lines[newest].under),
        "line_first": points[0],
        "line_moves": sum(before != after for before, after in pairwise(points)),
        "captured_at": newest,
    }


def _main_line(quotes: Sequence[Quote]) -> Line:
    """Return the line of one capture.

    One with both sides before one with a single side, then the lower.
    """
    sides: dict[float, dict[str, int]] = {}
    for quote in sorted(quotes):
        sides.setdefault(quote.line, {}).setdefault(quote.side, quote.price)
    points, prices = min(sides.items(), key=lambda item: (len(item[1]) < 2, item[0]))
    return Line(points, prices.get("Over"), prices.get("Under"), len(prices) == 2)


def _price(price: int | None) -> int | None:
    return price if price is not None and abs(price) < PRICE_MAX else None
