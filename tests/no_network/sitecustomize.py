"""Loaded at the start of every Python process whose path holds this folder: no connection leaves.

The notebook check puts this folder on the path, so a notebook that reaches for the network fails.
"""

import ipaddress
import socket


def refuse_unless_here(host) -> None:
    """Raise OSError for any host but this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    try:
        here = name in (None, "", "localhost") or ipaddress.ip_address(name).is_loopback
    except ValueError:
        here = False
    if not here:
        raise OSError(f"a notebook must not use the network: {name}")


def guard(function):
    """Check the address of a connection first; sockets of other kinds have no host."""

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse_unless_here(address[0])
        return function(self, address)

    return guarded


def look_up(host, *args, **options):
    """Look up this machine only."""
    refuse_unless_here(host)
    return original_look_up(host, *args, **options)


original_look_up = socket.getaddrinfo
socket.getaddrinfo = look_up
socket.socket.connect = guard(socket.socket.connect)
socket.socket.connect_ex = guard(socket.socket.connect_ex)
