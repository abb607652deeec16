"""``phasegate export`` and ``phasegate import``: move documents.

Between stores, and from the platform to a plan.
"""

from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FAILED, FINDINGS, FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, table, talk

if TYPE_CHECKING:
    from phasegate.interop.transfer import Imported, Sent
    from phasegate.printed import stored as printed

LINES_AT_ONCE = 100
SHOWN_MAX = 20


@click.command(
    epilog=example(
        "phasegate export > pipeline.jsonl",
        "phasegate export --from 2026-02-01 --to 2026-02-03 --phase analytics > nights.jsonl",
    ),
    short_help="Write the documents as lines of JSON, for another store.",
)
@click.option("--from", "first", metavar="DATE", help="Runs of this date and later only.")
@click.option("--to", "last", metavar="DATE", help="Runs of this date and earlier only.")
@click.option("--phase", metavar="PHASE", help="Runs of this phase only.")
@pass_app
def export(app: App, /, *, first: str | None, last: str | None, phase: str | None) -> int:
    """Print the pipeline's documents, one per line.

    The first line names the pipeline and the store, the last line marks the end. With dates or a phase only their runs,
    with the leases, ledgers and calendar months that belong to them. Reads documents only, changes nothing. The tables
    are not included.
    """
    from phasegate.base.keys import parse_date
    from phasegate.errors import BadInput
    from phasegate.interop.transfer import Transfer
    from phasegate.write.identity import KEY

    bounds = tuple("" if day is None else parse_date(day) for day in (first, last))
    if all(bounds) and bounds[0] > bounds[1]:
        raise BadInput(f"export: --from {first} is after --to {last}")
    plan, ports = app.reading()
    with closing(ports.store):
        identity = ports.store.read(KEY)
        transfer = Transfer(plan, ports.store, app.clock, warehouse=app.settings().warehouse_name)
        name = "" if identity is None else str(identity.body.get("id", ""))
        lines = transfer.export(store_id=name, first=bounds[0], last=bounds[1], phase=phase)
        while some := list(islice(lines, LINES_AT_ONCE)):
            emit(some)
    return FINE


@click.command(
    "import",
    epilog=example(
        "phasegate import pipeline.jsonl --dry-run",
        "phasegate import pipeline.jsonl",
        "phasegate import exports/phase3_completion --from-platform",
        "phasegate import firestore://nba-props-prod --from-platform --dry-run",
    ),
    short_help="Read documents that were exported, or the platform's completion documents.",
)
@click.argument("file")
@click.option(
    "--from-platform",
    is_flag=True,
    help="FILE, or firestore://PROJECT, has the platform's completion documents: report them as messages.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done with each document; write nothing.")
@json_option
@pass_app
def import_(app: App, /, *, file: str, from_platform: bool, dry_run: bool, as_json: bool) -> int:
    """Import the documents of FILE into this store.

    Nothing in the store is overwritten. The whole file is checked before anything is written: a wrong line is named,
    and then nothing is imported. Tokens of leases only grow. Importing the same again changes nothing. With
    --from-platform each entry becomes an ordinary completion message for the external step of its name, which a worker
    processes. Exits with 1 if a document was kept as the store has it, or an entry was not sent.
    """
    if from_platform:
        return _from_platform(app, file, dry_run=dry_run, as_json=as_json)
    found, store_id = _imported(app, file, dry_run=dry_run)
    # The fences that tokens are compared with may name another store.
    foreign = bool(found.store_id) and found.store_id != store_id and not dry_run
    next_ = ["phasegate adopt --yes"] if foreign else []
    if as_json:
        emit_json(_document(found, dry_run=dry_run, next_=next_))
    else:
        emit(_lines(found, dry_run=dry_run, next_=next_))
    return FINDINGS if found.kept else FINE


