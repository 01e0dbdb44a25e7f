"""Protection of connections: without TLS, only to this machine.

Off this machine, passwords, tokens and events would cross the network in the clear, or to a server that nothing
identifies. Only the names and addresses below count as this machine; other loopback addresses are treated as remote.
"""

import ssl
from pathlib import Path
from urllib.parse import quote, urlsplit

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_VERIFYING = frozenset({"verify-ca", "verify-full"})


def is_this_machine(host: str) -> bool:
    """Return whether ``host`` is a loopback name or address."""
    return host.strip("[]").lower() in _THIS_MACHINE


def are_this_machine(bootstrap_servers: str) -> bool:
    """Return whether all of these brokers (``host:port, …``) are on this machine."""
    servers = [server.strip() for server in bootstrap_servers.split(",")]
    return all(is_this_machine(server.rpartition(":")[0] or server) for server in servers)


def is_protected_url(url: str) -> bool:
    """Return whether a request to ``url`` is encrypted, or stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(parts.hostname or ""))


def is_verified(host: str, sslmode: str | None) -> bool:
    """Return whether a database server is verified, or is on this machine. ``None`` is the default mode."""
    return sslmode is None or sslmode in _VERIFYING or is_this_machine(host)


def postgres_query(host: str, sslmode: str | None, ca_file: Path | None, *, on_this_machine: str) -> str:
    """Return the query of a connection string.

    The default mode is ``verify-full``, or ``on_this_machine``. Without ``ca_file``, the system's authorities count.
    """
    mode = sslmode or (on_this_machine if is_this_machine(host) else "verify-full")
    trusted = ca_file or ssl.get_default_verify_paths().cafile
    if mode not in _VERIFYING or trusted is None:
        return f"sslmode={mode}"
    return f"sslmode={mode}&sslrootcert={quote(str(trusted), safe='')}"
