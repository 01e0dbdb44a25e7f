"""Static files of a site: addressed by the hash of their content, cached without limit, and sent compressed."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PREFIX = "/static"
_MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
)
_CACHED = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, as it is and compressed. ``address`` contains the start of its hash."""

    address: str
    media_type: str
    content: bytes
    compressed: bytes


class StaticFiles:
    """ASGI application that serves the files of `static/` in ``packages``; an earlier package hides a later one."""

    def __init__(self, *packages: str) -> None:
        self._files = {name: _read(package, name) for package in reversed(packages) for name in _names(package)}
        self._by_address = {file.address: file for file in self._files.values()}

    def address(self, name: str) -> str:
        """Return the path of a file. Raises KeyError for a file that does not exist."""
        return PREFIX + self._files[name].address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file of the path; a path with another hash, or with none, does not exist."""
        file = self._by_address.get(scope["path"].removeprefix(scope.get("root_path", "")))
        if file is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        headers = {"Cache-Control": _CACHED, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
        content = file.content
        if _takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
            headers["Content-Encoding"], content = "gzip", file.compressed
        await Response(content, media_type=file.media_type, headers=headers)(scope, receive, send)


def _takes_gzip(accepted: str) -> bool:
    codings = (coding.replace(" ", "").lower() for coding in accepted.split(","))
    return any(coding.partition(";")[0] in {"gzip", "*"} and not coding.endswith(";q=0") for coding in codings)


def _names(package: str) -> list[str]:
    return [file.name for file in files(package).joinpath("static").iterdir() if _kind(file.name) in _MEDIA_TYPES]


def _read(package: str, name: str) -> StaticFile:
    content = files(package).joinpath("static", name).read_bytes()
    stem, dot, kind = name.rpartition(".")
    address = f"/{stem}.{hashlib.sha256(content).hexdigest()[:16]}{dot}{kind}"
    return StaticFile(address, _MEDIA_TYPES[kind], content, gzip.compress(content, 9, mtime=0))


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
