import re
from pathlib import Path

import msgspec
import pytest

from phasegate.base.wording import listed
from phasegate.errors import BadInput
from phasegate.plan.toml_lines import KNOWN_MAX
from phasegate.setting import SETTINGS, Setting
from phasegate.settings import Settings, load_settings, path_of, variables_of
from tests.support.real_data import ROOT

PAGE = ROOT / "docs" / "reference" / "settings.md"


def refused(environ: dict[str, str], *, file: Path | None = None, overrides: dict[str, object] | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        load_settings(environ, file=file, overrides=overrides)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "phasegate.toml"


def test_without_anything_said_everything_lives_in_one_directory() -> None:
    settings = load_settings({})
    assert settings.state == Path(".phasegate")
    assert settings.store == "sqlite:///.phasegate/phasegate.db"
    assert settings.warehouse == "duckdb:///.phasegate/warehouse.duckdb"
    assert settings.bus == "local:"
    assert settings.store_path == Path(".phasegate/phasegate.db")
    assert settings.warehouse_path == Path(".phasegate/warehouse.duckdb")
    assert (settings.lease_ttl_s, settings.heartbeat_s) == (60.0, 15.0)


def test_arguments_win_over_the_environment_and_that_over_the_file(file: Path) -> None:
    file.write_text('[phasegate]\nstate = "from-file"\nplan = "from-file"\npoll_s = 5\n')
    environ = {"PHASEGATE_STATE": "from-environment", "PHASEGATE_PLAN": "from-environment", "HOME": "ignored"}
    settings = load_settings(environ, file=file, overrides={"plan": Path("from-argument"), "state": None})
    assert settings.poll_s == 5.0
    assert settings.state == Path("from-environment")
    assert settings.plan == Path("from-argument")
    assert settings.store_path == Path("from-environment/phasegate.db")


def test_a_missing_or_empty_file_says_nothing(file: Path) -> None:
    assert load_settings({}, file=file) == load_settings({})
    file.write_text("")
    assert load_settings({}, file=file) == load_settings({})


def test_the_state_directory_may_be_named_in_urls_and_lie_anywhere() -> None:
    settings = load_settings({"PHASEGATE_STATE": "/srv/pg", "PHASEGATE_WAREHOUSE": "duckdb:///STATE/nba.duckdb"})
    assert settings.warehouse_path == Path("/srv/pg/nba.duckdb")
    settings = load_settings({"PHASEGATE_WAREHOUSE": "duckdb:////srv/STATE/nba.duckdb"})
    assert settings.warehouse_path == Path("/srv/STATE/nba.duckdb")
    assert path_of("sqlite:///STATEMENTS/a.db") == Path("STATEMENTS/a.db")


def test_the_heartbeat_follows_the_lease_unless_it_is_set() -> None:
    assert load_settings({"PHASEGATE_LEASE_TTL_S": "20"}).heartbeat_s == 5.0
    assert load_settings({"PHASEGATE_LEASE_TTL_S": "20", "PHASEGATE_HEARTBEAT_S": "10"}).heartbeat_s == 10.0


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("LEASE_TTL_S", "abc", "='abc': wanted a number of seconds from 1 to 3600"),
        ("LEASE_TTL_S", "0", "='0': wanted a number of seconds from 1 to 3600"),
        ("LEASE_TTL_S", "1\n2", "='1\\n2': wanted a number of seconds from 1 to 3600"),
        ("POLL_S", "nan", "='nan': wanted a number of seconds from 0.01 to 600"),
        ("HOLD_MS", "1e9", "='1e9': wanted a number of milliseconds from 0 to 60000"),
        (
            "HEARTBEAT_S",
            "50",
            "='50': wanted at most half of lease_ttl_s, which is 60: a lease must survive one lost heartbeat",
        ),
        ("LOG_LEVEL", "loud", "='loud': wanted all or notable or none"),
        ("STATE", "", "='': wanted a path such as .phasegate"),
        ("STATE", "a\x00b", "='a\\u0000b': holds an invisible character; remove it"),
        (
            "WAREHOUSE_NAME",
            "my warehouse",
            "='my warehouse': wanted a name of a-z, 0-9, '.', '_' and '-', at most 80 characters",
        ),
        (
            "STORE",
            "phasegate.db",
            "='phasegate.db': not a URL; write sqlite:///PATH or postgresql://HOST/DATABASE or firestore://PROJECT",
        ),
        (
            "STORE",
            "postgresql://me:sec/ret@host/db",
            "='postgresql:…': not an address of PostgreSQL; write postgresql://HOST/DATABASE, and signs such as "
            "@ : / # of a user or password as %40 %3A %2F %23, or set PGPASSWORD",
        ),
        ("STORE", "postgresql://host", "='postgresql:…': names no database; write postgresql://HOST/DATABASE"),
        (
            "STORE",
            "postgresql://h/db?sslmode=on",
            "='postgresql:…': sslmode=on: wanted disable or allow or prefer or require or verify-ca or verify-full",
        ),
        (
            "STORE",
            "postgresql://h/db?sslmod=on",
            """='postgresql:…': sslmod is no parameter of libpq; did you mean "sslmode"?""",
        ),
        ("CONNECTIONS_MAX", "2.5", "='2.5': wanted a whole number from 1 to 100"),
        (
            "STORE",
            "firestore://Project",
            "='firestore:…': names no project of Google Cloud; write firestore://PROJECT, or "
            "firestore://PROJECT/DATABASE, with the id of the project, as in nba-props-prod",
        ),
        (
            "STORE",
            "sqlite://a.db",
            "='sqlite://a.db': names no file; write sqlite:///PATH, with three slashes (four: from the root)",
        ),
        (
            "STORE",
            "sqlite:///:memory:",
            "='sqlite:///:memory:': wanted the path of a file, without ? and # and not :memory:; write sqlite:///PATH",
        ),
        ("AUDIENCE", "", "='': wanted a text such as https://example.org"),
        (
            "GOOGLE_KEYS",
            "https://me:secret@example.org/keys",
            "='https:…': wanted the address of a page, without user and password",
        ),
        (
            "GOOGLE_KEYS",
            "http://example.org/keys",
            "='http:…': wanted the address of a page, without user and password",
        ),
        (
            "GOOGLE_KEYS",
            "file:///etc/passwd",
            "='file:…': file is not a google_keys of this version; write https://HOST/PATH or http://127.0.0.1/PATH",
        ),
        (
            "BUS",
            "pubsub://project/topic",
            "='pubsub:…': names no project of Google Cloud; write pubsub://PROJECT, with the id of the project, as in "
            "nba-props-prod",
        ),
        ("BUS", "nats://host", "='nats:…': nats is not a bus of this version; write local: or pubsub://PROJECT"),
        ("BUS", "local:here", "='local:here': nothing may follow the colon; write local:"),
        (
            "WAREHOUSE",
            "bigquery://project",
            "='bigquery:…': not an address of BigQuery; write bigquery://PROJECT/DATASET, with the id of the project, "
            "as in bigquery://nba-props/phasegate",
        ),
    ],
)
def test_a_bad_variable_is_refused_in_one_line(variable: str, value: str, error: str) -> None:
    assert refused({f"PHASEGATE_{variable}": value}) == f"PHASEGATE_{variable}{error}"