def _imported(app: App, file: str, *, dry_run: bool) -> "tuple[Imported, str]":
    from phasegate.interop.transfer import Source, Transfer

    path, settings = _readable(file), app.settings()
    source = Source(path.name, lambda: path.open("rb"))
    if dry_run:
        plan, ports = app.reading() if settings.has_store else (app.plan(), None)
        store = None if ports is None else ports.store
        found = Transfer(plan, store, app.clock, warehouse=settings.warehouse_name).import_from(source, dry_run=True)
        if store is not None:
            store.close()
        return found, ""
    if not settings.has_store:
        # a file that is refused leaves no empty state behind
        Transfer(app.plan(), None, app.clock, warehouse=settings.warehouse_name).check(source)
    with app.pipeline() as pipeline:
        ports = pipeline.ports
        transfer = Transfer(pipeline.plan, ports.store, ports.clock, warehouse=settings.warehouse_name)
        return transfer.import_from(source), pipeline.store_id


def _readable(file: str) -> Path:
    """Return the path of a file that can be read more than once.

    Raises BadInput.
    """
    from phasegate.errors import BadInput

    path = Path(file)
    if not path.is_file():
        raise BadInput(f"import: {file}: there is no such file; name one that phasegate export wrote")
    try:
        path.open("rb").close()
    except OSError as e:
        raise BadInput(f"import: {file}: {e.strerror}; name a file that can be read") from None
    return path


def _document(found: "Imported", *, dry_run: bool, next_: list[str]) -> "printed.ImportedJson":
    from phasegate.printed import stored as printed

    return printed.ImportedJson(
        dry_run=dry_run,
        documents=found.documents,
        created=found.created,
        unchanged=found.unchanged,
        raised=found.raised,
        kept=tuple(printed.KeptLineJson(line=one.line, key=one.key, why=one.why) for one in found.kept),
        next=tuple(next_),
    )


def _lines(found: "Imported", *, dry_run: bool, next_: list[str]) -> list[str]:
    would = "would be " if dry_run else ""
    counts = (f"{found.created:,} {would}created", f"{found.unchanged:,} are there already",
              f"{count(found.raised, 'lease')} {would}raised to a newer token",
              f"{len(found.kept):,} kept as the store has them")  # fmt: skip
    for one in found.kept[:SHOWN_MAX]:
        talk(f"line {one.line}: {one.key}: {one.why}")
    if len(found.kept) > SHOWN_MAX:
        talk(f"and {len(found.kept) - SHOWN_MAX:,} more; --json lists them all")
    return [f"{count(found.documents, 'document')}: {', '.join(counts)}.", *(f"next: {command}" for command in next_)]


def _from_platform(app: App, file: str, *, dry_run: bool, as_json: bool) -> int:
    from phasegate.errors import NotFound
    from phasegate.interop.transfer import send_arrivals
    from phasegate.wiring import open_documents

    documents = open_documents(file if file.startswith("firestore:") else f"file:///{file}")
    if dry_run:
        sent = send_arrivals(documents, app.plan(), None)
    else:
        with app.pipeline() as pipeline:
            sent = send_arrivals(documents, pipeline.plan, pipeline.ports.bus)
    for one in sent.unread:
        talk(f"{one.place}: {one.why}")
    if not sent.documents:
        raise NotFound(f"import: {file}: no completion document was found")
    odd = [arrival for arrival in sent.arrivals if arrival.problem]
    if as_json:
        emit_json(_platform_document(sent, dry_run=dry_run))
    else:
        went = sum(arrival.sent for arrival in sent.arrivals)
        problems = [(one.subject, one.problem) for one in odd]
        emit([f"{count(sent.documents, 'document')}: {count(went, 'completion')} {'would be ' if dry_run else ''}sent.",
              *(["", *table(("entry", "problem"), problems)] if odd else []),
              *([] if dry_run else ["next: phasegate worker --until-idle"])])  # fmt: skip
    return FAILED if sent.unread else FINDINGS if odd else FINE


def _platform_document(sent: "Sent", *, dry_run: bool) -> "printed.ImportedPlatformJson":
    from phasegate.printed import stored as printed

    return printed.ImportedPlatformJson(
        dry_run=dry_run,
        documents=sent.documents,
        completions=tuple(
            printed.CompletionJson(subject=one.subject, id=one.id, sent=one.sent, problem=one.problem, body=one.body)
            for one in sent.arrivals
        ),
        unread=tuple(printed.UnreadJson(place=one.place, why=one.why) for one in sent.unread),
        next=() if dry_run else ("phasegate worker --until-idle",),
    )
