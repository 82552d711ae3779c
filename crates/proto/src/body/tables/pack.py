"""The packer beside `../packed.rs`: what stands there step by step, with an arithmetic coder at the end."""

MASK = 0xFFFFFFFF
STEPS = [131072 // (2 * n + 3) for n in range(16)]
CONTEXTS, SETS, SLOT_BITS, LIMIT, RATE = 5, 3, 20, 15, 6


def curve():
    """The logistic curve at steps of 128 and its inverse."""
    table, x = [0] * 33, 65536
    for k in range(17):
        table[16 + k] = min(4095, 4096 * x // (65536 + x))
        table[16 - k] = 4096 - table[16 + k]
        x = x * 108051 >> 16  # the root of e
    return table


CURVE = curve()


def squash(d):
    d = max(-2047, min(2047, d))
    w, i = d & 127, (d >> 7) + 16
    return (CURVE[i] * (128 - w) + CURVE[i + 1] * w + 64) >> 7


def stretches():
    out = []
    for x in range(-2047, 2048):
        while len(out) <= squash(x):
            out.append(x)
    return out + [2047] * (4096 - len(out))


STRETCH = stretches()


class Packer:
    def __init__(self):
        self.slots = [2048 << 4] * (1 << SLOT_BITS)
        self.weights = [[65536 // 4] * CONTEXTS for _ in range(SETS * 16)]
        self.low, self.high, self.out = 0, MASK, bytearray()

    def number(self, set_, contexts, bits, value):
        hashes = []
        for k, c in enumerate(contexts):
            h = ((c + 1) * 0x9E3779B1 + k * 0x7FEB352D) & MASK
            hashes.append(h ^ h >> 15)
        node = 1
        for b in reversed(range(bits)):
            y = value >> b & 1
            self.bit(self.weights[set_ * 16 + b], hashes, node, y)
            node = node << 1 | y

    def bit(self, weights, hashes, node, y):
        slots, places, inputs, dot = self.slots, [], [], 0
        for h, w in zip(hashes, weights):
            x = (h + node) * 0x85EBCA6B & MASK
            x = (x ^ x >> 13) * 0xC2B2AE35 & MASK
            at = x >> 32 - SLOT_BITS
            state = slots[at]
            i = STRETCH[state >> 4] if state & 15 else 0
            places.append(at)
            inputs.append(i)
            dot += i * w
        p = squash(dot >> 16)
        middle = self.low + (self.high - self.low >> 12) * p
        if y:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) >> 24 == 0:
            self.out.append(self.high >> 24)
            self.low, self.high = self.low << 8 & MASK, self.high << 8 & MASK | 255
        err = ((y << 12) - p) * RATE
        for k, (at, i) in enumerate(zip(places, inputs)):
            weights[k] += (i * err + 0x2000) >> 14
            state = slots[at]
            p, n = state >> 4, state & 15
            p = p + ((4095 - p) * STEPS[n] >> 16) if y else p - (p * STEPS[n] >> 16)
            slots[at] = p << 4 | min(n + 1, LIMIT)

    def done(self):
        return bytes(self.out + bytes([self.high >> 24, 0, 0, 0]))


def charset(table, rows, width, high, alike):
    """A table of code points, 0 = none. The part from `high` on (row, column) comes first; then what was not there
    mostly follows in order. `alike`: each row is a table for itself, much like the one above."""
    packer, used = Packer(), set()
    last = far = step = step2 = past = mean = 0
    for first in (True, False):
        for row in range(rows):
            if alike:
                last, used = 0x7F, set()
            for col in range(width):
                if (row >= high[0] and col >= high[1]) != first:
                    continue
                x = table[row * width + col]
                above = table[(row - 1) * width + col] if row else 0
                hint = above if alike else col
                kind, steps = 0, 0
                if x:
                    kind, c = 3, last
                    while steps < 256 and c < x and x not in used:
                        c += 1
                        steps += c not in used
                    if x not in used and c == x and 0 < steps <= 256:
                        kind = 2
                packer.number(0, [past % 9 | 1 << 24, past % 81 | 2 << 24, past % 243 | 3 << 24, hint | 4 << 24,
                                  step.bit_length() << 4 | step2.bit_length() | 5 << 24], 2, kind)
                past = (past * 3 + kind) % 59049
                if kind == 2:
                    packer.number(1, [past % 27 | 6 << 24, step | 7 << 24, last >> 8 | 8 << 24,
                                      step.bit_length() << 4 | step2.bit_length() | 9 << 24,
                                      ((above - last & 0xFFFF) if alike else mean >> 3) | 10 << 24], 8, steps - 1)
                    mean += steps.bit_length() * 4 - (mean >> 2)
                    step, step2 = steps, step
                elif kind == 3:
                    packer.number(2, [past % 9 | 11 << 24, far >> 8 | 12 << 24, last >> 8 | 13 << 24, hint | 14 << 24,
                                       row | 15 << 24], 16, x)
                    far, step, step2 = x, 0, step
                if x:
                    used.add(x)
                    last = x
    return packer.done()
