"""`python -m services.exchange`: starts an exchange."""

from handoff.process import run_process
from services.exchange.runtime import run

if __name__ == "__main__":
    run_process(run)
