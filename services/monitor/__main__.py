"""`python -m services.monitor`: run a monitor."""

from handoff.bootstrap.monitor import run_monitor

if __name__ == "__main__":
    run_monitor()
