"""Poison: one submission in a hundred is refused, and must cost the others no more than its share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from bench.exchange import OWN, lay_submissions
from bench.race import Spread, run
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand
from bench.stories import key_of
from handoff.record import message
from handoff.record.message import SIGNATURE_HEADER, Message

_ONE_IN = 100
# One per cent for the poison itself, and one for the refusals, which the exchange signs and publishes as events.
_LEAST = 0.98


def poison(stand: Stand, sizes: Sizes) -> Chapter:
    """The rate of the good submissions among poison, compared with their rate alone, round by round."""
    alone, among = [], []
    for number in range(1, sizes.rounds + 1):
        alone.append(run(OWN, lay_submissions(stand, sizes.exchange)).rate)
        found = run(OWN, lay_submissions(stand, sizes.exchange, among=spoiled))
        among.append(sizes.exchange / found.seconds)
        stand.progress(f"round {number}: {alone[-1]:,.0f} good/s alone, {among[-1]:,.0f} good/s among poison")
    ratio = Spread.of([with_it / without for with_it, without in zip(among, alone, strict=True)])
    findings = [
        Measurement("Good submissions alone", Spread.of(alone), "events/s"),
        Measurement("Good submissions, 1 % poison beside them", Spread.of(among), "events/s"),
        Measurement("Among poison ÷ alone", ratio, "times", Aim(_LEAST)),
    ]
    return Chapter("poison", "Bad input under load", findings, _REMARKS)


def spoiled(messages: Iterable[Message]) -> Iterator[Message]:
    """``messages`` with a poisoned one after every hundredth, of each kind in turn."""
    for number, good in enumerate(messages, 1):
        yield good
        if number % _ONE_IN == 0:
            yield _KINDS[number // _ONE_IN % len(_KINDS)](good)


def _with_value(good: Message, value: bytes) -> Message:
    return message.sign((good.key or b"").decode(), value, key_of("police"))


def _forged(good: Message) -> Message:
    headers = tuple((name, bytes(64) if name == SIGNATURE_HEADER else value) for name, value in good.headers)
    return replace(good, headers=headers)


_KINDS: tuple[Callable[[Message], Message], ...] = (
    _forged,
    lambda good: _with_value(good, b"\xff\x00 not JSON"),
    lambda good: _with_value(good, b'{"id":1,' + (good.value or b"")[1:]),
    lambda good: _with_value(good, b'{"type":"case.opened.v1"}'),
    lambda good: replace(good, headers=(*good.headers, ("note", b"words"))),
)
_REMARKS = (
    "Forged, not JSON, a duplicate key, against the schema, and with an extra header: each refusal is recorded.",
)
