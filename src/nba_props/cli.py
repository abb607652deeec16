"""The command line `nba-props`: `run`, `schema`, `demo` and `witness`."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from nba_props import PLAN
from nba_props.errors import DataError
from nba_props.replay.options import FORM, MODES, USUAL
from nba_props.sources.named import NBA_DATA, environment, named_source
from phasegate import PhasegateError, __version__

if TYPE_CHECKING:
    from nba_props.calendar import Gaps
    from nba_props.printed import Summary
    from nba_props.replay.report import Remarks
    from nba_props.replay.tally import Replay
    from nba_props.sources import Source

LINES_MAX = 20


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Run the NBA props analytics: box scores, analytics, precompute."""


@cli.command()
@click.option("--from", "first", required=True, metavar="D", help="First date, YYYY-MM-DD.")
@click.option("--to", "last", required=True, metavar="D", help="Last date, YYYY-MM-DD.")
@click.option("--data", type=click.Path(path_type=Path), help=f"Folder of LeagueGameLog parquet. Default: ${NBA_DATA}.")
@click.option("--synthetic", is_flag=True, help="Invented nights instead of data; games on every date.")
@click.option(
    "--recorded", type=click.Path(path_type=Path), help="Folder of recorded responses of the league's services."
)
@click.option("--live", is_flag=True, help="The league's services themselves; needs the extra `live`.")
@click.option("--source", "named", metavar="NAME", help="A source by its name: module:Class, csv:MAPPING, a folder.")
@click.option("--state", type=click.Path(path_type=Path), default=Path(".nba-props"), show_default=True,
              help="Folder of documents and tables. The same replay may be started again on it.")  # fmt: skip
@click.option("--faults", default="", metavar="LIST", help=f"What goes wrong on purpose, for example {FORM}.")
@click.option(
    "--mode",
    "modes",
    multiple=True,
    type=click.Choice(MODES),
    help=f"Play this mode; may be repeated. Default: {' and '.join(USUAL)}.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
              help="How many workers at once.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def run(  # noqa: PLR0913  one parameter for each option
    *, first: str, last: str, data: Path | None, synthetic: bool, recorded: Path | None, live: bool,
    named: str | None, state: Path, faults: str, modes: tuple[str, ...], workers: int, as_json: bool,
) -> None:  # fmt: skip
    """Replay dates through all phases, and print the result.

    Exit code 0: every gate fired and everything is settled, or there were no games. 1: something needs a person, or
    dates have drifted, or the source has no rows of games that were played, or it is not known whether there were
    games. 2: bad input.

    Example: nba-props run --synthetic --from 2026-02-01 --to 2026-02-07 --faults duplicate=3,reorder
    """
    from nba_props.calendar import Gaps, gaps
    from nba_props.replay.faults import parse_faults
    from nba_props.replay.report import remarks
    from nba_props.replay.runner import Runner
    from phasegate import SystemClock

    days = _span(first, last)
    is_live = live or named == "live"
    if is_live and faults:
        raise DataError("--faults", problem="disturbs replays, and --live is not a replay", fix="leave one of them out")
    with redirect_stdout(sys.stderr):  # what a class of the user prints is no part of the summary
        name, source = _source(data, synthetic=synthetic, recorded=recorded, live=live, source=named)
    runner = Runner(
        source,
        state=state,
        faults=parse_faults(faults),
        modes=[mode for mode in MODES if mode in (modes or USUAL)],
        clock=SystemClock() if is_live else None,
        workers=workers,
    )
    quiet = as_json or not sys.stderr.isatty()

    def show(day: date, games: int) -> None:
        if not quiet:
            click.echo(f"\r{day}  {games} games ", err=True, nl=False)

    with redirect_stdout(sys.stderr):
        try:
            replay = runner.run(*days, progress=show)
            report = runner.in_thread(lambda: remarks(runner.pipeline, source, replay, first=days[0], last=days[1]))
        finally:
            runner.close()
        # without a replayed date, only a span of dates without games is a success
        off = Gaps() if replay.dates else gaps(source, *days)
    if not quiet:
        click.echo(err=True)
    click.echo(_as_json(replay, report, off) if as_json else _as_text(replay, report, off))
    if not as_json:
        given = "" if os.environ.get(NBA_DATA) == name else f"{NBA_DATA}={shlex.quote(name)} "
        command = ["phasegate", "--plan", str(PLAN), "--state", str(state)]
        if replay.drifted:
            dates = [on for on, _ in replay.drifted]
            again = ["backfill", "--from", min(dates), "--to", max(dates), "--cascade"]
            click.echo(f"rebuild what drifted: {given}{shlex.join([*command, *again])}")
        click.echo(f"inspect it: {given}{shlex.join([*command, 'status'])}")
    sys.exit(1 if any(off) or replay.unsettled or replay.drifted or replay.dead_letters or report.held_back else 0)


