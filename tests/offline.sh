#!/usr/bin/env bash
# offline.sh COMMAND [ARGUMENT…]: runs a command on a machine with no network but loopback, and fails if it fails or if a
# single packet was meant for anywhere else. Name look-ups count too: the name server is one of those places.
#   bash tests/offline.sh cargo test --offline -p finch --test e2e -- asks_the_model
# Linux with user namespaces, or root. Each run first proves that packets of both kinds and look-ups would be counted.
set -euo pipefail

fail() {
  echo "offline.sh: $*" >&2
  exit 1
}

if [ "${1:-}" != --inside ]; then
  [ $# -gt 0 ] || fail "say what to run"
  for program in unshare ip python3; do
    command -v $program >/dev/null || fail "$program is missing: install util-linux, iproute2 and python3"
  done
  root=()
  [ "$(id -u)" = 0 ] || root=(--map-root-user)
  exec unshare "${root[@]}" --net --mount bash "${BASH_SOURCE[0]}" --inside "$@"
fi
shift

# Everything that is not for this machine goes into a pair of interfaces whose other end throws it away. No multicast and no
# discovery of neighbours, so that the kernel itself sends nothing.
ip link set lo up
ip link add sink type veth peer name drain
sysctl -q -w net.ipv6.conf.drain.disable_ipv6=1 net.ipv6.conf.sink.accept_ra=0 net.ipv6.conf.sink.router_solicitations=0
ip link set sink addrgenmode none arp off multicast off
ip link set drain up
ip link set sink up
ip address add 10.255.255.1/32 dev sink
ip route add default dev sink src 10.255.255.1
ip -6 address add fd00::1/128 dev sink nodad
ip -6 route add default dev sink

work=$(mktemp -d)
# A name server on loopback, as some machines have it, would hide look-ups.
echo "nameserver 192.0.2.53" >"$work/resolv.conf"
echo "options timeout:1 attempts:1" >>"$work/resolv.conf"
mount --bind "$work/resolv.conf" "$(readlink -f /etc/resolv.conf)"

sent() { awk '$1 == "sink:" { print $11 }' /proc/net/dev; }

proves() { # WHAT COMMAND: the command has to be counted
  local before
  before=$(sent)
  bash -c "$2" >/dev/null 2>&1 || true
  [ "$(sent)" -gt "$before" ] || fail "$1 would not be counted, so nothing would be proved"
}
proves "a packet to 192.0.2.1" 'echo x >/dev/udp/192.0.2.1/9'
proves "a packet to 2001:db8::1" 'echo x >/dev/udp/2001:db8::1/9'
proves "a connection to 192.0.2.1" 'timeout 0.2 bash -c "echo x >/dev/tcp/192.0.2.1/443"'
proves "a look-up of a name" 'timeout 1 getent hosts offline.invalid'
before=$(sent)
python3 -c '
import socket
for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
    with socket.socket(family) as server:
        server.bind((host, 0)); server.listen()
        socket.create_connection(server.getsockname()[:2], 5).close()
' || fail "loopback does not work here"
[ "$(sent)" = "$before" ] || fail "loopback is counted"

# Writes down where packets were meant to go; the count is the kernel's own.
python3 -c '
import ipaddress, socket, sys
seen = set()
def name(question):
    parts, at = [], 0
    while at < len(question) and question[at]:
        parts.append(question[at + 1:at + 1 + question[at]].decode("ascii", "replace"))
        at += 1 + question[at]
    return ".".join(parts)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
wire.bind(("drain", 0))
print("ready", flush=True)
while True:
    packet = wire.recv(65535)
    four = packet[0] >> 4 == 4
    head = (packet[0] & 15) * 4 if four else 40
    to = ipaddress.ip_address(packet[16:20] if four else packet[24:40])
    kind = packet[9] if four else packet[6]
    port = int.from_bytes(packet[head + 2:head + 4], "big") if kind in (6, 17) else 0
    place = (to, kind, port, name(packet[head + 20:]) if kind == 17 and port == 53 else "")
    if place not in seen and len(seen) < 100:
        seen.add(place)
        print({6: "tcp", 17: "udp"}.get(kind, kind), to, port, place[3], file=sys.stderr, flush=True)
' >"$work/ready" 2>"$work/places" &
watcher=$!
trap 'kill $watcher 2>/dev/null; umount /etc/resolv.conf 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 100); do
  [ -s "$work/ready" ] && break
  sleep 0.05
done

before=$(sent)
code=0
"$@" || code=$?
count=$(($(sent) - before))
echo "offline.sh: $count packets to anything but loopback; the command ended with $code"
if [ "$count" -gt 0 ]; then
  sleep 0.2
  cat "$work/places" >&2
  fail "something wanted out"
fi
exit $code
