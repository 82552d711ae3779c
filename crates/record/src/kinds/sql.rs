//! RECORD=sql: one statement of a SQL or CQL database.

crate::field::fields! {
    SQL_RESPONSE "SQL_RESPONSE" Millis "mfnano.delay.response" "statement to first packet of the answer";
    SQL_LOAD "SQL_LOAD" Millis "mfnano.delay.load" "statement to last packet of the answer";
    SQL "SQL" Text "db.query.text" "text of the statement; of a prepared one, its text";
    PARAMS "PARAMS" Text "mfnano.sql.params" "values bound to a prepared statement, in order, as SQL would write them, with a comma and a space between";
    RESP "RESP" Count "mfnano.answered" "did the server answer: 1 or 0";
    ERR "ERR" Text "error.message" "the server's message, empty when none";
    RET_CODE "RET_CODE" Word "error.code" "0 for success, else the vendor's number or SQLSTATE";
    USER "USER" Word "user.name" "user of the login";
    DB "DB" Word "db.namespace" "database";
    PROGRAM "PROGRAM" Word "mfnano.sql.program" "program of the client, where the login says it (SQL Server, Oracle)";
    CLIENT_HOST "CLIENT_HOST" Word "mfnano.sql.client_host" "host of the client, where the login says it (SQL Server, Oracle)";
    ROWS "ROWS" Count "mfnano.sql.rows" "rows returned or affected";
}
