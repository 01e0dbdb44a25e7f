"""`python -m services.exchange`: run an exchange."""

from handoff.bootstrap.exchange import run_exchange

if __name__ == "__main__":
    run_exchange()
