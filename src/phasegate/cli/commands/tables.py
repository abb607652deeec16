"""``phasegate tables``: compare the tables with the plan, and change them."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FAILED, FINDINGS, FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import count, emit, emit_json, table, talk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from phasegate.base.table import Difference
    from phasegate.check.shapes import TableShape
    from phasegate.printed.stored import TableChangeJson, TableRowJson

APPLY, APPLY_ALL = "phasegate tables --apply", "phasegate tables --apply --yes"


@click.command(
    epilog=example("phasegate tables", APPLY, APPLY_ALL, "phasegate tables --copy postgresql://phasegate@db1/nba"),
    short_help="Compare the tables' columns with the plan, change them, or copy the tables.",
)
@click.option("--apply", is_flag=True, help="Make tables, add columns and widen types; no stored content changes.")
@click.option("--yes", is_flag=True, help="With --apply: also drop columns, change types, and record another key.")
@click.option("--copy", metavar="URL", help="Copy the tables into another warehouse, with receipts and fences.")
@json_option
@pass_app
def tables(app: App, /, *, apply: bool, yes: bool, copy: str | None, as_json: bool) -> int:
    """Compare the columns of every table with the plan.

    --apply makes the tables that are absent, adds the columns that a table lacks, NULL in the rows that are there, and
    widens types: the fingerprints of old partitions stay, so nothing is rebuilt. Columns that the plan has no more,
    other types and another key change what old partitions hold: they need --yes, and a rebuild, whose command is shown.
    Each table is changed in one transaction behind its fences; workers may go on.

    --copy writes into the warehouse at URL what it does not have yet, partition by partition, and compares the
    fingerprints. Stop the workers before. It may be ended and run again.
    """
    from phasegate.errors import BadInput

    if yes and not apply:
        raise BadInput(f"tables: --yes belongs to --apply; run: {APPLY_ALL}")
    if copy is not None and apply:
        raise BadInput("tables: give only one of --apply and --copy")
    app.reading()  # a missing state is an error, and is not created
    if copy is not None:
        return _copy(app, copy, as_json=as_json)
    with app.pipeline() as pipeline:
        applied = dict(pipeline.checks.shapes.apply(content=yes)) if apply else {}
        found = pipeline.checks.shapes.compare()
    following = _next(found, applied)
    if as_json:
        from phasegate.printed.stored import TablesJson

        emit_json(TablesJson(pipeline=pipeline.plan.pipeline, tables=tuple(_row(one) for one in found),
                         applied=tuple(_change(name, change) for name, change in applied.items()),
                         next=tuple(following)))  # fmt: skip
    else:
        emit(_lines(pipeline.plan.pipeline, found, applied, following))
    if any(one.error for one in found):
        return FAILED
    return FINDINGS if any(one.state == "differs" for one in found) else FINE


def _copy(app: App, url: str, *, as_json: bool) -> int:
    from contextlib import closing

    from phasegate.interop.copier import Copier
    from phasegate.printed.stored import CopiedJson, CopiedTableJson
    from phasegate.wiring import open_other_warehouse

    plan, other = open_other_warehouse(url, app.settings())
    copied = []
    with closing(other), app.pipeline() as pipeline:
        copier = Copier(plan, store_id=pipeline.store_id, source=pipeline.ports.warehouse, target=other)
        for one in copier.copy():
            copied.append(one)
            talk(f"{one.table}: {count(one.copied, 'partition')} copied, {one.there:,} there already")
    problems = [problem for one in copied for problem in one.problems]
    if as_json:
        emit_json(CopiedJson(pipeline=plan.pipeline, tables=tuple(
            CopiedTableJson(table=one.table, copied=one.copied, there=one.there, rows=one.rows,
                            problems=tuple(one.problems))
            for one in copied
        )))  # fmt: skip
    else:
        rows = [(one.table, f"{one.copied:,}", f"{one.there:,}", f"{one.rows:,}") for one in copied]
        emit([f"{plan.pipeline}: {count(len(copied), 'table')}", "",
              *table(("table", "partitions copied", "there already", "rows copied"), rows),
              *([""] if problems else []), *problems])  # fmt: skip
    return FINDINGS if problems else FINE


def _next(found: "Sequence[TableShape]", applied: "Mapping[str, Difference]") -> list[str]:
    """Return the commands to type next."""
    left = [one.difference for one in found if one.state == "differs"]
    commands = [APPLY] if any(one.added or one.widened for one in left) else []
    commands += [APPLY_ALL] if any(not one.keeps_content for one in left) else []
    rebuilt = [(one.older, one.step) for one in found if one.table in applied and one.older and not one.external]
    if rebuilt:
        first, last = min(older.first for older, _ in rebuilt), max(older.last for older, _ in rebuilt)
        commands.append(
            f"phasegate backfill --from {first} --to {last} --steps {','.join(step for _, step in rebuilt)}"
        )
    return commands


def _lines(
    pipeline: str, found: "Sequence[TableShape]", applied: "Mapping[str, Difference]", following: "Sequence[str]"
) -> list[str]:
    rows = [(one.step, one.table, f"{one.rows:,}", one.state, _older(one) or "-") for one in found]
    lines = [f"{pipeline}: {count(len(found), 'table')}", ""]
    lines += table(("step", "table", "rows", "columns", "written by an older code"), rows)
    for name, change in applied.items():
        lines += ["", f"{name} was {'made' if change.missing else 'changed'}:", *_change_lines(change)]
    for one in found:
        if one.error:
            lines += ["", f"{one.table}: {one.error}"]
        elif one.difference:
            lines += ["", f"{one.table} differs from the plan:", *_change_lines(one.difference), *_needs(one)]
        elif one.older is not None and one.external:
            what = "were written under another declaration of the table, such as its key"
            lines += ["", f"{one.table}: {_older(one)} {what}; {_OWN_JOB}"]
    return [*lines, *([""] if following else []), *(f"next: {command}" for command in following)]


_OWN_JOB = "Phasegate does not build it, so its own job must write and report them again"


def _change_lines(change: "Difference") -> list[str]:
    lines = [f"  + {name} {sql_type}" for name, sql_type in change.added.items()]
    lines += [f"  ~ {name} {old} -> {new}" for name, (old, new) in change.widened.items()]
    lines += [f"  ! {name} {old} -> {new}, another content" for name, (old, new) in change.retyped.items()]
    lines += [f"  - {name} {sql_type}" for name, sql_type in change.removed.items()]
    return lines + ([f"  key was {', '.join(change.key)}"] if change.key else [])


def _needs(one: "TableShape") -> list[str]:
    """Return what a change of content asks for."""
    if one.difference.keeps_content:
        return []
    fix = _OWN_JOB if one.external else "rebuild them afterwards"
    span = _older(one)
    return [f"  needs --yes: partitions that are there hold other content{f' ({span})' if span else ''}; {fix}"]


def _older(one: "TableShape") -> str:
    if one.older is None:
        return ""
    return f"{count(one.older.partitions, 'partition')}, {one.older.first} to {one.older.last}"


def _change(table: str, change: "Difference") -> "TableChangeJson":
    from phasegate.printed.stored import TableChangeJson

    return TableChangeJson(
        table=table,
        added=dict(change.added),
        widened=dict(change.widened),
        retyped=dict(change.retyped),
        removed=dict(change.removed),
        key=change.key,
    )


def _row(one: "TableShape") -> "TableRowJson":
    from msgspec.structs import asdict

    from phasegate.printed.stored import OlderPartitionsJson, TableRowJson

    older = None if one.older is None else OlderPartitionsJson(**asdict(one.older))
    return TableRowJson(**asdict(_change(one.table, one.difference)), step=one.step, rows=one.rows, state=one.state,
                    older=older, error=one.error)  # fmt: skip
