"""The bundle of a case, streamed from the timeline's database to a file."""

from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import uvloop

from bench.contest import Job, Outcome, Stopwatch, peak_mib, take_part
from handoff.adapters.postgres.bundle_export import BundleRequest, open_export
from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.trust import TrustPolicy


def run(job: Job) -> Outcome:
    """Write the whole bundle to disk."""
    with Path(job.options["bundle"]).open("wb") as out:
        return uvloop.run(_run(job, out))


async def _run(job: Job, out: BinaryIO) -> Outcome:
    trust = TrustPolicy.parse(job.options["trust"].encode())
    asked = BundleRequest(UUID(job.options["case"]), Origin(job.jurisdiction, job.generation), trust)
    watch = Stopwatch()
    async with open_export(job.database, asked) as found:
        watch.begin()
        chunks = found.chunks()
        out.write(await anext(chunks))
        first = peak_mib()
        async for chunk in chunks:
            out.write(chunk)
            watch.reached(found.done)
    return watch.end(found.done, first_mib=first)


if __name__ == "__main__":
    take_part(run)
