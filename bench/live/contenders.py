"""The probe and its peers: how each is started on an interface, and what it told in the end. Each has its best plain
configuration for the job: HTTP with headers and bodies where it can, flows on, output as its users have it."""

import glob, json, os, re, signal, socket, struct, subprocess, sys, threading, time
from lab import DEV, sh

PORT = 12201


class Contender:
    """What is common: a process in the server's namespace, its folder, its words."""

    name = ""
    grace = 5
    warm = 2.5
    http = l4 = True

    def __init__(self, lab, tools):
        self.lab, self.tools, self.process = lab, tools, None
        self.dir = f"{lab.dir}/{self.name}"
        os.makedirs(self.dir, exist_ok=True)
        self.said = f"{self.dir}/said.txt"

    def command(self):
        raise NotImplementedError

    def start(self):
        sh(f"rm -rf {self.dir}/*")
        self.prepare()
        with open(self.said, "w") as said:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.lab.ns] + self.command(), stdout=said,
                                            stderr=said, cwd=self.dir)

    def prepare(self):
        pass

    def loaded(self):
        """The load is over."""
        if hasattr(self, "receiver"):
            self.receiver.go()

    def before_stop(self):
        pass

    def close(self):
        """Ends what was started beside the process itself."""
        if hasattr(self, "receiver"):
            self.receiver.end()

    def told(self):
        """Records or packets told by kind: `http`, `packets` (in flow records), `lost` (by the kernel), `sent` records."""
        return {}

    def read(self):
        return open(self.said, errors="replace").read()


class Nobody(Contender):
    """The traffic alone."""

    name = "none"

    def start(self):
        pass


class Receiver:
    """Takes datagrams off a socket in the server's namespace: a process of its own. They wait in the socket's buffer until
    the load is over: elsewhere the collector would not take CPU of this machine either."""

    def __init__(self, lab, path):
        self.path = path
        self.process = subprocess.Popen(["ip", "netns", "exec", lab.ns, sys.executable, os.path.abspath(__file__), path])
        while not os.path.exists(path):
            if self.process.poll() is not None:
                raise SystemExit("bench-live: the receiver does not start")
            time.sleep(0.02)

    def go(self):
        self.process.send_signal(signal.SIGUSR1)

    def end(self):
        self.process.terminate()
        self.process.wait()

    def records(self):
        """Datagrams' contents; of a record in chunks the first says what it is, which is enough to count."""
        self.end()
        drops = int(open(f"{self.path}.drops").read())
        if drops:
            print(f"bench-live: the receiver's buffer was too small for {drops} datagrams", file=sys.stderr)
        data = open(self.path, "rb").read()
        at = 0
        while at < len(data):
            n = struct.unpack_from("<I", data, at)[0]
            d = data[at + 4:at + 4 + n]
            at += 4 + n
            if d[:2] == b"\x1e\x0f":
                if d[10]:
                    continue
                d = d[12:]
            yield d


class Mfnano(Contender):
    """The probe, records as GELF over UDP to the loopback; defaults otherwise."""

    name = "mfnano"
    flags = ()

    def prepare(self):
        self.receiver = Receiver(self.lab, f"{self.dir}/datagrams")

    def command(self):
        return [self.tools["probe"], f"--device={DEV}", f"--exp-domain=127.0.0.1:{PORT}", "--log=warn", *self.flags]

    def told(self):
        http = packets = n = 0
        account = {}
        for r in self.receiver.records():
            n += 1
            m = re.search(rb'"_?RECORD":"([a-z]+)"', r)
            kind = m[1] if m else b"?"
            if kind == b"http":
                http += 1
            elif kind == b"flow":
                p = re.search(rb'"_?PKTS":"?(\d+)', r)
                packets += int(p[1]) if p else 0
            elif kind == b"probe":
                account = json.loads(r)
        a = {k.lstrip("_"): v for k, v in account.items()}
        number = lambda k: int(a.get(k, 0))
        parts = {k: number("PKTS_" + k.upper()) for k in ("parsed", "filtered", "sampled", "lost", "malformed")}
        return {
            "http": http, "packets": packets, "sent": n, "lost": parts["lost"] if a else None, "parts": parts,
            "seen": number("PKTS_SEEN"), "adds_up": bool(a) and number("PKTS_SEEN") == sum(parts.values()),
            "sampled_out": number("SESSIONS_SAMPLED"), "records_dropped": number("RECORDS_DROPPED"), "has_account": bool(a),
        }


class MfnanoFree(Mfnano):
    """The same without a limit of its CPU."""

    name = "mfnano-free"
    flags = ("--cpu-limit=0",)


class Tcpdump(Contender):
    """Packets into files of 100 MB, two of them, and nothing else: what capturing itself costs."""

    name = "tcpdump"

    def command(self):
        return ["tcpdump", "-n", "-s", "0", "-i", DEV, "-w", f"{self.dir}/x.pcap", "-C", "100", "-W", "2", "-Z", "root"]

    def told(self):
        m = re.search(r"(\d+) packets dropped by kernel", self.read())
        seen = re.search(r"(\d+) packets captured", self.read())
        return {"lost": int(m[1]) if m else None, "packets": int(seen[1]) if seen else 0}


class Goreplay(Contender):
    """HTTP only: requests and responses into a file."""

    name = "goreplay"
    l4 = False

    def command(self):
        return [f"{self.tools['peers']}/goreplay", "--input-raw", f"{DEV}:80", "--input-raw-track-response",
                "--output-file", f"{self.dir}/out.gor", "--output-file-append", "--output-file-size-limit", "4gb"]

    def told(self):
        n = sum(len(re.findall(rb"(?m)^2 [0-9a-f]{16,} ", open(f, "rb").read())) for f in glob.glob(f"{self.dir}/out*"))
        return {"http": n}


