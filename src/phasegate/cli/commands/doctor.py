"""``phasegate doctor``: check your own documents, without a plan."""

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.found import bare_lines, check_lines
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, names, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.answers.times import Times
    from phasegate.base.findings import Finding
    from phasegate.interop.diagnosis import Expected
    from phasegate.interop.doctor import Diagnosis
    from phasegate.printed.checks import DiagnosedJson

DAYS = 7
SHOWN_MAX = 10
# What Phasegate does where another hand-off has this finding.
INSTEAD = {
    "PG001": "no count is stored: it is derived from the named members each time",
    "PG002": "every delivery decides again, duplicates included: the phase fires with the last member",
    "PG003": "the decision and the trigger to send are one write; it is sent until it is acknowledged",
    "PG004": "a trigger is sent again until the next phase has begun; status shows it",
    "PG005": "every write leaves a receipt; what was written and not reported is found and completed from it",
    "PG006": "rows and fingerprint of a completion are compared with its write's receipt, and never trusted",
    "PG007": "the calendar decides which runs are expected; an absent run is a finding",
    "PG010": "rows are written by key in one fenced transaction; two instances cannot both write",
    "PG011": "the plan names the members; another spelling goes to quarantine, and is not counted",
    "PG012": "a result that changes after the firing fires once more, after all that reads it was rebuilt",
    "PG017": "the calendar answers work, none or unknown; unknown never counts as none",
    "PG019": "a message that cannot be read is kept in quarantine with its reason",
    "PG021": "a phase names the members it lacks; at its deadline it fires without them, or is reported overdue",
    "PG025": "a phase fires when its required members are fresh; its trigger names those that are missing",
    "PG026": "a run is a date and a mode: each has a document of its own",
}


@click.command(
    epilog=example(
        "phasegate doctor --store file:///exports/phase3_completion --warehouse duckdb:///tables.duckdb --days 7",
        "phasegate doctor --store firestore://nba-props-prod --days 7",
        "phasegate doctor --store file:///night.jsonl --expect player_game_summary --expect team_offense_game_summary",
    ),
    short_help="Check your own completion documents and tables, without a plan.",
)
@click.option(
    "--store",
    metavar="URL",
    help="Your documents: firestore://PROJECT, or exported to file:///PATH; or a Phasegate store: sqlite:///PATH, "
    "postgresql://….",
)
@click.option("--warehouse", metavar="URL", help="Tables: duckdb:///PATH, postgresql://… or bigquery://…. Only read.")
@click.option("--days", type=click.IntRange(1, 3660), default=DAYS, metavar="N", show_default=True,
              help="How many dates, up to the newest document.")  # fmt: skip
@click.option("--expect", multiple=True, metavar="NAME",
              help="A processor that every date waits for; repeatable. Default: those in most documents.")  # fmt: skip
@click.option("--draft", is_flag=True, help="Print a first plan for these processors instead, as TOML.")
@click.option("--verbose", is_flag=True, help="Show every finding, and the evidence of each.")
@json_option
@pass_app
def doctor(
    app: App, /, *, store: str | None, warehouse: str | None, days: int, expect: tuple[str, ...], **shown: bool
) -> int:  # fmt: skip
    """Check documents and tables of a pipeline that runs without Phasegate.

    Changes nothing. Finds wrong counts, dates that never triggered, triggers that no phase followed, mixed-up names and
    modes, unreported rows, duplicates, and dates with nothing. Without a plan the expected processors are inferred, and
    shown. Three slashes begin a relative path, four an absolute one.
    """
    from phasegate.answers.times import Times
    from phasegate.base.findings import exit_code, listed
    from phasegate.wiring import shown as visible

    diagnosis = _examined(app, store, warehouse, days=days, expect=expect)
    if shown["draft"]:
        return _draft(diagnosis)
    times, found = Times("UTC", now=app.clock.now()), listed(diagnosis.outcomes)
    store, warehouse = (None if url is None else visible(url) for url in (store, warehouse))
    if shown["as_json"]:
        emit_json(_document(diagnosis, found, store=store, warehouse=warehouse, times=times))
    else:
        emit([*_head(diagnosis, store=store, warehouse=warehouse), "", *check_lines(diagnosis.outcomes),
              *_findings(found, verbose=shown["verbose"]), *_instead(found)])  # fmt: skip
    return exit_code(diagnosis.outcomes)


