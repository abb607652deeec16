"""Where the real box scores lie. They are never a part of the repository."""

from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def real_data_folder(environ: Mapping[str, str], root: Path = ROOT) -> Path:
    """Return the folder that NBA_DATA names (default: shared/nba beside the repository), or end the test loudly."""
    folder = root / (environ.get("NBA_DATA") or "../shared/nba")  # set to nothing is not set
    if any(folder.rglob("*.parquet")):
        return folder.resolve()
    reason = f"NO REAL DATA: no parquet file below {folder}; set NBA_DATA to the folder of real box scores"
    if environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
