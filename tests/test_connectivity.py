"""Whether something listens at an address."""

from __future__ import annotations

import socket

from tfretrieval import reach
from tfretrieval.connectivity import connection_error


def test_a_listener_is_reached_and_what_is_gone_is_not():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert connection_error(address, 5) == "Connection refused"
        listener.listen()
        assert connection_error(address, 5) is None


def test_a_port_that_cannot_be_is_not_reached():
    assert connection_error("127.0.0.1:99999", 5)


def test_addresses_of_the_sixth_version_are_understood(monkeypatch):
    seen = []

    def connected(address, timeout):
        seen.append(address)
        return socket.socket()

    monkeypatch.setattr(reach.socket, "create_connection", connected)
    assert connection_error("[::1]:2222", 5) is None
    assert seen == [("::1", 2222)]
