"""`python -m services.monitor`: run a monitor."""

from handoff.monitor.runtime import run
from handoff.process import run_process

if __name__ == "__main__":
    run_process(run)
