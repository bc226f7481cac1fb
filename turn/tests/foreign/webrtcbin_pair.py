"""Two GStreamer webrtcbin elements that may only relay: each allocates at the TURN server, they meet, and a message
passes each way over a data channel.

Standard input: one JSON object, {"host", "port", "transport": "udp" | "tcp", "credentials": [{"username",
"password"}, the same of the other seat], "payloads": [bytes of each message, per direction]}. Standard output: one
JSON object, {"candidates": [all local candidates], "received": [[bytes of each message], [the other way]]}.
Any failure is a message on standard error and exit status 1.
"""

import json
import os
import sys
from urllib.parse import quote

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstSdp", "1.0")
    gi.require_version("GstWebRTC", "1.0")
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC
except (ImportError, ValueError) as error:
    sys.exit(f"{error}: apt-get install python3-gst-1.0 gir1.2-gst-plugins-bad-1.0")

# What webrtcbin is made of, and Debian's packages that bring it.
ELEMENTS = {
    "webrtcbin": "gstreamer1.0-plugins-bad",
    "dtlsenc": "gstreamer1.0-plugins-bad",
    "sctpenc": "gstreamer1.0-plugins-bad",
    "srtpenc": "gstreamer1.0-plugins-bad",
    "rtpbin": "gstreamer1.0-plugins-good",
    "nicesrc": "gstreamer1.0-nice",
}


def fail(reason):
    """From any thread: an exception inside a callback of GObject would only be printed."""
    print(reason, file=sys.stderr, flush=True)
    os._exit(1)


def turn_uri(order, seat):
    credential = order["credentials"][seat]
    username, password = quote(credential["username"], safe=""), quote(credential["password"], safe="")
    return f"turn://{username}:{password}@{order['host']}:{order['port']}?transport={order['transport']}"


class Peer:
    """A webrtcbin with its candidates, its data channel and what arrived on it."""

    def __init__(self, order, seat, finished):
        self.payloads, self.finished = order["payloads"], finished
        self.candidates, self.received = [], []
        self.other = self.channel = None
        self.held_back, self.described = [], False
        self.bin = Gst.ElementFactory.make("webrtcbin", f"seat{seat + 1}")
        self.bin.set_property("ice-transport-policy", GstWebRTC.WebRTCICETransportPolicy.RELAY)
        self.bin.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        if not self.bin.emit("add-turn-server", turn_uri(order, seat)):
            fail("webrtcbin refused the URI of the TURN server")
        self.bin.connect("on-ice-candidate", self.on_candidate)
        self.bin.connect("on-data-channel", lambda _, channel: self.use(channel))

    def on_candidate(self, _, line, candidate):
        # Called on webrtcbin's own thread; everything else happens in the main loop.
        GLib.idle_add(self.pass_on, line, candidate)

    def pass_on(self, line, candidate):
        self.candidates.append(candidate)
        self.other.take(line, candidate)

    def take(self, line, candidate):
        if self.described:
            self.bin.emit("add-ice-candidate", line, candidate)
        else:
            self.held_back.append((line, candidate))

    def describe(self, side, kind, text):
        """Sets a description and calls nothing back: webrtcbin works through these in order."""
        _, message = GstSdp.SDPMessage.new_from_text(text)
        description = GstWebRTC.WebRTCSessionDescription.new(kind, message)
        self.bin.emit(f"set-{side}-description", description, Gst.Promise.new())
        if side == "remote":
            self.described = True
            for line, candidate in self.held_back:
                self.bin.emit("add-ice-candidate", line, candidate)

    def create(self, kind, then):
        """Makes an offer or an answer and hands its text to `then` in the main loop; the object dies with the promise."""

        def on_made(promise, *_):
            reply = promise.get_reply()
            made = reply.get_value(kind) if reply is not None else None
            if made is None:
                fail(f"no {kind}: {reply.to_string() if reply is not None else 'the promise was broken'}")
            GLib.idle_add(then, made.sdp.as_text())

        self.bin.emit(f"create-{kind}", None, Gst.Promise.new_with_change_func(on_made))

    def open_channel(self):
        self.use(self.bin.emit("create-data-channel", "data", None))

    def use(self, channel):
        """Both ends may already be open when this is called, or open later."""
        self.channel = channel
        channel.connect("on-message-data", self.on_message)
        channel.connect("on-error", lambda _, error: fail(f"data channel: {error.message}"))
        if channel.get_property("ready-state") == GstWebRTC.WebRTCDataChannelState.OPEN:
            self.send()
        else:
            channel.connect("on-open", lambda _: self.send())

    def send(self):
        for number, size in enumerate(self.payloads):
            self.channel.emit("send-data", GLib.Bytes.new(bytes([number % 256]) * size))

    def on_message(self, _, data):
        message = data.get_data()
        if message != bytes([len(self.received) % 256]) * len(message):
            fail("another message than was sent, or in another order")
        self.received.append(len(message))
        if len(self.received) == len(self.payloads):
            GLib.idle_add(self.finished)


def parsed(candidate):
    """candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE ... (RFC 8839)"""
    words = candidate.removeprefix("a=").split()
    return {"type": words[words.index("typ") + 1], "address": words[4], "port": int(words[5])}


def main(order):
    Gst.init(None)
    for element, package in ELEMENTS.items():
        if Gst.ElementFactory.find(element) is None:
            sys.exit(f"GStreamer's {element} is missing: apt-get install {package}")
    loop = GLib.MainLoop()

    def finished():
        if all(len(peer.received) == len(order["payloads"]) for peer in pair):
            loop.quit()

    pair = [Peer(order, seat, finished) for seat in (0, 1)]
    offerer, answerer = pair
    offerer.other, answerer.other = answerer, offerer
    pipeline = Gst.Pipeline.new()
    for peer in pair:
        pipeline.add(peer.bin)
    pipeline.set_state(Gst.State.PLAYING)
    offerer.open_channel()

    def on_answer(answer):
        answerer.describe("local", GstWebRTC.WebRTCSDPType.ANSWER, answer)
        offerer.describe("remote", GstWebRTC.WebRTCSDPType.ANSWER, answer)

    def on_offer(offer):
        offerer.describe("local", GstWebRTC.WebRTCSDPType.OFFER, offer)
        answerer.describe("remote", GstWebRTC.WebRTCSDPType.OFFER, offer)
        answerer.create("answer", on_answer)

    offerer.create("offer", on_offer)
    loop.run()
    pipeline.set_state(Gst.State.NULL)
    candidates = [parsed(candidate) for peer in pair for candidate in peer.candidates]
    received = [answerer.received, offerer.received]
    print(json.dumps({"candidates": candidates, "received": received}))


main(json.load(sys.stdin))