@cli.command()
@click.argument("command", type=click.Choice(["run", "witness"]), default="run")
def schema(*, command: str) -> None:
    """Print the JSON Schema of what `nba-props COMMAND --json` prints.

    COMMAND: run or witness; without one, run.

    Example: nba-props schema > run.schema.json
    """
    from nba_props import printed

    click.echo(json.dumps(printed.schema(command), indent=2))


@cli.command(short_help="Replay the night of 3 February 2026, twice.")
@click.option("--state", type=click.Path(path_type=Path), default=Path("phasegate-demo"), show_default=True,
              help="Folder of the demo; an earlier demo's is emptied.")  # fmt: skip
@click.option("--serve", is_flag=True, help="Then serve the page on that night, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, metavar="N",
              help="The port of the page; 0 is any free one.")  # fmt: skip
def demo(*, state: Path, serve: bool, port: int) -> None:
    """Replay the night of 3 February 2026: old hand-off, then Phasegate.

    Example: nba-props demo --serve
    """
    from nba_props.demo.night import run_demo
    from nba_props.demo.page import serve_demo

    clean = run_demo(state, write=click.echo)
    if serve:
        code = serve_demo(state, port=port, write=click.echo)
    else:
        code = 0
        click.echo("\nThe same night as a page: make demo ARGS=--serve, or nba-props demo --serve")
    sys.exit(code if clean else 1)


