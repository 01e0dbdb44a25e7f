"""SIGINT stops a command that a script started in the background."""

import signal
import subprocess
import sys

import pytest

_WAITS = """
import sys, time, typer
from handoff.cli.signals import stops_on_signal
try:
    with stops_on_signal():
        print("waiting", flush=True)
        time.sleep(60)
except typer.Exit as stopped:
    sys.exit(stopped.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_background_command_of_a_script_is_stopped(number: signal.Signals) -> None:
    """Without job control, a shell starts a command that ends in `&` with SIGINT ignored."""
    script = '"$0" -c "$1" & echo $!; wait $!; echo "exit code $?"'
    argv = ("sh", "-c", script, sys.executable, _WAITS)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        assert shell.stdout.readline() == "waiting\n"
        subprocess.run(["kill", f"-{number.name.removeprefix('SIG')}", str(pid)], check=True)
        assert shell.stdout.read() == "exit code 130\n"
