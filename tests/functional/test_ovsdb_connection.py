"""The connection that replaces the one of `ovs`, on a pair of real sockets."""

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import ovs.jsonrpc
import ovs.stream
import pytest

from ovsnet.ovsdb.connection import Connection

NOTE = {"id": None, "method": "update", "params": ['Žluťoučký 網路 🦭 " \\ }']}


@dataclass
class Pair:
    """Our end as a connection, the other as a bare socket."""

    ours: Any
    theirs: socket.socket


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.settimeout(10)
    connection = Connection(ovs.jsonrpc.Connection(ovs.stream.UnixStream(near, "unix:pair", 0)))
    yield Pair(connection, far)
    connection.close()
    far.close()


def test_characters_cut_in_two_arrive_whole(pair: Pair) -> None:
    text = msgspec.json.encode(NOTE)
    for byte in text[:-1]:
        pair.theirs.send(bytes([byte]))
        assert pair.ours.recv() == (errno.EAGAIN, None)
    pair.theirs.send(text[-1:])
    error, message = pair.ours.recv()
    assert (error, message.params) == (0, NOTE["params"])


def test_messages_that_arrive_together_come_out_one_by_one(pair: Pair) -> None:
    pair.theirs.send(msgspec.json.encode(NOTE) * 3)
    assert [pair.ours.recv()[0] for _ in range(4)] == [0, 0, 0, errno.EAGAIN]


def test_more_than_the_socket_takes_is_sent_in_the_end(pair: Pair) -> None:
    text = "網" * 400_000
    assert pair.ours.send(ovs.jsonrpc.Message.create_notify("update", [text])) == 0
    assert pair.ours.get_backlog() > 0
    received = b""
    while not received.endswith(b"}"):
        received += pair.theirs.recv(1 << 20)
        pair.ours.run()
    assert msgspec.json.decode(received)["params"] == [text]
    assert pair.ours.get_backlog() == 0


def test_the_other_ends_leaving_is_an_error_after_the_last_message(pair: Pair) -> None:
    pair.theirs.send(msgspec.json.encode(NOTE))
    pair.theirs.close()
    assert pair.ours.recv()[0] == 0
    assert pair.ours.recv() == (ovs.jsonrpc.EOF, None)
    assert pair.ours.send(ovs.jsonrpc.Message.create_notify("update", [])) == ovs.jsonrpc.EOF
