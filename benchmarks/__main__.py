"""The command that runs benchmarks: all of them, or some by name.

python -m benchmarks [NAME ...] [--quick], or one of them with its options, as NAME --help lists. `--quick` runs the
smallest table of each: the tests run these, to check that they run.
"""

import argparse
import sys
from collections.abc import Callable

from benchmarks import (
    dedup,
    disturbed,
    durable,
    google,
    handoff,
    machines,
    night,
    page,
    peers,
    processes,
    reconcile,
    scrape,
    season,
    seasons,
    service,
    simulator,
    startup,
    statements,
    storm,
    writes,
)
from benchmarks.servers import NoServer

ALL: dict[str, Callable[[list[str]], None]] = {
    "season": season.main,
    "seasons": seasons.main,
    "storm": storm.main,
    "machines": machines.main,
    "disturbed": disturbed.main,
    "handoff": handoff.main,
    "peers": peers.main,
    "durable": durable.main,
    "google": google.main,
    "night": night.main,
    "statements": statements.main,
    "processes": processes.main,
    "dedup": dedup.main,
    "simulator": simulator.main,
    "reconcile": reconcile.main,
    "service": service.main,
    "page": page.main,
    "scrape": scrape.main,
    "writes": writes.main,
    "startup": startup.main,
}


def main(argv: list[str]) -> None:
    if len(argv) > 1 and argv[0] in ALL and argv[1].startswith("-"):
        run(argv[0], argv[1:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(ALL)}; default: all")
    parser.add_argument("--quick", action="store_true", help="the smallest table of each")
    given = parser.parse_args(argv)
    unknown = [name for name in given.names if name not in ALL]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; choose from {', '.join(ALL)}")
    for name in given.names or ALL:
        print(f"== {name}")
        run(name, ["--quick"] if given.quick else [])
        print()


def run(name: str, argv: list[str]) -> None:
    """Run one benchmark; one whose server is not there says so."""
    try:
        ALL[name](argv)
    except NoServer as missing:
        print(missing)


if __name__ == "__main__":
    main(sys.argv[1:])
