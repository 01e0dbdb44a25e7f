"""`python -m services.monitor`: starts a monitor."""

from handoff.process import run_process
from services.monitor.runtime import run

if __name__ == "__main__":
    run_process(run)
