"""`python -m services.exchange`: run an exchange."""

from handoff.exchange.runtime import run
from handoff.process import run_process

if __name__ == "__main__":
    run_process(run)
