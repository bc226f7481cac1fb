"""Two aioice connections that may only relay: each allocates at the TURN server, they meet, datagrams pass both ways.

Standard input: one JSON object, {"host", "port", "transport": "udp" | "tcp" | "tls", "credentials": [{"username",
"password"}, the same of the other seat], "payloads": [bytes of each datagram, per direction]}. Standard output: one
JSON object, {"candidates": [all local candidates], "received": [[bytes of each datagram], [the other way]]}.
For TLS, SSL_CERT_FILE names the certificate to trust. Any failure is a traceback and exit status 1.
"""

import asyncio
import json
import sys

from aioice import Connection, TransportPolicy

# The first bytes tell these datagrams from STUN, as those of RTP do (RFC 7983).
RTP = b"\x80\x60"


def connection(order, seat):
    return Connection(
        ice_controlling=seat == 0,
        turn_server=(order["host"], order["port"]),
        turn_username=order["credentials"][seat]["username"],
        turn_password=order["credentials"][seat]["password"],
        turn_transport="udp" if order["transport"] == "udp" else "tcp",
        turn_ssl=order["transport"] == "tls",
        transport_policy=TransportPolicy.RELAY,
    )


async def introduce(one, other):
    """Gives `other` everything an answer or an offer would carry."""
    for candidate in one.local_candidates:
        await other.add_remote_candidate(candidate)
    await other.add_remote_candidate(None)
    other.remote_username = one.local_username
    other.remote_password = one.local_password


def datagrams(order, seat):
    return [RTP + bytes([seat, number % 256]) + bytes(size - 4) for number, size in enumerate(order["payloads"])]


async def send(order, seat, connection):
    for datagram in datagrams(order, seat):
        await connection.send(datagram)


async def receive(order, seat, connection):
    """What came from `seat`, as sizes; a datagram that differs from what was sent is an error."""
    received = [await connection.recv() for _ in order["payloads"]]
    if received != datagrams(order, seat):
        raise ValueError(f"other datagrams than seat {seat + 1} sent, or in another order")
    return [len(datagram) for datagram in received]


async def main(order):
    pair = [connection(order, 0), connection(order, 1)]
    await asyncio.gather(*(one.gather_candidates() for one in pair))
    await introduce(pair[0], pair[1])
    await introduce(pair[1], pair[0])
    await asyncio.gather(*(one.connect() for one in pair))
    received = await asyncio.gather(
        receive(order, 0, pair[1]),
        receive(order, 1, pair[0]),
        send(order, 0, pair[0]),
        send(order, 1, pair[1]),
    )
    candidates = [
        {"type": candidate.type, "address": candidate.host, "port": candidate.port}
        for one in pair
        for candidate in one.local_candidates
    ]
    await asyncio.gather(*(one.close() for one in pair))
    print(json.dumps({"candidates": candidates, "received": received[:2]}))


asyncio.run(main(json.load(sys.stdin)))
