"""`python -m services.projection`: run a projection."""

from handoff.bootstrap.projection import run_projection

if __name__ == "__main__":
    run_projection()
