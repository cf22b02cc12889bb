"""Tests of checking a connection."""

from __future__ import annotations

import os
import socket

from tfretrieval.connectivity import connection_error


def test_error_is_none_if_and_only_if_a_server_listens():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert connection_error(address, 5) == "Connection refused"
        listener.listen()
        assert connection_error(address, 5) is None


def test_invalid_port_is_reported():
    assert connection_error("127.0.0.1:99999", 5)


def test_ipv6_address_is_parsed(monkeypatch):
    addresses = []

    def connected(address, timeout):
        addresses.append(address)
        return open(os.devnull)

    monkeypatch.setattr(socket, "create_connection", connected)
    assert connection_error("[::1]:2222", 5) is None
    assert addresses == [("::1", 2222)]
