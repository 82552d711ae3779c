//! RECORD=mongo: one command and its answer.

crate::field::fields! {
    MONGO_RESPONSE "MONGO_RESPONSE" Millis "mfnano.delay.response" "command to first packet of the answer";
    COMMAND "COMMAND" Word "db.operation.name" "name of the command";
    COLLECTION "COLLECTION" Word "db.collection.name" "collection";
    DB "DB" Word "db.namespace" "database";
    TEXT "TEXT" Text "db.query.text" "the command as JSON";
    RESP "RESP" Count "mfnano.answered" "did the server answer: 1 or 0";
    ERR "ERR" Text "error.message" "the server's error";
    RET_CODE "RET_CODE" Word "error.code" "0 for success, else the server's code";
    ROWS "ROWS" Count "mfnano.mongo.documents" "documents returned or affected";
    USER "USER" Word "user.name" "user of the login";
}
