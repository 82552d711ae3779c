"""Two network namespaces with a web server in one of them, loads that come from the other, and what the kernel says of
processes meanwhile. All that is made here has this process' number in its name, and goes with it."""

import json, os, re, shutil, signal, struct, subprocess, tempfile, time, urllib.request

TICK = os.sysconf("SC_CLK_TCK")
SERVER, CLIENT, DEV, PEER_DEV = "10.99.0.1", "10.99.0.2", "mfb0", "mfb1"


def sh(command, check=True):
    """Runs a shell command, gives what it printed."""
    r = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and r.returncode:
        raise SystemExit(f"bench-live: {command}: {r.stdout[-600:]}")
    return r.stdout


def tree(pid):
    """A process and all beneath it."""
    out = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in open(f"/proc/{pid}/task/{task}/children").read().split():
                out += tree(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return out


def cpu_seconds(pid):
    """CPU that a process and its children have had, user and system: to the nanosecond, by its threads. What is charged
    for ended threads and children is in ticks only and counts from there."""
    fine = coarse = live = 0
    for p in tree(pid):
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                fine += int(open(f"/proc/{p}/task/{task}/schedstat").read().split()[0])
                f = open(f"/proc/{p}/task/{task}/stat").read().rsplit(")", 1)[1].split()
                live += int(f[11]) + int(f[12])
            f = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
            coarse += sum(map(int, f[11:15]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return fine / 1e9 + max(0, coarse - live) / TICK


def peak_mb(pid):
    """Most resident memory that it ever had, with its children, in MB."""
    kb = 0
    for p in tree(pid):
        try:
            m = re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{p}/status").read())
            kb += int(m[1]) if m else 0
        except (FileNotFoundError, ProcessLookupError):
            pass
    return kb / 1024


def softirq_seconds():
    """What the whole machine spent in soft interrupts: the network's receive path runs there."""
    return int(open("/proc/stat").readline().split()[7]) / TICK


def stop(process, grace):
    """Asks a process and its children to end, and makes them."""
    if process.poll() is None:
        for pid in reversed(tree(process.pid)):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            for pid in tree(process.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            process.wait()


class Lab:
    """The namespaces, the server and the captures to replay."""

    def __init__(self, bench):
        self.ns, self.ns_client = f"mfbench-s{os.getpid()}", f"mfbench-c{os.getpid()}"
        self.bench, self.captures, self.nginx = bench, {}, None
        self.dir = tempfile.mkdtemp(prefix="mfbench.", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        os.chmod(self.dir, 0o755)  # nginx's workers are another user

    def __enter__(self):
        s, c = self.ns, self.ns_client
        sh(f"ip netns add {s} && ip netns add {c} && ip -n {s} link add {DEV} type veth peer name {PEER_DEV} netns {c}")
        for ns, dev, addr in [(s, DEV, SERVER), (c, PEER_DEV, CLIENT)]:
            sh(f"ip netns exec {ns} sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6' || true")
            sh(f"ip -n {ns} addr add {addr}/24 dev {dev} && ip -n {ns} link set {dev} up && ip -n {ns} link set lo up")
        sh(f"ip netns exec {c} sh -c 'echo 2048 65000 >/proc/sys/net/ipv4/ip_local_port_range'")
        # Replayed traffic is for others: nobody asks who they are, nothing answers.
        sh(f"ip -n {c} link set {PEER_DEV} arp on")
        self.serve()
        return self

    def __exit__(self, *_):
        for ns in (self.ns, self.ns_client):
            for pid in sh(f"ip netns pids {ns}", check=False).split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except (ProcessLookupError, ValueError):
                    pass
            sh(f"ip netns del {ns}", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def serve(self):
        """nginx with a small JSON answer, and its count of requests where the probe does not look."""
        d = self.dir
        os.makedirs(f"{d}/www")
        os.makedirs(f"{d}/tmp", mode=0o777)
        os.chmod(f"{d}/tmp", 0o777)
        with open(f"{d}/www/items.json", "w") as f:
            json.dump({"ok": True, "items": [{"id": n, "name": f"item {n}"} for n in range(24)]}, f)
        temp = " ".join(f"{k}_temp_path {d}/tmp;" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(f"{d}/nginx.conf", "w") as f:
            f.write(
                f"worker_processes 1; daemon off; pid {d}/nginx.pid; error_log {d}/error.log;"
                f"events {{ worker_connections 8192; }} http {{ access_log off; types {{ application/json json; }} {temp}"
                f"server {{ listen {SERVER}:80 backlog=4096; root {d}/www; keepalive_requests 100000000; }}"
                f"server {{ listen 127.0.0.1:8080; location / {{ stub_status; }} }} }}")
        self.nginx = subprocess.Popen(["ip", "netns", "exec", self.ns, "nginx", "-c", f"{d}/nginx.conf", "-p", d],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(50):
            if self.served() is not None:
                return
            time.sleep(0.1)
        raise SystemExit("bench-live: nginx does not answer")

    def served(self):
        """How many requests nginx has answered on the watched interface."""
        out = sh(f"ip netns exec {self.ns} curl -s http://127.0.0.1:8080/", check=False)
        m = re.search(r"requests\s+\d+\s+\d+\s+(\d+)", out)
        if not m:
            return None
        self.asked = getattr(self, "asked", 0) + 1  # this one counted itself
        return int(m[1]) - self.asked

    def capture(self, workload, packets):
        """A capture of the generator of bench/."""
        if workload not in self.captures:
            self.captures[workload] = f"{self.dir}/{workload}.pcap"
            sh(f"{self.bench} --packets {packets} --write {self.captures[workload]} {workload}")
        return self.captures[workload]

    def load(self, kind, seconds):
        """One load, to its end: what was asked or sent, how fast, and how long it took."""
        begin = time.time()
        client = f"ip netns exec {self.ns_client}"
        if kind == "idle":
            time.sleep(seconds)
            return {"seconds": time.time() - begin}
        if kind.startswith("http"):
            paced = kind == "http-paced"
            with open(f"{self.dir}/wrk.lua", "w") as f:
                f.write("wrk.headers['X-Trace'] = 'abc'\n")
                if paced:
                    f.write("function delay() return 500 end\n")
                if kind == "http-conn":
                    f.write("wrk.headers['Connection'] = 'close'\n")
            before = self.served()
            connections = 1000 if paced else 50
            out = sh(f"{client} wrk -t1 -c{connections} -d{seconds}s -s {self.dir}/wrk.lua "
                     f"'http://{SERVER}/items.json?user=42'")
            took = time.time() - begin
            time.sleep(0.2)
            m = re.search(r"(\d+) requests in ([\d.]+)(m?s)", out)
            rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
            return {"seconds": took, "units": self.served() - before, "rate": rate, "asked": int(m[1])}
        name, pace, packets = {
            "tcp-1g": ("tcp-bulk", "-M 1000", 60_000),
            "udp-100k": ("udp-small", "-p 100000", 100_000),
            "udp-max": ("udp-small", "-t", 100_000),
        }[kind]
        # New addresses each time around: connections that begin again are others.
        unique = "--unique-ip" if name == "tcp-bulk" else ""
        out = sh(f"{client} timeout {seconds + 10} tcpreplay -q -K --no-flow-stats --loop=1000000 {unique} --duration={seconds} {pace} "
                 f"-i {PEER_DEV} {self.capture(name, packets)} 2>&1")
        m = re.search(r"Actual: (\d+) packets \((\d+) bytes\) sent in ([\d.]+)", out)
        if not m:
            raise SystemExit(f"bench-live: tcpreplay: {out[-400:]}")
        n, size, took = int(m[1]), int(m[2]), float(m[3])
        return {"seconds": took, "units": n, "rate": n / took, "mbps": size * 8 / took / 1e6}
