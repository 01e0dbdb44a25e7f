"""PostgreSQL 18 for the trial, with password authentication on every connection and with fsync."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.trial.child_process import ChildProcess
from handoff.trial.errors import TrialError
from handoff.trial.os_user import ServerAccount, account_for

OPERATOR = "operator"
_HOST = "127.0.0.1"
_START_SECONDS = 30
# The locale of the machine may be one that it has not generated.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


class PostgresServer:
    """Database server of a trial stack on one state directory."""

    def __init__(self, directory: Path, port: int, operator_password: str) -> None:
        self._password = operator_password
        self._port = port
        # PostgreSQL refuses to run as root. For root it runs as another user, in a directory that this user can access.
        self._account: ServerAccount = account_for(directory, operator_password)
        self.process = ChildProcess(
            name="PostgreSQL",
            argv=(str(self._account.binaries / "postgres"), "-D", str(self._data), *self._settings()),
            log=directory.with_suffix(".log"),
            cwd=self._account.directory,
            env=_ENVIRONMENT,
            user=self._account.user,
            # Fast shutdown: on SIGTERM, PostgreSQL would wait until all clients disconnect.
            stop_signal=signal.SIGINT,
            # Immediate shutdown, which also ends the server's child processes.
            death_signal=signal.SIGQUIT,
        )

    @property
    def operator(self) -> DatabaseOperator:
        """Operator of the server."""
        return DatabaseOperator(_HOST, self._port, OPERATOR, self._password)

    @property
    def directory(self) -> Path:
        """Directory of the data, which the server's user can access."""
        return self._account.directory

    @property
    def _data(self) -> Path:
        return self._account.directory / "pgdata"

    def format(self) -> None:
        """Create the database cluster once. An incomplete one is removed first."""
        if (self._data / "formatted").exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=self._account.directory) as password:
            password.write(self._password)
            password.flush()
            self._account.own(Path(password.name))
            self._initdb(Path(password.name))
        (self._data / "formatted").touch()

    def _initdb(self, password_file: Path) -> None:
        command = (
            str(self._account.binaries / "initdb"), "-D", str(self._data), "-U", OPERATOR,
            f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync", "--no-instructions",
        )  # fmt: skip
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            cwd=self._account.directory,
            env={**os.environ, **_ENVIRONMENT},
            **self._account.identity,
        )
        if done.returncode != 0:
            raise TrialError(f"PostgreSQL's initdb failed.\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start the server."""
        self.process.start()

    def wait_ready(self) -> None:
        """Wait until the server accepts connections. Raises TrialError."""
        probe = (str(self._account.binaries / "pg_isready"), "-q", "-h", _HOST, "-p", str(self._port))
        self.process.wait_ready(lambda: subprocess.run(probe, check=False).returncode == 0, _START_SECONDS)

    def stop(self) -> None:
        """Stop the server in order."""
        self.process.terminate()

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        self.process.kill()

    def discard(self) -> None:
        """Remove the data."""
        shutil.rmtree(self._account.directory, ignore_errors=True)

    def _settings(self) -> tuple[str, ...]:
        settings = {
            "listen_addresses": _HOST,
            "port": str(self._port),
            # Loopback with passwords only: peer authentication would accept users of this machine without one.
            "unix_socket_directories": "",
            "max_connections": "400",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            "log_checkpoints": "off",
        }
        return tuple(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
