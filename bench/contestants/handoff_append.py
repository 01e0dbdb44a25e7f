"""The projection's stages without judging: strict parsing, COPY and the offset in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.appending import COLUMNS, row_of_event
from bench.contestants.reading import TimedReader
from handoff.adapters.postgres.timeline_store import Ledger, connect
from handoff.domain.directory import Directory
from handoff.process import freeze_gc
from handoff.projection.pipeline import Checker, Projecting
from handoff.proof.log.frontier import TreeNode
from handoff.record.envelope import Event
from handoff.views.timeline_fold import Chronicle, Identity, Page, Placed


@dataclass(frozen=True, slots=True)
class _Batch(Page):
    placed: Sequence[Placed] = ()

    @property
    def first_offset(self) -> int:
        return self.placed[0].offset

    @property
    def next_offset(self) -> int:
        return self.placed[-1].offset + 1

    @property
    def record_ms(self) -> int:
        return self.placed[-1].appended_ms


class _Unjudged(Chronicle):
    def page(self, batch: Sequence[Placed], first_hashes: Mapping[Identity, str]) -> Page:  # noqa: ARG002 - as it is
        return _Batch((), (), None, (), batch)


class _Appending(Ledger):
    async def recall(self, chronicle: Chronicle, batch: Sequence[Placed]) -> Mapping[Identity, str]:  # noqa: ARG002
        return {}

    async def _write(self, page: _Batch, nodes: Sequence[TreeNode]) -> None:  # noqa: ARG002 - there are no leaves
        rows = [
            row_of_event(placed.offset, placed.entry.event, placed.entry.message.value)
            for placed in page.placed
            if isinstance(placed.entry.event, Event)
        ]
        await self._connection.copy_records_to_table("appended", records=rows, columns=COLUMNS)


def run(job: Job) -> Outcome:
    """Append the record to one table."""
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    watch = Stopwatch()
    connection = await connect(job.database)
    books = _Appending(connection)
    position = await books.take_over()
    # Without a key in the directory, no signature is verified.
    chronicle = _Unjudged(job.genesis_sha256, Directory(job.jurisdiction, job.generation), 0)
    freeze_gc()
    reader = TimedReader(job, watch)
    with Checker() as checker:
        await Projecting(reader, books, chronicle, position).run(checker, lambda _page: None, until=job.entries)
    outcome = watch.end(job.entries)
    await reader.close()
    await connection.close()
    return outcome


if __name__ == "__main__":
    take_part(run)