def test_an_unknown_variable_is_refused_and_its_value_not_shown() -> None:
    known = listed(sorted(setting.variable for setting in SETTINGS), most=KNOWN_MAX)
    assert refused({"PHASEGATE_STOER": "secret"}) == (
        f'PHASEGATE_STOER: unknown variable; did you mean "PHASEGATE_STORE"? known: {known}'
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            '[phasegate]\n\nlease_ttl_s = "60"\n',
            '3: lease_ttl_s = "60": wanted a number of seconds from 1 to 3600, without quotes',
        ),
        ("[phasegate]\npoll_s = true\n", "2: poll_s = true: wanted a number of seconds from 0.01 to 600"),
        ("[phasegate]\nlog_format = 1\n", "2: log_format = 1: wanted auto or text or json"),
        ("[phasegate]\nplan = [1]\n", "2: plan = a list: wanted a path such as plan.toml"),
        (
            '[phasegate]\nstore = "postgres://u:p@h"\n',
            '2: store = "postgres:…": postgres is not a store of this version; write sqlite:///PATH or '
            "postgresql://HOST/DATABASE or firestore://PROJECT",
        ),
        ('state = "x"\n', '1: unknown key "state"; settings belong below [phasegate]'),
        ("[phasegate]\n[phase_gate]\n", '2: unknown table "phase_gate"; settings belong below [phasegate]'),
        ("phasegate = 1\n", "1: phasegate: is 1, wanted a table; write [phasegate]"),
        ("[phasegate]\nstate = here\n", '2: not a value; put quotes round text: key = "text" (column 9)'),
    ],
)
def test_a_bad_file_is_refused_in_one_line_with_the_line_of_the_key(file: Path, text: str, error: str) -> None:
    file.write_text(text)
    assert refused({}, file=file) == f"phasegate.toml:{error}"


