"""Decision whether a request goes through the institution's proxy, which HTTP_PROXY and HTTPS_PROXY name.

The proxy is for the internet. It cannot reach the loopback addresses, the private network or the cluster of this
process, and a client that asks it for them gets nothing.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

_INTERNAL_SUFFIXES = (".localhost", ".local", ".internal", ".svc")


def is_internal(url: str) -> bool:
    """Return whether the host of ``url`` is on this machine, in its private network or in its cluster.

    These are loopback and private addresses, names without a dot, and names in domains that are never on the internet.
    """
    host = (urlsplit(url).hostname or "").removesuffix(".")
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_INTERNAL_SUFFIXES)
    return address.is_loopback or address.is_private or address.is_link_local
