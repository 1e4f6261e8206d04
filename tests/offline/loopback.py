"""Refuses every connection that would leave this machine: a forgotten download fails a test, not a workshop."""

import ipaddress
import socket


class NetworkBlockedError(RuntimeError):
    """A test tried to reach another machine."""


def enforce() -> None:
    """Wrap `connect`, `connect_ex`, `sendto` and name look-up of every socket made from now on."""
    if hasattr(socket.socket, "_loopback_only"):
        return
    socket.socket._loopback_only = True
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    socket.socket.sendto = _guarded_sendto(socket.socket.sendto)
    look_up = socket.getaddrinfo

    def getaddrinfo(host, *rest, **options):
        _refuse_unless_local(host)
        return look_up(host, *rest, **options)

    socket.getaddrinfo = getaddrinfo


def _guarded(method):
    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_local(address[0])
        return method(self, address)

    return guarded


def _guarded_sendto(method):
    def sendto(self, data, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_local(rest[-1][0])
        return method(self, data, *rest)

    return sendto


def _refuse_unless_local(host) -> None:
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost", socket.gethostname(), "0.0.0.0", "::"):
        return
    try:
        local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        local = False
    if not local:
        raise NetworkBlockedError(f"The tests run offline; something tried to reach {host!r}.")
