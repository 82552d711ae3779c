//! RECORD=memcached: one command and its answer.

crate::field::fields! {
    MEMCACHED_RESPONSE "MEMCACHED_RESPONSE" Millis "mfnano.delay.response" "command to first packet of the answer";
    METHOD "METHOD" Word "db.operation.name" "command";
    KEY "KEY" Text "mfnano.memcached.key" "key";
    VALUE_BYTES "VALUE_BYTES" Bytes "mfnano.memcached.value_bytes" "size of the value";
    RET_CODE "RET_CODE" Word "error.code" "status of the answer";
    RESP "RESP" Count "mfnano.answered" "did the server answer: 1 or 0";
}
