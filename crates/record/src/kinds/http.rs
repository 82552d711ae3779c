//! RECORD=http: one HTTP request and its answer.

crate::field::fields! {
    HTTP_RESPONSE "HTTP_RESPONSE" Millis "mfnano.delay.response" "last packet of the request to first packet of the response";
    PAGELOAD "PAGELOAD" Millis "mfnano.delay.load" "last packet of the request to last packet of the response";
    RETCODE "RETCODE" Count "http.response.status_code" "status code";
    METHOD "METHOD" Word "http.request.method" "request method";
    URL "URL" Text "url.original" "request target as sent";
    DOMAIN "DOMAIN" Word "url.domain" "Host, or :authority";
    CONTENTTYPE "CONTENTTYPE" Word "http.response.mime_type" "Content-Type of the response";
    FORWARD "FORWARD" Ip "client.ip" "first address of X-Forwarded-For, Forwarded or X-Real-IP, else `0.0.0.0`";
    AGENT "AGENT" Text "user_agent.original" "User-Agent";
    COOKIE "COOKIE" Text "mfnano.http.cookie" "Cookie";
    REFERER "REFERER" Text "http.request.referrer" "Referer";
    REQ_HEADER "REQ_HEADER" Text "mfnano.http.request.header" "request line and headers as sent, to the blank line";
    REQ_BODY "REQ_BODY" Text "http.request.body.content" "request body, codings removed, cut at `bodylen`";
    RSP_HEADER "RSP_HEADER" Text "mfnano.http.response.header" "status line and headers as sent, to the blank line";
    RSP_BODY "RSP_BODY" Text "http.response.body.content" "response body, codings removed, cut at `bodylen`";
    REQ_BYTES "REQ_BYTES" Bytes "http.request.body.bytes" "true size of the request body before truncation, transfer coding removed";
    RSP_BYTES "RSP_BYTES" Bytes "http.response.body.bytes" "true size of the response body before truncation, transfer coding removed";
    HTTP_VERSION "HTTP_VERSION" Word "http.version" "version of the request";
    TRACE_ID "TRACE_ID" Word "trace.id" "trace id of traceparent or b3";
    SPAN_ID "SPAN_ID" Word "span.id" "span id of traceparent or b3";
    X_REQUEST_ID "X_REQUEST_ID" Word "http.request.id" "X-Request-Id";
    GRPC_SERVICE "GRPC_SERVICE" Word "rpc.service" "gRPC service";
    GRPC_METHOD "GRPC_METHOD" Word "rpc.method" "gRPC method";
    GRPC_STATUS "GRPC_STATUS" Count "rpc.grpc.status_code" "gRPC status";
    RESP "RESP" Count "mfnano.answered" "did the server answer: 1 or 0";
}