@cli.command()
@click.option("--from", "first", required=True, metavar="D", help="First date, YYYY-MM-DD.")
@click.option("--to", "last", required=True, metavar="D", help="Last date, YYYY-MM-DD.")
@click.option("--data", type=click.Path(path_type=Path), help=f"Folder with nba/ and espn/. Default: ${NBA_DATA}.")
@click.option("--team-log", "logs", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A recorded leaguegamelog of teams (PlayerOrTeam=T): the league's totals of turnovers.")  # fmt: skip
@click.option("--state", type=click.Path(path_type=Path), help="Compare the rows stored in this folder of a run.")
@click.option("--source", "named", metavar="NAME",
              help="The second source: module:Class, csv:MAPPING, a folder. Default: ESPN's boxes.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def witness(
    *, first: str, last: str, data: Path | None, logs: tuple[Path, ...], state: Path | None, named: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Compare our player rows with a second source.

    With ESPN's team box scores, by team; with --source, by team and player. Prints every difference. Exit code 0: all
    of it agrees. 1: they differ, or one of them lacks games or players. 2: bad input, or nothing or not all could be
    compared; it has priority over 1.

    Example: nba-props witness --from 2024-10-22 --to 2024-11-05
    """
    days = _span(first, last)
    if data is not None and state is not None:
        raise DataError("--state", problem="--data is given too", fix="leave one of them out")
    if named is not None:
        if logs:
            raise DataError(
                "--team-log", problem="is of ESPN's boxes, and --source is given", fix="leave one of them out"
            )
        _witness_second(days, data, state=state, named=named, as_json=as_json)
    if state is not None:
        raise DataError("--state", problem="needs a second source", fix="name it with --source")
    _witness_espn(days, data, logs=logs, as_json=as_json)


def _witness_espn(days: tuple[date, date], data: Path | None, *, logs: Sequence[Path], as_json: bool) -> NoReturn:
    from nba_props.sources.parquet import ParquetSource
    from nba_props.witness.compare import compare
    from nba_props.witness.files import match_known, read_known, read_team_log
    from nba_props.witness.text import document, exit_code, lines

    folder = _folder(data)
    source = ParquetSource(folder)
    totals = {team_game: count for log in logs for team_game, count in read_team_log(log).items()}
    rows = [row for day in source.dates(*days) for row in source.batch(day)]
    report = compare(rows, folder=folder, dates=days, seasons=source.coverage(*days), league_total_turnovers=totals)
    listed = read_known(folder)
    known = None if listed is None else match_known(report, listed)
    if as_json:
        click.echo(_spelled_json(document(report, dates=days, known=known)))
    else:
        click.echo("\n".join(lines(report, dates=days, known=known)))
    sys.exit(exit_code(report, known))


def _witness_second(
    days: tuple[date, date], data: Path | None, *, state: Path | None, named: str, as_json: bool
) -> NoReturn:
    from nba_props.witness.second import compare_second, dates_of
    from nba_props.witness.second_text import second_document, second_exit_code, second_lines
    from nba_props.witness.stored import read_stored

    with redirect_stdout(sys.stderr):
        theirs = named_source(named)
        if state is not None:
            stored = read_stored(state, dates=days)
            report = compare_second(lambda day: stored.get(day, []), theirs, dates=dates_of(stored, theirs, span=days))
        else:
            ours = named_source(str(data.absolute()) if data else environment(where="--data"))
            report = compare_second(ours.batch, theirs, dates=dates_of(ours.dates(*days), theirs, span=days))
    if as_json:
        click.echo(_spelled_json(second_document(report, dates=days)))
    else:
        click.echo("\n".join(second_lines(report, dates=days)))
    sys.exit(second_exit_code(report))


def main() -> None:
    """Run the command line; expected errors are one line and exit code 2."""
    try:
        cli(prog_name="nba-props", standalone_mode=False)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.Abort:
        click.echo("nba-props: stopped; start it again with the same arguments to continue", err=True)
        sys.exit(130)
    except click.ClickException as e:
        click.echo(f"nba-props: {_usage(e)}", err=True)
        sys.exit(2)
    except (DataError, PhasegateError) as e:
        click.echo(f"nba-props: {e}", err=True)
        sys.exit(2)


def _usage(error: click.ClickException) -> str:
    """Return what is wrong with the arguments, and the help to read."""
    text = error.format_message()
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return text if ctx is None or text.endswith("?") else f"{text.rstrip('.')}; see {ctx.command_path} --help"


def _span(first: str, last: str) -> tuple[date, date]:
    days = _date(first, "--from"), _date(last, "--to")
    if days[0] > days[1]:
        raise DataError("--from", problem=f"{first} is after --to {last}", fix="swap them")
    return days


def _date(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DataError(option, problem=f"{text!r} is no date", fix="write YYYY-MM-DD, such as 2026-02-03") from None


def _source(
    data: Path | None, *, synthetic: bool, recorded: Path | None, live: bool, source: str | None
) -> tuple[str, Source]:
    """Return the source, and how NBA_DATA names it."""
    given = {"--data": data is not None, "--synthetic": synthetic, "--recorded": recorded is not None, "--live": live,
             "--source": source is not None}  # fmt: skip
    named = [option for option, is_given in given.items() if is_given]
    if len(named) > 1:
        raise DataError(named[1], problem=f"{named[0]} is given too", fix="leave one of them out")
    if data is not None:
        from nba_props.sources.parquet import ParquetSource

        # absolute: the name of a folder could also be one of the words
        return str(data.absolute()), ParquetSource(data)
    if source is not None:
        name = source
    elif recorded is not None:
        name = f"recorded:{recorded}"
    elif synthetic or live:
        name = "synthetic" if synthetic else "live"
    else:
        name = environment(where="--data")
    return name, named_source(name)


def _folder(data: Path | None) -> Path:
    folder = data or (Path(os.environ[NBA_DATA]) if os.environ.get(NBA_DATA) else None)
    if folder is None:
        raise DataError(
            "--data", problem=f"is missing and {NBA_DATA} is not set", fix="name a folder with nba/ and espn/"
        )
    return folder


def _summary(replay: Replay, report: Remarks, off: Gaps) -> Summary:
    from nba_props.printed import Gate, Summary, Table

    tally = replay.tally
    return Summary(
        dates=replay.dates,
        games=replay.games,
        tables={name: Table(rows=rows, digest=digest) for name, (rows, digest) in replay.tables.items()},
        gates={name: Gate(fired=fired, generations=g) for name, (fired, g) in replay.gates.items()},
        duplicates_removed=tally.duplicates_removed,
        refused_as_stale=tally.refused_as_stale,
        inputs_changed=tally.inputs_changed,
        dead_letters=replay.dead_letters,
        unsettled=tuple(replay.unsettled),
        drifted=tuple(line for _, line in replay.drifted),
        missing_dates=tuple(day.isoformat() for day in off.missing),
        unknown_dates=tuple(day.isoformat() for day in off.unknown),
        not_fetched=tuple(report.not_fetched),
        held_back=tuple(report.held_back),
        to_check=tuple(report.to_check),
        crashes=replay.crashes,
        builds=dict(sorted(tally.builds.items())),
        seconds={name: round(s, 3) for name, s in sorted(tally.seconds.items())},
        seconds_total=round(replay.seconds, 3),
    )


def _as_json(replay: Replay, report: Remarks, off: Gaps) -> str:
    return _spelled_json(_summary(replay, report, off))


def _spelled_json(document: object) -> str:
    from msgspec import to_builtins

    return json.dumps(to_builtins(document), indent=2)


def _as_text(replay: Replay, report: Remarks, off: Gaps) -> str:
    lines = [f"{_counted(replay.dates, 'date')}, {_counted(replay.games, 'game')} in {replay.seconds:.1f} s", ""]
    lines += [f"{'table':44}{'rows':>8}  digest"]
    lines += [f"{name:44}{rows:>8}  {digest}" for name, (rows, digest) in replay.tables.items()]
    lines += ["", f"{'gate':44}{'runs':>8}  generations"]
    lines += [f"{name:44}{fired:>8}  {generations}" for name, (fired, generations) in replay.gates.items()]
    lines += ["", f"{'step':44}{'builds':>8}  seconds"]
    tally = replay.tally
    lines += [f"{name:44}{count:>8}  {tally.seconds.get(name, 0.0):.1f}" for name, count in tally.builds.items()]
    lines += ["", f"duplicates removed {tally.duplicates_removed}, refused as stale {tally.refused_as_stale}, "
                  f"requests whose inputs had changed {tally.inputs_changed}, dead letters {replay.dead_letters}, "
                  f"processes killed {replay.crashes}"]  # fmt: skip
    lines += [f"not settled: {line}" for line in replay.unsettled[:LINES_MAX]]
    found = {"drifted": [line for _, line in replay.drifted], "not fetched": report.not_fetched,
             "held back": report.held_back, "to check": report.to_check}  # fmt: skip
    lines += [f"{what}: {line}" for what, entries in found.items() for line in entries[:LINES_MAX]]
    for what, entries in found.items():
        if len(entries) > LINES_MAX:
            lines.append(f"{what}: {len(entries) - LINES_MAX} more; see --json")
    if off.missing:
        lines.append(f"nothing was done: there are games on {_spelled(off.missing)}, and the source has none of them")
    if off.unknown:
        lines.append(f"nothing was done: the schedule does not show whether there are games on {_spelled(off.unknown)}")
    if not (replay.dates or any(off)):
        lines.append("no games between these dates: nothing to do")
    return "\n".join(lines)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _spelled(days: Sequence[date]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} dates, {days[0]} to {days[-1]}"
