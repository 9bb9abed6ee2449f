"""Sends a text and a file through kurir.

    KURIR_URL=http://127.0.0.1:8080 KURIR_KEY=kurir_live_… python3 send.py 081234567890 'Halo!' faktur.pdf order-1042

Nothing but the standard library. The last word names this sending, an order number for example: run again with the same,
nothing is sent twice.
"""

import json
import os
import pathlib
import sys
import urllib.error
import urllib.request
import uuid

TIMEOUT = 60  # seconds


class KurirError(Exception):
    """What kurir refused: code is for programs, the message for people."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code


def post(path: str, idempotency_key: str, content_type: str, body: bytes) -> str:
    """Gives the id of the message that kurir accepted."""
    request = urllib.request.Request(
        os.environ["KURIR_URL"].rstrip("/") + path,
        data=body,
        headers={
            "Authorization": "Bearer " + os.environ["KURIR_KEY"],
            "Idempotency-Key": idempotency_key,
            "Content-Type": content_type,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return json.load(response)["id"]
    except urllib.error.HTTPError as error:
        raise refused(error) from None


def refused(error: urllib.error.HTTPError) -> Exception:
    try:
        answer = json.load(error)
        return KurirError(answer["code"], answer["message"])
    except (ValueError, KeyError, TypeError):  # a proxy in between answers in its own words
        return KurirError(f"HTTP {error.code}", str(error.reason))


def send_text(phone: str, text: str, idempotency_key: str) -> str:
    body = json.dumps({"phone": phone, "body": text}).encode()
    return post("/wa/send", idempotency_key, "application/json", body)


def send_file(phone: str, path: pathlib.Path, idempotency_key: str) -> str:
    """Sends the file as it is, without base64."""
    boundary = uuid.uuid4().hex
    name = path.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")  # as browsers do
    body = b"".join([
        f'--{boundary}\r\nContent-Disposition: form-data; name="phone"\r\n\r\n{phone}\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode(),
        b"Content-Type: application/octet-stream\r\n\r\n",
        path.read_bytes(),
        f"\r\n--{boundary}--\r\n".encode(),
    ])
    return post("/wa/sendfile", idempotency_key, f"multipart/form-data; boundary={boundary}", body)


def main() -> int:
    if len(sys.argv) != 5:
        print("usage: send.py PHONE TEXT FILE NAME_OF_THIS_SENDING", file=sys.stderr)
        return 2
    phone, text, file, name = sys.argv[1:]
    try:
        print(send_text(phone, text, name + "-text"))
        print(send_file(phone, pathlib.Path(file), name + "-file"))
    except (KurirError, OSError) as error:
        print("kurir:", error, file=sys.stderr)
        return 1
    except KeyError as error:
        print(f"{error.args[0]} is not set", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
