#!/usr/bin/env bash
# Records the Oracle captures. No server can be had: play.py plays it and most of the clients; python-oracledb (thin mode) is real, as
# far as a listener that refuses it. PYTHON (default: python3) must have oracledb.
# `ONLY=case testdata/oracle/record.sh` records one anew. Then: UPDATE=1 cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network
python=${PYTHON:-python3}
serve $S python3 "$here/play.py" serve 10.7.2.2 1521
wait_port 1521

record refused "python-oracledb asks for a service that the listener does not know: one record, without a statement, with the listener's
error. The client is real, the listener a stand-in (play.py)." <<'DO'
$C "$python" -c "
import oracledb
try: oracledb.connect(user='ann', password='secret', dsn='10.7.2.2:1521/nowhere')
except oracledb.Error as e: print(e)"
DO

record thin "The forms of a thin client (JDBC 10): a query with its rows, a change, an error behind markers, a statement executed again by
its cursor, a commit. Both ends are played (play.py): this proves the reading of these forms, not the forms." <<'DO'
$C python3 "$here/play.py" ask 10.7.2.2 1521 thin
DO

record oci "The forms of OCI 10 on 64 bits: calls behind a closing of cursors, a text in chunks, an error. Both ends are played (play.py): this
proves the reading of these forms, not the forms." <<'DO'
$C python3 "$here/play.py" ask 10.7.2.2 1521 oci
DO

record login "A login that fails: a record without a statement and without the password. Both ends are played (play.py)." <<'DO'
$C python3 "$here/play.py" ask 10.7.2.2 1521 login
DO