def _examined(
    app: App, store: str | None, warehouse: str | None, *, days: int, expect: tuple[str, ...]
) -> "Diagnosis":  # fmt: skip
    from phasegate.base.platform import one_name
    from phasegate.errors import BadInput, Unavailable
    from phasegate.interop.doctor import Doctor
    from phasegate.wiring import open_documents, open_tables, shown

    if store is None and warehouse is None:
        raise BadInput("doctor: name your documents or your tables: phasegate doctor --store file:///PATH "
                       "--warehouse duckdb:///PATH")  # fmt: skip
    doctor = Doctor(app.clock, source=shown(store) if store else "URL", expect=[one_name(name) for name in expect])
    today = datetime.fromtimestamp(app.clock.now(), UTC).date().isoformat()
    documents = None if store is None else open_documents(store, days=days, today=today)
    error = ""
    try:
        with nullcontext() if warehouse is None else open_tables(warehouse) as reader:
            return doctor.examine(documents, reader, days=days)
    except Unavailable as e:
        error = str(e)
    # The documents are checked even if the tables cannot be; what was not checked is reported, and the exit code is 2.
    return doctor.examine(
        None if store is None else open_documents(store, days=days, today=today), None, days=days, error=error
    )


def _draft(diagnosis: "Diagnosis") -> int:
    from phasegate.errors import NotFound
    from phasegate.interop.draft import draft_plan

    text = draft_plan(diagnosis.expected)
    if not text:
        raise NotFound("doctor: no document names a processor; give --store, and more --days")
    emit([text.rstrip()])
    return FINE


def _head(diagnosis: "Diagnosis", *, store: str | None, warehouse: str | None) -> list[str]:
    span = f"{diagnosis.first} to {diagnosis.last}" if diagnosis.first else "no date found"
    out = f", {diagnosis.left_out:,} of other dates left out" if diagnosis.left_out else ""
    rows = [("dates", span)]
    if store is not None:
        rows.append(("store", f"{store}: {count(diagnosis.documents, 'document')}{out}"))
    rows += [("expected", _expected(one)) for one in diagnosis.expected if one.documents]
    if warehouse is not None:
        without = diagnosis.without_date
        passed = f"; skipped, without a date: {names(without, shown=5)}" if without else ""
        rows.append(("warehouse", f"{warehouse}: {count(len(diagnosis.tables), 'table')} with a date{passed}"))
    return table(*_split(rows))


def _split(rows: list[tuple[str, str]]) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    return rows[0], rows[1:]


def _expected(one: "Expected") -> str:
    where = f"{one.collection or 'documents'}{f' {one.mode}' if one.mode else ''}"
    why = "given by --expect" if one.given else f"inferred from {count(one.documents, 'document')}"
    rare = ", ".join(f"{name} ({times})" for name, times in one.rare.items())
    listed = ", ".join(sorted(one.names)) or "none"
    return f"{where} ({why}): {listed}" + (f"; not expected, in few documents: {rare}" if rare else "")


def _findings(found: "Sequence[Finding]", *, verbose: bool) -> list[str]:
    """Return the findings, at most SHOWN_MAX of a kind unless all are wanted."""
    lines: list[str] = [""] if found else []
    shown: dict[str, int] = {}
    for finding in found:
        shown[finding.code] = shown.get(finding.code, 0) + 1
        if shown[finding.code] > SHOWN_MAX and not verbose:
            continue
        lines += bare_lines(finding, verbose=verbose)
    hidden = {code: times - SHOWN_MAX for code, times in shown.items() if times > SHOWN_MAX and not verbose}
    return [*lines, *(f"{code}: {more} more, shown by --verbose" for code, more in hidden.items())]


def _instead(found: "Sequence[Finding]") -> list[str]:
    """Return what Phasegate does in these cases, and what to type next."""
    codes = sorted({finding.code for finding in found} & INSTEAD.keys())
    if not codes:
        return []
    # the plan first: what is imported goes to its steps
    commands = sorted(
        {f.command for f in found if f.command.startswith("phasegate")}, key=lambda text: "import" in text
    )
    return ["", "With Phasegate:", *table(("", ""), [(code, INSTEAD[code]) for code in codes])[1:], "",
            *(f"next: {command}" for command in sorted(commands))]  # fmt: skip


def _document(
    diagnosis: "Diagnosis", found: "Sequence[Finding]", *, store: str | None, warehouse: str | None, times: "Times"
) -> "DiagnosedJson":
    from phasegate.answers.checks import checked_json, found_json
    from phasegate.printed.checks import AwaitedJson, DiagnosedJson

    return DiagnosedJson(
        store=store,
        warehouse=warehouse,
        first=diagnosis.first,
        last=diagnosis.last,
        documents=diagnosis.documents,
        left_out=diagnosis.left_out,
        expected=tuple(
            AwaitedJson(collection=one.collection, mode=one.mode, seen_in=one.documents, given=one.given,
                    processors=tuple(sorted(one.names)), rare=tuple(sorted(one.rare)))
            for one in diagnosis.expected
        ),
        tables=tuple(diagnosis.tables),
        without_date=tuple(diagnosis.without_date),
        checks=checked_json(diagnosis.outcomes),
        findings=found_json(found, times=times),
    )  # fmt: skip
