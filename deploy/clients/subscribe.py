#!/usr/bin/env python3
"""Prints every alert of newsmonitor once, and after a stop goes on where it was.

It needs Python 3.8 and nothing else, so it speaks the NATS protocol itself, in
the class Nats: with the package nats-py that class goes, and follow is shorter.
Copy it, and put your own work in the place of show.
"""
import argparse, json, os, signal, socket, ssl, sys, time, urllib.parse, uuid

class Nats:
    """As much of a NATS client as a reader needs."""
    def __init__(self, server):
        url = urllib.parse.urlsplit(server)
        self.sock = socket.create_connection((url.hostname, url.port or 4222), timeout=30)
        self.lines = self.sock.makefile("rb")
        info = json.loads(self.lines.readline()[5:])  # INFO {...}
        if url.scheme == "tls" or info.get("tls_required"):
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=url.hostname)
            self.lines = self.sock.makefile("rb")
        self.inbox = "_INBOX." + uuid.uuid4().hex
        options = {"verbose": False, "headers": True, "no_responders": True, "lang": "python", "version": "1"}
        if url.username:
            options["user"], options["pass"] = map(urllib.parse.unquote, (url.username, url.password or ""))
        self.sock.sendall(f"CONNECT {json.dumps(options)}\r\nSUB {self.inbox} 1\r\n".encode())

    def ask(self, subject, **question):
        body = json.dumps(question).encode()
        self.sock.sendall(f"PUB $JS.API.{subject} {self.inbox} {len(body)}\r\n".encode() + body + b"\r\n")

    def request(self, subject, **question):
        self.ask(subject, **question)
        answer = json.loads(self.next()[2] or '{"error": {"description": "no JetStream answers"}}')
        if "error" in answer:
            raise OSError(f"{subject}: {answer['error']['description']}")
        return answer

    def next(self):
        """Waits for a message; returns its reply subject, status and body."""
        while True:
            verb, *args = self.lines.readline().split() or [b"EOF"]
            if verb in (b"MSG", b"HMSG"):  # subject sid [reply] [length of the header] length
                body = self.lines.read(int(args[-1]) + 2)
                if len(body) < int(args[-1]) + 2:
                    raise OSError("the connection broke off")
                head = int(args.pop(-2)) if verb == b"HMSG" else 0
                status = body[:head].split(b"\r\n")[0][len("NATS/1.0 "):].decode()
                return args[2].decode() if len(args) == 4 else "", status, body[head:-2]
            if verb == b"PING":
                self.sock.sendall(b"PONG\r\n")
            elif verb in (b"EOF", b"-ERR"):
                raise OSError("the server ended the connection " + b" ".join(args).decode())

def follow():
    """Yields what is stored after our place, then what comes, until the connection breaks."""
    nats = Nats(flags.server)
    info = nats.request(f"STREAM.INFO.{flags.stream}")
    if at["stream"] != info["created"] or at["seq"] > info["state"]["last_seq"]:
        at.update(stream=info["created"], seq=0)  # our sequence is of another stream; the ids tell what we had
    name = uuid.uuid4().hex
    nats.request(f"CONSUMER.CREATE.{flags.stream}.{name}", stream_name=flags.stream, config={
        "name": name, "deliver_policy": "by_start_sequence", "opt_start_seq": at["seq"] + 1, "ack_policy": "none",
        "filter_subjects": [flags.subject], "inactive_threshold": 60 * 10**9, "mem_storage": True, "num_replicas": 1})
    while True:
        left = 100
        nats.ask(f"CONSUMER.MSG.NEXT.{flags.stream}.{name}", batch=left, expires=20 * 10**9)
        while left:
            reply, status, body = nats.next()
            if reply.startswith("$JS.ACK."):  # the sixth or, in a domain, the eighth token is the sequence
                left -= 1
                yield int(reply.split(".")[7 if reply.count(".") > 8 else 5]), body
            elif status.startswith("408"):
                break  # the 20 s are over: ask again
            else:
                raise OSError(f"read stream {flags.stream}: {status}")

def show(event, whole):
    item = event["data"]["item"]
    line = f"{event['severity']:8} {event['subject']:19} {printable(item['title'])}  {printable(item.get('link', ''))}".strip()
    sys.stdout.buffer.write((whole if flags.json else line.encode()) + b"\n")
    sys.stdout.flush()

def printable(text):
    """Keeps what a stranger wrote from steering the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)

def alerts():
    why = ""
    while True:
        try:
            yield from follow()
        except (OSError, ValueError) as err:
            if why != str(err):
                why = str(err)
                print(f"{why}; going on after alert {at['seq']}", file=sys.stderr)
            time.sleep(1)

p = argparse.ArgumentParser(description="Prints every alert of newsmonitor once.")
p.add_argument("--server", default="nats://127.0.0.1:4222", help="where the monitor, or your cluster, listens")
p.add_argument("--stream", default="ALERTS", help="the stream to read")
p.add_argument("--subject", default="news.alerts.>", help="which alerts, as news.alerts.sanctions.> or news.alerts.*.critical.>")
p.add_argument("--state", default="alerts.state", help="the file that says how far we got")
p.add_argument("--json", action="store_true", help="print each event as it is, one a line")
flags = p.parse_args()
signal.signal(signal.SIGINT, lambda *_: os._exit(0))
try:
    with open(flags.state) as f:
        at = json.load(f)
except FileNotFoundError:
    at = {"stream": "", "seq": 0, "ids": []}  # the first run begins with the first alert
except ValueError as err:
    sys.exit(f"state {flags.state}: {err} (without the file we begin with the first alert)")

for seq, whole in alerts():
    event = json.loads(whole)
    if event["id"] not in at["ids"]:
        show(event, whole)
        at["ids"] = (at["ids"] + [event["id"]])[-1000:]
    at["seq"] = seq
    with open(flags.state + ".new", "w") as f:  # after the work is done: who is killed in
        json.dump(at, f)                        # between does that alert again, and misses none
    os.replace(flags.state + ".new", flags.state)
