from pathlib import Path

import pytest

from tests.support.real_data import real_data_folder


def test_missing_real_data_skips_at_home_and_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="set NBA_DATA"):
        real_data_folder({"NBA_DATA": str(tmp_path)})


def test_missing_real_data_fails_in_ci(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="NO REAL DATA"):
        real_data_folder({"NBA_DATA": str(tmp_path), "CI": "true"})


def test_the_folder_named_by_the_environment_is_used(tmp_path: Path) -> None:
    (tmp_path / "nba").mkdir()
    (tmp_path / "nba" / "box.parquet").touch()
    assert real_data_folder({"NBA_DATA": str(tmp_path)}) == tmp_path
    assert real_data_folder({"NBA_DATA": tmp_path.name}, root=tmp_path.parent) == tmp_path


@pytest.mark.parametrize("environ", [{}, {"NBA_DATA": ""}])
def test_where_none_is_named_or_an_empty_one_the_folder_beside_the_repository_is_used(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "box.parquet").touch()  # found nowhere else than beside
    (tmp_path / "shared" / "nba").mkdir(parents=True)
    (tmp_path / "shared" / "nba" / "box.parquet").touch()
    assert real_data_folder(environ, root=tmp_path / "here") == tmp_path / "shared" / "nba"
