"""`python -m services.projection`: run a projection."""

from handoff.process import run_process
from handoff.projection.runtime import run

if __name__ == "__main__":
    run_process(run)
