//! RECORD=redis: one command and its answer.

crate::field::fields! {
    REDIS_RESPONSE "REDIS_RESPONSE" Millis "mfnano.delay.response" "command to first packet of the answer";
    REQ "REQ" Text "mfnano.redis.request" "command and arguments as text";
    RES "RES" Text "mfnano.redis.response" "answer as text";
    RESP "RESP" Count "mfnano.answered" "did the server answer: 1 or 0";
    ERR "ERR" Text "error.message" "the answer when it was an error";
}
