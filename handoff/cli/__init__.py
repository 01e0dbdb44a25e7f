"""The `handoff` command."""


def main() -> None:
    """Runs the command line; heavy parts are imported only by the commands that need them."""
    from handoff.cli.app import app

    app()
