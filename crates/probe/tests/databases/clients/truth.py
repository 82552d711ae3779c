"""What every Python client here does: connect, say `ready`, wait for `go`, ask, and write down what it asked and what
came back, one flat JSON object a line (see truth.rs)."""
import json, os, sys, time

host, out = sys.argv[1:3]
lines, count = [], 0
early = True


def mark():
    """A word that only one statement carries."""
    global count
    count += 1
    return f'mk{count:05}z'


def say(word, began, **facts):
    line = {'mark': word, 'ms': (time.monotonic() - began) * 1000, **facts}
    if early:
        line['early'] = 1
    lines.append({k: v if isinstance(v, (int, float)) else str(v) for k, v in line.items()})


def ready():
    global early
    open(out + '.ready', 'w').close()
    while not os.path.exists(out + '.go'):
        time.sleep(0.01)
    early = False


def done():
    with open(out, 'w') as f:
        for line in lines:
            f.write(json.dumps(line, separators=(',', ':')) + '\n')


now = time.monotonic
