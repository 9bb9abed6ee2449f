"""Receives kurir's webhooks: checks that a call is kurir's, then does something with the event.

    KURIR_WEBHOOK_SECRET='whsec_…' python3 receiver.py 9000

Nothing but the standard library. The secret is shown when the webhook is made (POST /v1/webhooks) and when it is rotated.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE = 300  # seconds that a call may be old: what somebody recorded is not played back later
MAX_BODY = 1 << 20


def verify(secret: str, body: bytes, call_id: str, timestamp: str, signatures: str) -> bool:
    """Whether the headers prove that whoever knows the secret sent this body, as Standard Webhooks say."""
    if not call_id or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{call_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # Two signatures while a secret is being rotated.
    return any(hmac.compare_digest(expected, s.encode()) for s in signatures.split(" "))


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_BODY:
            self.answer(413)
            return
        body = self.rfile.read(length)
        call_id = self.headers.get("webhook-id", "")
        genuine = verify(
            os.environ["KURIR_WEBHOOK_SECRET"],
            body,
            call_id,
            self.headers.get("webhook-timestamp", ""),
            self.headers.get("webhook-signature", ""),
        )
        if not genuine:
            self.answer(401)
            return
        event = json.loads(body)
        # The same event can come more than once, always with the same id: keep the ids that are done.
        if event["type"] == "message":
            data = event["data"]
            print(call_id, data.get("phone") or data["chat"], data["body"], flush=True)
        self.answer(204)  # soon: kurir waits 10 s. Anything but 2xx, and kurir comes again.

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print("listening", server.server_address[1], flush=True)
    server.serve_forever()
