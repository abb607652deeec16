"""What benchmarks replay: the real data of NBA_DATA (default ../shared/nba), or invented nights where there is none."""

import os
from datetime import date
from pathlib import Path

from nba_props.sources import Source
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.synthetic import SyntheticSource

# the span of a quick run
NIGHT = (date(2026, 2, 1), date(2026, 2, 1))


def chosen(*, quick: bool) -> tuple[Source, Path | None]:
    """Return the source, and the folder of the real data, None for invented nights; ``quick`` wants these."""
    folder = Path(os.environ.get("NBA_DATA", "../shared/nba"))
    return (ParquetSource(folder), folder) if folder.is_dir() and not quick else (SyntheticSource(), None)
