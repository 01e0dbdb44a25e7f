"""Offline verification of a bundle."""

from pathlib import Path

from bench.contest import Job, Outcome, Stopwatch, take_part
from handoff.proof.verify import report
from handoff.proof.verify.trust import TrustPolicy
from handoff.proof.verify.verifier import verify


def run(job: Job) -> Outcome:
    """Verify the whole bundle, which must be good."""
    watch = Stopwatch()
    with Path(job.options["bundle"]).open("rb") as source:
        watch.begin()
        found = verify(source, TrustPolicy.parse(job.options["trust"].encode()))
    if found.conclusion is not report.Conclusion.PROVEN or found.size is None:
        raise RuntimeError("\n".join(found.lines()))
    return watch.end(found.size)


if __name__ == "__main__":
    take_part(run)
