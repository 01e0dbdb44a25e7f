"""Rotation of a trial's log files: no line of a service is lost, and old files are deleted."""

import os
import threading
from pathlib import Path

from handoff.adapters.files.log_files import log_files, renamed_log
from handoff.config import LogSettings
from handoff.trial.log_rotation import LogFile
from handoff.trial.service_process import ServiceProcess

_FULL = 64 * 1024
_LIMITS = LogSettings(file_bytes=_FULL, files=3, days=30)
_DAY = 86_400


def _lines(path: Path) -> list[str]:
    return [line for part in log_files(path) for line in part.read_text().splitlines()]


def test_a_writer_loses_no_line_when_its_file_is_renamed(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "police.log", LogSettings(file_bytes=_FULL, files=1_000))
    output = os.open(os.devnull, os.O_WRONLY)
    log.redirect(output)
    expected, done = [f"line {number} {'x' * 100}" for number in range(20_000)], threading.Event()

    def write() -> None:
        for line in expected:
            os.write(output, f"{line}\n".encode())
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        log.rotate_by_rename(output)
    writer.join()
    os.close(output)
    assert len(log_files(log.path)) > 2
    assert _lines(log.path) == expected


def test_a_file_that_stays_open_is_copied_and_emptied(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "broker-1.log", _LIMITS)
    with log.path.open("ab", buffering=0) as output:
        output.write(b"a" * _FULL)
        log.rotate_by_copy()
        output.write(b"b")
    assert log.path.read_bytes() == b"b"
    assert renamed_log(log.path, 1).read_bytes() == b"a" * _FULL
    assert renamed_log(log.path, 1).stat().st_mode & 0o777 == 0o600


def test_a_file_below_its_limit_is_left_alone(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "police.log", _LIMITS)
    log.path.write_bytes(b"a" * (_FULL - 1))
    log.rotate_by_copy()
    assert log_files(log.path) == (log.path,)


def test_only_as_many_files_are_kept_as_configured(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "police.log", _LIMITS)
    for content in b"abcdef":
        log.path.write_bytes(bytes([content]) * _FULL)
        log.rotate_by_copy()
    assert [path.read_bytes()[:1] for path in log_files(log.path)[:-1]] == [b"d", b"e", b"f"]


def test_a_file_is_deleted_once_it_is_older_than_configured(tmp_path: Path) -> None:
    path = tmp_path / "police.log"
    for number, age in ((1, 29), (2, 31)):
        renamed_log(path, number).write_text("old\n")
        os.utime(renamed_log(path, number), (0, -age * _DAY))
    LogFile(path, _LIMITS, now=lambda: 0).rotate_by_rename()
    assert log_files(path) == (renamed_log(path, 1),)


def test_other_files_beside_a_log_are_not_its_own(tmp_path: Path) -> None:
    path = tmp_path / "police.log"
    for name in ("police.log.note", "police.log.1.gz", "police.log.-1"):
        (tmp_path / name).write_text("note\n")
    assert log_files(path) == ()


def test_a_service_rotates_its_own_log(tmp_path: Path) -> None:
    """The module writes numbered lines until its log has been renamed twice."""
    config = tmp_path / "police.toml"
    config.write_text(
        'jurisdiction = "prizren"\ngeneration = 1\nmember = "police"\n'
        f'genesis_sha256 = "{"0" * 64}"\n'
        'kafka = {bootstrap_servers = "127.0.0.1:1", username = "police", password = "none"}\n'
        'postgres = {host = "127.0.0.1", database = "police", user = "police", password = "none"}\n'
        f"log = {{file_bytes = {_FULL}}}\n"
    )
    log = tmp_path / "police.log"
    service = ServiceProcess("police", "tests.support.parts.long_log", config, log)
    service.start()
    service.wait_ready(lambda: renamed_log(log, 2).exists())
    service.terminate()
    lines = _lines(log)
    assert lines == [f"line {number}" for number in range(len(lines))]
