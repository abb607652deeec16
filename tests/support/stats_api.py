"""stats.nba.com as far as it was recorded: answers from the bodies of `api_json`, in process or over loopback HTTP.

Recorded as they are: the season's schedule of 2023-24, the shots of two games, a log of teams. Put together, because
nobody recorded them: the shots of both teams of a game (recorded is one answer for each team), and the log of players
(the real rows of the folder's parquet file in the envelope of the recorded log of teams). Invented: the schedules of
2016-17 and 2021-22, which name the one game of the season whose shots were recorded.
"""

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import duckdb

from tests.support import league_bodies as bodies

PLANNED = {
    "2016-17": bodies.planned("0021600270", day="2016-11-30", teams=("OKC", "WAS")),
    "2021-22": bodies.planned("0022100732", day="2022-01-26", teams=("POR", "DAL")),
}


class StatsApi:
    """Answers an endpoint; LookupError for what was not recorded, AssertionError for what no recording asked so."""

    def __init__(self, nba_data: Path) -> None:
        self._folder = nba_data
        self.asked: list[tuple[str, dict[str, str]]] = []

    def answer(self, endpoint: str, asked: Mapping[str, str]) -> bodies.Body:
        self.asked.append((endpoint, dict(asked)))
        return {
            "scheduleleaguev2": self._schedule,
            "shotchartdetail": self._shots,
            "leaguegamelog": self._log,
        }[endpoint](asked)

    def body(self, name: str) -> bodies.Body:
        path = self._folder / "api_json" / name
        content = path.read_bytes()
        found: bodies.Body = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        return found

    def _schedule(self, asked: Mapping[str, str]) -> bodies.Body:
        if asked["Season"] == "2023-24":
            return self.body("cdn_scheduleleaguev2_2023-24.json.gz")
        return bodies.league_schedule(PLANNED[asked["Season"]])

    def _shots(self, asked: Mapping[str, str]) -> bodies.Body:
        home, away = (self.body(f"stats_shotchartdetail_{asked['GameID']}_{side}.json") for side in ("home", "away"))
        for body in (home, away):
            same_question(asked, body["parameters"], but={"TeamID"})
        assert asked["TeamID"] == "0"
        whole = json.loads(json.dumps(home))
        whole["resultSets"][0]["rowSet"] += away["resultSets"][0]["rowSet"]  # type: ignore[index]
        return whole  # type: ignore[no-any-return]

    def _log(self, asked: Mapping[str, str]) -> bodies.Body:
        teams = self.body("stats_leaguegamelog_team_2018-19.json")
        same_question(asked, teams["parameters"], but={"PlayerOrTeam", "Season", "Direction", "DateFrom", "DateTo"})
        if asked["PlayerOrTeam"] == "T":
            return teams
        first, last = (datetime.strptime(asked[name], "%m/%d/%Y").date() for name in ("DateFrom", "DateTo"))  # noqa: DTZ007
        path = self._folder / "nba" / f"player_game_{asked['Season']}.parquet"
        found = duckdb.execute(
            "SELECT * EXCLUDE (SEASON_LABEL) REPLACE (CAST(SEASON_ID AS VARCHAR) AS SEASON_ID) "
            f"FROM '{path}' WHERE CAST(GAME_DATE AS DATE) BETWEEN ? AND ? ORDER BY ALL",
            [first, last],
        )
        headers = [column[0] for column in found.description or []]
        players = {"name": "LeagueGameLog", "headers": headers, "rowSet": [list(row) for row in found.fetchall()]}
        return {**teams, "parameters": dict(asked), "resultSets": [players]}


def same_question(asked: Mapping[str, str], recorded: object, *, but: set[str]) -> None:
    """Hold a question against the one whose answer was recorded: the service refuses one that lacks a parameter."""
    assert isinstance(recorded, dict)
    assert recorded.keys() <= asked.keys(), recorded.keys() - asked.keys()
    for name in recorded.keys() - but:
        assert asked[name] == str(recorded[name] or ("0" if recorded[name] == 0 else "")), name


class Loopback:
    """The same over HTTP; `refuse` is answered first: status and text, or None for a connection that breaks off."""

    def __init__(self, api: StatsApi) -> None:
        self.refuse: list[tuple[int, str] | None] = []
        self.heard: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                outer.heard.append((address.path, dict(self.headers.items())))
                refusal = outer.refuse.pop(0) if outer.refuse else (200, "")
                if refusal is None:
                    self.connection.close()
                    return
                status, text = refusal
                asked = dict(parse_qsl(address.query, keep_blank_values=True))
                text = text or json.dumps(api.answer(address.path.rpartition("/")[2], asked))
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's own name
                del format, args

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def serving(api: StatsApi) -> Iterator[Loopback]:
    made = Loopback(api)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()