def test_an_unknown_key_of_the_file_is_refused_with_a_suggestion(file: Path) -> None:
    file.write_text('[phasegate]\nstate = "x"\nstor = "y"\n')
    known = listed(sorted(setting.name for setting in SETTINGS), most=KNOWN_MAX)
    assert refused({}, file=file) == f'phasegate.toml:3: unknown setting "stor"; did you mean "store"? known: {known}'


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    assert refused({}, file=file) == "phasegate.toml: is UTF-16; save it as UTF-8"
    file.unlink()
    file.mkdir()
    assert refused({}, file=file) == "phasegate.toml: cannot be read (Is a directory); fix or remove the file"


def test_a_bad_argument_is_refused_in_one_line() -> None:
    assert refused({}, overrides={"poll_s": "soon"}) == (
        "argument poll_s='soon': wanted a number of seconds from 0.01 to 600"
    )
    assert refused({}, overrides={"poll_s": [1]}) == (
        "argument poll_s=a list: wanted a number of seconds from 0.01 to 600"
    )
    assert refused({}, overrides={"pol_s": 1}).startswith('argument pol_s: unknown setting; did you mean "poll_s"?')


def test_a_bad_value_of_a_source_that_loses_is_not_complained_about() -> None:
    assert load_settings({"PHASEGATE_POLL_S": "abc"}, overrides={"poll_s": 2}).poll_s == 2.0


def test_every_setting_has_a_field_and_every_field_a_setting() -> None:
    assert sorted(setting.name for setting in SETTINGS) == sorted(f.name for f in msgspec.structs.fields(Settings))


def row(setting: Setting) -> str:
    default = f"{setting.default:g}" if isinstance(setting.default, float) else setting.default
    shown = "" if default is None else f"`{default}`"
    bounds = f", {setting.low:g} to {setting.high:g}" if setting.high else ""
    words = f": {', '.join(f'`{choice}`' for choice in setting.choices)}" if setting.choices else ""
    return f"| `{setting.name}` | `{setting.variable}` | {setting.type}{bounds}{words} | {shown} | {setting.meaning} |"


def test_the_reference_page_lists_every_setting_as_it_is() -> None:
    rows = re.findall(r"^\| `\w+` \|.*$", PAGE.read_text(), re.MULTILINE)
    assert rows == [row(setting) for setting in SETTINGS]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/db",
        "postgresql://me@/db",
        "postgresql:///db?host=/var/run/postgresql",
        "postgresql://me:p%40ss@h1:5432,h2:5433/db?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem",
        "postgresql://[::1]:5432/db?connect_timeout=3&target_session_attrs=any",
        "postgresql://%2Fvar%2Frun/db",
    ],
)
def test_an_address_of_postgresql_is_a_store_and_is_given_to_commands_as_it_is(url: str) -> None:
    settings = load_settings({"PHASEGATE_STORE": url})
    assert (settings.store, settings.store_path) == (url, None)
    assert variables_of(settings)["PHASEGATE_STORE"] == url
    assert variables_of(settings)["PHASEGATE_CONNECTIONS_MAX"] == "8"


def test_a_setting_without_a_value_is_not_given_to_commands_and_another_is() -> None:
    assert "PHASEGATE_AUDIENCE" not in variables_of(load_settings({}))
    given = {"PHASEGATE_AUDIENCE": "https://gate.example.org", "PHASEGATE_GOOGLE_KEYS": "http://127.0.0.1:8099/certs"}
    settings = load_settings(given)
    assert (settings.audience, settings.google_keys) == ("https://gate.example.org", "http://127.0.0.1:8099/certs")
    assert load_settings(variables_of(settings)).audience == settings.audience


@pytest.mark.parametrize(("store", "poll_s"), [("sqlite:///a.db", 1.0), ("firestore://nba-props", 90.0)])
def test_a_store_that_bills_every_question_is_asked_less_often(store: str, poll_s: float) -> None:
    assert load_settings({"PHASEGATE_STORE": store}).poll_s == poll_s
    assert load_settings({"PHASEGATE_STORE": store, "PHASEGATE_POLL_S": "7"}).poll_s == 7


def test_a_build_is_checked_and_an_empty_variable_is_none() -> None:
    assert load_settings({"PHASEGATE_BUILD": "scores@3f2a9c1"}).build == "scores@3f2a9c1"
    assert load_settings({"PHASEGATE_BUILD": ""}).build is None
    for wrong in ("two words", "x" * 121, "-x", "a\n"):
        with pytest.raises(BadInput, match=r"^PHASEGATE_BUILD='.*': wanted SERVICE@COMMIT, such as scores@3f2a9c1"):
            load_settings({"PHASEGATE_BUILD": wrong})
