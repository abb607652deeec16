"""BigQuery's stand-in for tests: local-bigquery, in a Python environment of its own.

It is found by ``LOCAL_BIGQUERY_SERVER`` (a command that takes ``serve --port …``), or made once in the user's cache
folder by the tools beside the clone. ``BIGQUERY_EMULATOR_HOST`` names a server that runs already.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import HOST, absent, free_port
from tests.support.real_data import ROOT
from tests.support.sql_engines import CACHE

TOOLS = (ROOT.parent / "shared" / "tools").resolve()
# A project of Google's, where the real service is to be shown.
REAL = os.environ.get("BIGQUERY_CONTRACT_PROJECT") or ""
PROJECT = REAL or "test-project"
START_S = 120.0


@contextmanager
def bigquery_server(environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Give the address of a server, "" for Google's; where it is missing, skip at home and fail in CI."""
    if REAL:
        yield ""
        return
    if given := environ.get("BIGQUERY_EMULATOR_HOST"):
        yield given
        return
    command = shlex.split(environ.get("LOCAL_BIGQUERY_SERVER") or "") or _made()
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="bigquery-"))
    served = [*command, "serve", "--host", HOST, "--port", str(port), "--grpc-port", str(free_port())]
    served += ["--data-dir", str(folder / "data")]
    guard = ["setpriv", "--pdeathsig=KILL"] if shutil.which("setpriv") else []
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*guard, *served], stdout=log, stderr=log, start_new_session=True)
        try:
            address = f"http://{HOST}:{port}"
            _wait(address, process, log=folder / "log")
            yield address
        finally:
            process.kill()
            process.wait(20)
            shutil.rmtree(folder, ignore_errors=True)


def _wait(address: str, process: "subprocess.Popen[bytes]", *, log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/bigquery/v2/projects/{PROJECT}/datasets", timeout=5).close()  # noqa: S310
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"local-bigquery did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _made() -> list[str]:
    """Return the command of a server whose environment is made once on a machine."""
    setup, script = TOOLS / "setup_local_bigquery.sh", TOOLS / "local_bigquery.py"
    if not setup.is_file():
        absent("local-bigquery: set LOCAL_BIGQUERY_SERVER to a command that starts it")
    venv, ready = CACHE / "local-bigquery-0.4.0", CACHE / "local-bigquery-0.4.0.ready"
    CACHE.mkdir(parents=True, exist_ok=True)
    # Of several processes one makes it, and the others wait.
    with (CACHE / "local-bigquery.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            shutil.rmtree(venv, ignore_errors=True)
            made = subprocess.run(["bash", str(setup), str(venv)], capture_output=True, text=True, check=False)
            if made.returncode:
                absent(f"local-bigquery could not be installed: {made.stderr.strip()[-300:]}")
            ready.touch()
    return [str(venv / "bin" / "python"), str(script)]
