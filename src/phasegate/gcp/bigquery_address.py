"""Addresses of BigQuery. Pure.

They hold no secret: credentials come from the environment, as Google's libraries find them.
"""

import re
from typing import NamedTuple

from phasegate.errors import BadInput

FORM = "bigquery://PROJECT/DATASET"
OPTIONS = ("location", "maximum_bytes_billed")
# Compiled when an address is read: most processes read none.
_ADDRESS = (
    r"bigquery://(?P<project>(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9])/(?P<dataset>[A-Za-z_][A-Za-z0-9_]{0,199})"
    r"(?:\?(?P<options>[^#]*))?"
)


class BigQueryAddress(NamedTuple):
    """A dataset of our own, and how jobs run there.

    ``location``: of new datasets and of jobs, None for BigQuery's choice. ``bytes_max``: a statement that would be
    billed for more is refused, None for any.
    """

    project: str
    dataset: str
    location: str | None = None
    bytes_max: int | None = None

    @property
    def shown(self) -> str:
        """Return it without its options."""
        return f"bigquery://{self.project}/{self.dataset}"


def parse_address(url: str, /) -> BigQueryAddress:
    """Return the address that a URL spells.

    Raises BadInput.

    >>> parse_address("bigquery://nba-props/nba?location=EU&maximum_bytes_billed=1000000000")
    BigQueryAddress(project='nba-props', dataset='nba', location='EU', bytes_max=1000000000)
    """
    found = re.fullmatch(_ADDRESS, url)
    wrong = fault(url)
    if wrong or found is None:
        raise BadInput(f"bigquery:…: {wrong}")
    options = _options(found["options"])
    bytes_max = options.get("maximum_bytes_billed")
    return BigQueryAddress(
        found["project"], found["dataset"], options.get("location"), None if bytes_max is None else int(bytes_max)
    )


def fault(url: str, /) -> str:
    """Return what is wrong with a URL and how to mend it, "" for nothing.

    >>> fault("bigquery://nba-props/nba?locaton=EU")
    'locaton is no option of the address; it has location and maximum_bytes_billed'
    """
    found = re.fullmatch(_ADDRESS, url)
    if found is None:
        return f"not an address of BigQuery; write {FORM}, with the id of the project, as in bigquery://nba-props/phasegate"
    options = _options(found["options"])
    for name in options:
        if name not in OPTIONS:
            return f"{name} is no option of the address; it has {' and '.join(OPTIONS)}"
    if not re.fullmatch(r"[A-Za-z0-9-]*", options.get("location", "EU")) or options.get("location") == "":
        return "location: wanted the name of a place of BigQuery, such as EU or us-east1"
    bytes_max = options.get("maximum_bytes_billed", "1")
    if not bytes_max.isascii() or not bytes_max.isdigit() or not 0 < int(bytes_max) < 2**63:
        return "maximum_bytes_billed: wanted a whole number of bytes, such as 10000000000"
    return ""


def _options(text: str | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split("&")] if text else []
    return {name: value for name, _, value in pairs}
