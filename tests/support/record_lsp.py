#!/usr/bin/env python3
"""record_lsp.py FOLDER COMMAND...: stands between an editor and a language server and changes nothing.

Every message becomes a line of a file in FOLDER, one file for each run: {"from": "client" or "server", "message": ...}.
What is not framed as the protocol wants it becomes {"from": ..., "broken": text}.
"""

import json
import os
import subprocess
import sys
import threading

folder, command = sys.argv[1], sys.argv[2:]
record = open(os.path.join(folder, f"{os.getpid()}.jsonl"), "a", encoding="utf-8")
lock = threading.Lock()


def write(entry):
    # Whole lines at once: the editor may end this process at any time.
    with lock:
        record.write(json.dumps(entry, ensure_ascii=False) + "\n")
        record.flush()


def messages(side, begun):
    """Takes the whole messages off `begun`."""
    while (end := begun.find(b"\r\n\r\n")) >= 0:
        fields = dict(line.lower().split(b":", 1) for line in begun[:end].split(b"\r\n") if b":" in line)
        length = int(fields.get(b"content-length", b"-1"))
        if length < 0:
            write({"from": side, "broken": begun[:end].decode("utf-8", "replace")})
            begun = begun[end + 4 :]
            continue
        if len(begun) < end + 4 + length:
            break
        body, begun = begun[end + 4 : end + 4 + length], begun[end + 4 + length :]
        try:
            write({"from": side, "message": json.loads(body)})
        except ValueError:
            write({"from": side, "broken": body.decode("utf-8", "replace")})
    return begun


def carry(side, source, target):
    begun = b""
    while chunk := os.read(source, 1 << 16):
        begun = messages(side, begun + chunk)
        try:
            while chunk:
                chunk = chunk[os.write(target, chunk) :]
        except BrokenPipeError:
            break
    os.close(target)


server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
ways = [("client", 0, os.dup(server.stdin.fileno())), ("server", server.stdout.fileno(), os.dup(1))]
server.stdin.close()
threads = [threading.Thread(target=carry, args=way, daemon=True) for way in ways]
for thread in threads:
    thread.start()
# The editor's side may stay open after the server has ended.
threads[1].join()
sys.exit(server.wait())
