"""The `handoff` command."""


def main() -> None:
    """Run the command line. Only the command that runs imports its large dependencies."""
    from handoff.cli.app import app

    app()
