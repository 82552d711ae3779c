"""Compares what the drivers say they asked with the records: `check.py RECORDS LOG...`. Greetings and the end of
sessions are left out: drivers do not tell of those."""
import collections, json, sys

QUIET = {'hello', 'ismaster', 'isMaster', 'endSessions', 'killCursors'}
told, said, bad = collections.Counter(), collections.Counter(), 0
for line in open(sys.argv[1]):
    r = json.loads(line)
    if r.get('RECORD') != 'mongo' or r['COMMAND'] in QUIET:
        continue
    try:
        json.loads(r['TEXT'])
    except ValueError:
        bad += 1
    rows = r.get('ROWS')
    # A driver gives an error of its own to what has no answer, unless it wants none.
    code = int(r.get('RET_CODE', 0 if 'unacknowledged' in r['TEXT'] else -1))
    told[(r['COMMAND'], r.get('DB', ''), r.get('COLLECTION', ''), code, rows and int(rows))] += 1
for name in sys.argv[2:]:
    for line in open(name):
        command, db, collection, code, rows = json.loads(line)
        if command not in QUIET:
            said[(command, db, collection, code, rows and int(rows))] += 1
total, found = sum(said.values()), sum((told & said).values())
for what, n in (said - told).items():
    print('not told:', n, what)
for what, n in (told - said).items():
    print('not said:', n, what)
print(f'{total} commands, {found} told exactly, {sum((told - said).values())} others, {bad} texts that are no JSON')
sys.exit(0 if found == total and not bad else 1)
