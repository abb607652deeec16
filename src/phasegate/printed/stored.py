"""The documents of the commands on tables and stores."""

from collections.abc import Mapping

from phasegate.check.shapes import ShapeState
from phasegate.printed.parts import Anything, PrintedJson


class AdoptedPartitionJson(PrintedJson, frozen=True, kw_only=True):
    """A partition that obeys this store.

    ``note``: what was reported, or what differs; empty if nothing.
    """

    table: str
    partition: str
    token: int
    note: str


class AdoptedJson(PrintedJson, frozen=True, kw_only=True):
    """The partitions that obey this store."""

    store_id: str
    partitions: tuple[AdoptedPartitionJson, ...]


class QueryRowsJson(PrintedJson, frozen=True, kw_only=True):
    """The rows of a SELECT, column to value.

    Times are ISO 8601, decimals and bytes are text.
    """

    rows: tuple[Mapping[str, Anything], ...]


class TableChangeJson(PrintedJson, frozen=True, kw_only=True):
    """How a table differs from the plan, or was changed.

    ``added`` and ``removed``: column to type. ``widened`` and ``retyped``: column to stored and planned type. ``key``:
    the stored key, if it is another one.
    """

    table: str
    added: Mapping[str, str]
    widened: Mapping[str, tuple[str, str]]
    retyped: Mapping[str, tuple[str, str]]
    removed: Mapping[str, str]
    key: tuple[str, ...]


class OlderPartitionsJson(PrintedJson, frozen=True, kw_only=True):
    """The partitions that another code of their step has written."""

    partitions: int
    first: str
    last: str


class TableRowJson(TableChangeJson, frozen=True, kw_only=True):
    """One table against its plan.

    ``older``: null if there are none. ``error``: why its SELECT cannot be used, or empty.
    """

    step: str
    rows: int
    state: ShapeState
    older: OlderPartitionsJson | None
    error: str


class TablesJson(PrintedJson, frozen=True, kw_only=True):
    """The tables against the plan.

    ``applied``: the tables that ``--apply`` changed.
    """

    pipeline: str
    tables: tuple[TableRowJson, ...]
    applied: tuple[TableChangeJson, ...]
    next: tuple[str, ...]


class CopiedTableJson(PrintedJson, frozen=True, kw_only=True):
    """What became of one table, in partitions.

    ``there``: those that were equal already. ``problems``: those that were not copied, and why.
    """

    table: str
    copied: int
    there: int
    rows: int
    problems: tuple[str, ...]


class CopiedJson(PrintedJson, frozen=True, kw_only=True):
    """The tables that ``--copy`` copied to another warehouse."""

    pipeline: str
    tables: tuple[CopiedTableJson, ...]


class KeptLineJson(PrintedJson, frozen=True, kw_only=True):
    """A line whose document was kept as the store has it."""

    line: int
    key: str
    why: str


class ImportedJson(PrintedJson, frozen=True, kw_only=True):
    """What was imported.

    ``raised``: leases whose token grew.
    """

    dry_run: bool
    documents: int
    created: int
    unchanged: int
    raised: int
    kept: tuple[KeptLineJson, ...]
    next: tuple[str, ...]


class CompletionJson(PrintedJson, frozen=True, kw_only=True):
    """An entry of the platform's documents, as a completion message.

    ``problem``: why it is not sent, or empty.
    """

    subject: str
    id: str
    sent: bool
    problem: str
    body: Mapping[str, Anything]


class UnreadJson(PrintedJson, frozen=True, kw_only=True):
    """A place that could not be read."""

    place: str
    why: str


class ImportedPlatformJson(PrintedJson, frozen=True, kw_only=True):
    """What was sent, with ``--from-platform``."""

    dry_run: bool
    documents: int
    completions: tuple[CompletionJson, ...]
    unread: tuple[UnreadJson, ...]
    next: tuple[str, ...]


class LeftJson(PrintedJson, frozen=True, kw_only=True):
    """A document that is not as this build writes it, and why it was left."""

    key: str
    why: str


class MigratedJson(PrintedJson, frozen=True, kw_only=True):
    """What ``migrate`` read, and rewrote or would rewrite."""

    dry_run: bool
    documents: int
    rewritten: int
    left: tuple[LeftJson, ...]


class WrittenJson(PrintedJson, frozen=True, kw_only=True):
    """What ``init`` wrote.

    ``files``: the files. ``store`` and ``warehouse``: the address of what it created or migrated, without secrets, else
    null; ``store_schema`` and ``warehouse_schema``: its version. ``created``: the topics and subscriptions that were
    missing.
    """

    files: tuple[str, ...]
    next: tuple[str, ...]
    store: str | None
    store_schema: int | None
    warehouse: str | None
    warehouse_schema: int | None
    created: tuple[str, ...]
