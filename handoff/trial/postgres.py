"""Real PostgreSQL 18 as a child process, with passwords asked on every connection and fsync on."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.trial.child_process import ChildProcess
from handoff.trial.errors import TrialError
from handoff.trial.os_user import Place, place_for

OPERATOR = "operator"
_HOST = "127.0.0.1"
_START_SECONDS = 30


class PostgresServer:
    """The database server of a trial stack over one state directory."""

    def __init__(self, directory: Path, port: int, operator_password: str) -> None:
        self._password = operator_password
        self._port = port
        # PostgreSQL refuses to run as root, so there it runs as another user, where that user can reach.
        self._place: Place = place_for(directory)
        self.process = ChildProcess(
            name="PostgreSQL",
            argv=(str(self._place.binaries / "postgres"), "-D", str(self._data), *self._settings()),
            log=directory.with_suffix(".log"),
            cwd=self._place.directory,
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
            user=self._place.user,
            # Fast shutdown: PostgreSQL's SIGTERM would wait for every client to leave.
            stop_signal=signal.SIGINT,
            # Immediate shutdown, so that its own children go with it.
            death_signal=signal.SIGQUIT,
        )

    @property
    def operator(self) -> DatabaseOperator:
        return DatabaseOperator(_HOST, self._port, OPERATOR, self._password)

    @property
    def directory(self) -> Path:
        """Where its data lie: beside the state, or where the user that it runs as can reach."""
        return self._place.directory

    @property
    def _data(self) -> Path:
        return self._place.directory / "pgdata"

    def format(self) -> None:
        """Makes the database cluster, once; one that was left half made is made anew."""
        if (self._data / "formatted").exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self._place.directory) as password:
            password.write(self._password)
            password.flush()
            self._place.own(Path(password.name))
            self._initdb(Path(password.name))
        (self._data / "formatted").touch()

    def _initdb(self, password_file: Path) -> None:
        command = (
            str(self._place.binaries / "initdb"), "-D", str(self._data), "-U", OPERATOR,
            f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync", "--no-instructions",
        )  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self._place.directory, **self._place.identity
        )
        if done.returncode != 0:
            raise TrialError(f"PostgreSQL's initdb failed.\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        self.process.start()

    def wait_ready(self) -> None:
        probe = (str(self._place.binaries / "pg_isready"), "-q", "-h", _HOST, "-p", str(self._port))
        self.process.wait_ready(lambda: subprocess.run(probe, check=False).returncode == 0, _START_SECONDS)

    def stop(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()

    def discard(self) -> None:
        """Removes the data, wherever it had to lie."""
        shutil.rmtree(self._place.directory, ignore_errors=True)

    def _settings(self) -> tuple[str, ...]:
        settings = {
            "listen_addresses": _HOST,
            "port": str(self._port),
            # Loopback with passwords only: nobody enters by being this machine's user.
            "unix_socket_directories": "",
            "max_connections": "400",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            "log_checkpoints": "off",
        }
        return tuple(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
