"""Opens the warehouses that are on servers, by their URLs.

Each is imported only when it is opened.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from phasegate.code.translated import Translator

if TYPE_CHECKING:
    from phasegate.settings import Settings
    from phasegate.warehouse import Params, Warehouse

SCHEMES = ("postgresql:", "bigquery:")
FORMS = {"postgresql": "postgresql://HOST/DATABASE", "bigquery": "bigquery://PROJECT/DATASET"}


def open_server(
    url: str, /, settings: "Settings | None" = None, *, translator: Translator | None = None
) -> "Warehouse":
    """Return the warehouse at a URL, which is reached when it is used.

    ``settings``: its limits, None for the defaults. Raises BadInput for a URL of none.
    """
    if url.startswith("bigquery:"):
        from phasegate.warehouses.bigquery.jobs import QUERY_TIMEOUT_S
        from phasegate.warehouses.bigquery.warehouse import BigQueryWarehouse

        timeout_s = QUERY_TIMEOUT_S if settings is None else settings.query_timeout_s
        return BigQueryWarehouse(url, query_timeout_s=timeout_s, translator=translator)
    from phasegate.warehouses.postgres.warehouse import PostgresWarehouse

    if settings is None:
        return PostgresWarehouse(url, translator=translator)
    return PostgresWarehouse(
        url,
        connections_max=settings.connections_max,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_s=settings.query_timeout_s,
        translator=translator,
    )


def create_own(url: str, /, *, connect_timeout_s: float) -> tuple[str, int, int]:
    """Create what Phasegate has of its own beside tables, or migrate it.

    Return the address without secrets, and the version of its schema before, 0 for none, and after. Raises BadInput,
    Unavailable, Ambiguous.
    """
    if url.startswith("bigquery:"):
        from phasegate.warehouses.bigquery.warehouse import create_own_tables

        return create_own_tables(url)
    from phasegate.warehouses.postgres.warehouse import migrate_warehouse

    return migrate_warehouse(url, connect_timeout_s=connect_timeout_s)


def bytes_read(url: str, texts: Mapping[str, str], params: "Params", /) -> dict[str, int | None]:
    """Return how many bytes each SELECT would read in BigQuery.

    None for one that cannot run yet. By dry runs, which cost nothing. Raises BadInput, Unavailable.
    """
    from phasegate.warehouses.bigquery.warehouse import BigQueryWarehouse

    with closing(BigQueryWarehouse(url)) as warehouse:
        return {name: warehouse.bytes_read(sql, params) for name, sql in texts.items()}
