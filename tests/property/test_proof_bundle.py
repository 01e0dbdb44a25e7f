"""No bit of a bundle can be changed without its being refused, or proving the same."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.proof.verify.archive import ArchiveMember, NotAnArchive, read_members
from handoff.proof.verify.bundle import BundleReader, BundleRecord, NotABundle
from handoff.proof.verify.report import Conclusion
from handoff.proof.verify.verifier import verify
from tests.support.parts.proof_record import honest, trust

BUNDLE = honest().bundle()
LARGE = honest(others=300).bundle()
TRUST = trust()


def contents(bundle: bytes) -> tuple[object, ...]:
    """Content of a bundle without its signatures."""
    reader = BundleReader(io.BytesIO(bundle))
    tiles = [(tile, list[BundleRecord](records)) for tile, records in reader.tiles()]
    return reader.manifest, reader.checkpoint.partition(b"\n\n")[0], reader.receipts, tiles


def members(bundle: bytes) -> list[ArchiveMember]:
    return list(read_members(io.BytesIO(bundle)))


SENTENCES = contents(BUNDLE)


def is_refused_or_unchanged(bundle: bytes) -> bool:
    try:
        report = verify(io.BytesIO(bundle), TRUST)
    except NotABundle:
        return True
    return report.conclusion is not Conclusion.PROVEN or contents(bundle) == SENTENCES


@given(st.integers(0, len(BUNDLE) * 8 - 1))
@settings(max_examples=300)
def test_a_flipped_bit_is_refused_or_changes_nothing(bit: int) -> None:
    flipped = bytearray(BUNDLE)
    flipped[bit // 8] ^= 1 << bit % 8
    assert is_refused_or_unchanged(bytes(flipped))


@given(st.integers(0, len(BUNDLE)), st.integers(0, 2000), st.binary(max_size=600))
@settings(max_examples=150)
def test_bytes_cut_out_or_put_in_are_refused(at: int, length: int, put: bytes) -> None:
    changed = BUNDLE[:at] + put + BUNDLE[at + length :]
    assert changed == BUNDLE or is_refused_or_unchanged(changed)


@given(st.permutations(range(len(members(BUNDLE)))))
@settings(max_examples=50)
def test_members_in_another_order_are_refused(order: list[int]) -> None:
    starts = [0]
    for member in members(BUNDLE):
        starts.append(starts[-1] + 512 + -(-len(member.body) // 512) * 512)
    parts = [BUNDLE[starts[n] : starts[n + 1]] for n in order]
    assert is_refused_or_unchanged(b"".join(parts) + bytes(1024))


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_no_archive(raw: bytes) -> None:
    try:
        list(read_members(io.BytesIO(raw)))
    except NotAnArchive:
        return
    assert raw == bytes(1024)


def test_a_bundle_is_an_archive_that_any_tar_reads() -> None:
    """Read with Python's own tarfile, which had no part in writing it."""
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(LARGE), mode="r:") as archive:
        names = archive.getnames()
        assert names == [member.name for member in members(LARGE)]
        extracted = [archive.extractfile(name) for name in names]
        assert [file.read() if file else None for file in extracted] == [member.body for member in members(LARGE)]
    assert [name for name in names if name.startswith("tile/")] == ["tile/entries/000", "tile/entries/001.p/59"]


def test_the_same_case_gives_the_same_bytes() -> None:
    assert honest().bundle() == BUNDLE


def test_a_bundle_is_read_in_flat_memory() -> None:
    """No more of a file is held than a tile and its records, however long the record is."""
    import tracemalloc

    def peak(bundle: bytes) -> int:
        verify(io.BytesIO(bundle), TRUST)
        tracemalloc.start()
        verify(io.BytesIO(bundle), TRUST)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(honest(others=4000).bundle()) < peak(honest(others=1000).bundle()) * 1.1
