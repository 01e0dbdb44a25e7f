"""The `handoff` command."""


def main() -> None:
    """Run the command line. Only the command that runs imports its large dependencies."""
    import io
    import sys

    from handoff.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A path may have bytes that are not UTF-8, and a terminal may lack a letter: neither ends a command.
            stream.reconfigure(errors="backslashreplace")
    app()
