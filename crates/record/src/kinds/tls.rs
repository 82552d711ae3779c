//! RECORD=tls: one TLS handshake.

crate::field::fields! {
    TLS_DELAY "TLS_DELAY" Millis "mfnano.delay.response" "ClientHello to first application data of the server side or Finished";
    DOMAIN "DOMAIN" Word "tls.client.server_name" "server name asked for (SNI)";
    ALPN "ALPN" Word "tls.next_protocol" "application protocol agreed on";
    TLS_VERSION "TLS_VERSION" Word "tls.version" "version agreed on";
    CIPHER "CIPHER" Word "tls.cipher" "cipher suite agreed on";
    JA3 "JA3" Word "tls.client.ja3" "JA3 of the client";
    JA3S "JA3S" Word "tls.server.ja3s" "JA3S of the server";
    JA4 "JA4" Word "tls.client.ja4" "JA4 of the client";
    JA4S "JA4S" Word "tls.server.ja4s" "JA4S of the server";
    CERT_SUBJECT "CERT_SUBJECT" Text "tls.server.subject" "subject of the server's certificate";
    CERT_ISSUER "CERT_ISSUER" Text "tls.server.issuer" "its issuer";
    CERT_SAN "CERT_SAN" WordList "tls.server.x509.alternative_names" "its alternative names, comma list";
    CERT_NOT_BEFORE "CERT_NOT_BEFORE" Word "tls.server.not_before" "its validity, from";
    CERT_NOT_AFTER "CERT_NOT_AFTER" Word "tls.server.not_after" "its validity, to";
    CERT_SHA256 "CERT_SHA256" Word "tls.server.hash.sha256" "its SHA-256";
    ERR "ERR" Text "error.message" "name of the alert";
    RESP "RESP" Count "mfnano.answered" "did the server answer: 1 or 0";
}