class Packetbeat(Contender):
    """HTTP with headers and bodies, and flows each second, into JSON files."""

    name = "packetbeat"
    grace = 12
    # It is some seconds until it looks at packets.
    warm = 8

    def prepare(self):
        with open(f"{self.dir}/packetbeat.yml", "w") as f:
            f.write(PACKETBEAT.format(dir=self.dir, source=f"device: {DEV}\n  type: af_packet\n  buffer_size_mb: 100"))
        os.chmod(f"{self.dir}/packetbeat.yml", 0o600)

    def command(self):
        return [f"{self.tools['peers']}/packetbeat", "-c", f"{self.dir}/packetbeat.yml", "--path.home", self.dir]

    def told(self):
        return packetbeat_told(self.dir)


def packetbeat_told(folder):
    http = sent = 0
    flows = {}
    for name in glob.glob(f"{folder}/out/*"):
        for line in open(name, "rb"):
            sent += 1
            if b'"dataset":"http"' in line or b'"type":"http"' in line:
                http += 1
            elif b'"type":"flow"' in line or b'"dataset":"flow"' in line:
                # Each report of a flow has its counts from its beginning.
                r = json.loads(line)
                n = r.get("network", {}).get("packets", 0)
                flows[r["flow"]["id"]] = max(n, flows.get(r["flow"]["id"], 0))
    return {"http": http, "packets": sum(flows.values()), "sent": sent}


PACKETBEAT = """\
packetbeat.interfaces:
  {source}
packetbeat.flows:
  timeout: 30s
  period: 1s
packetbeat.protocols:
- type: http
  ports: [80]
  send_headers: true
  include_body_for: ["application/json"]
- type: dns
  ports: [53]
- type: mysql
  ports: [3306]
- type: pgsql
  ports: [5432]
- type: redis
  ports: [6379]
- type: mongodb
  ports: [27017]
- type: amqp
  ports: [5672]
packetbeat.shutdown_timeout: 5s
output.file:
  path: {dir}/out
  rotate_every_kb: 4000000
logging.level: error
path.data: {dir}/data
path.logs: {dir}/logs
"""


class Softflowd(Contender):
    """Flows only, as NetFlow 5 to the loopback."""

    name = "softflowd"
    http = False

    def prepare(self):
        self.receiver = Receiver(self.lab, f"{self.dir}/datagrams")

    def command(self):
        return ["softflowd", "-d", "-i", DEV, "-v", "5", "-n", f"127.0.0.1:{PORT}", "-m", "200000", "-t", "maxlife=10s",
                "-p", f"{self.dir}/pid", "-c", f"{self.dir}/ctl"]

    def before_stop(self):
        # What it holds goes out, slowly enough for the receiver.
        self.statistics = sh(f"ip netns exec {self.lab.ns} softflowctl -c {self.dir}/ctl statistics", check=False)
        sh(f"ip netns exec {self.lab.ns} softflowctl -c {self.dir}/ctl expire-all", check=False)
        time.sleep(1)

    def told(self):
        packets = sent = 0
        for d in self.receiver.records():
            count = struct.unpack_from(">H", d, 2)[0]
            for i in range(count):
                packets += struct.unpack_from(">I", d, 24 + 48 * i + 16)[0]
                sent += 1
        m = re.search(r"dropped by libpcap: (\d+)|packets dropped[^:]*: (\d+)", self.statistics)
        return {"packets": packets, "sent": sent, "lost": int(next(filter(None, m.groups()), 0)) if m else None}


class Argus(Contender):
    """Flows only, each 10 s into its file."""

    name = "argus"
    http = False

    def command(self):
        return ["argus", "-F", "/dev/null", "-i", DEV, "-S", "10", "-w", f"{self.dir}/out.argus"]

    def told(self):
        return argus_told(f"{self.dir}/out.argus")


def argus_told(path):
    out = sh(f"ra -F /dev/null -n -r {path} -s pkts -u 2>/dev/null - not man", check=False)
    n = [int(x) for x in out.split() if x.isdigit()]
    return {"packets": sum(n), "sent": len(n)}


ALL = [Nobody, Mfnano, MfnanoFree, Tcpdump, Goreplay, Packetbeat, Softflowd, Argus]


def receive(path):
    """The receiver's process: datagrams into a file, each behind its length."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 1000 << 20)  # SO_RCVBUFFORCE
    s.bind(("127.0.0.1", PORT))
    s.settimeout(0.3)
    go, stop = threading.Event(), threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: go.set())
    signal.signal(signal.SIGTERM, lambda *_: (stop.set(), go.set()))
    with open(path, "wb", buffering=1 << 20) as out:
        out.flush()
        while not go.is_set():
            time.sleep(0.05)
        while True:
            try:
                d = s.recv(65536)
            except socket.timeout:
                if stop.is_set():
                    break
                continue
            out.write(struct.pack("<I", len(d)) + d)
    # local_address is hexadecimal; the last column counts what found no room.
    mine = [line.split() for line in open("/proc/self/net/udp") if f":{PORT:04X} " in line]
    with open(f"{path}.drops", "w") as f:
        f.write(mine[0][-1] if mine else "0")


if __name__ == "__main__":
    receive(sys.argv[1])
