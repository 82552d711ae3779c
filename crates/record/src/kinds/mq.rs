//! RECORD=mq: one request or message of AMQP, Kafka, MQTT or NATS.

crate::field::fields! {
    AMQ_RESPONSE "AMQ_RESPONSE" Millis "mfnano.delay.response" "AMQP: request to its answer";
    MQ_RESPONSE "MQ_RESPONSE" Millis "mfnano.delay.mq_response" "Kafka, MQTT, NATS: request to its answer";
    HOST "HOST" Word "mfnano.mq.vhost" "AMQP: virtual host";
    EXCHANGE "EXCHANGE" Word "mfnano.mq.exchange" "AMQP: exchange";
    QUEUE "QUEUE" Word "mfnano.mq.queue" "AMQP: queue";
    ROUTING_KEY "ROUTING_KEY" Word "mfnano.mq.routing_key" "AMQP: routing key";
    CLASS "CLASS" Word "mfnano.mq.class" "AMQP: class of the method";
    METHOD "METHOD" Word "mfnano.mq.method" "method, API or packet name";
    TOPIC "TOPIC" Word "messaging.destination.name" "topic or subject";
    CLIENT_ID "CLIENT_ID" Word "messaging.client.id" "client id";
    TEXT "TEXT" Text "mfnano.mq.text" "content of the message";
    MSG_BYTES "MSG_BYTES" Bytes "messaging.message.body.size" "true size of the content before truncation";
    RET_CODE "RET_CODE" Word "error.code" "0 for success, else the protocol's code";
    ERR "ERR" Text "error.message" "the server's error text";
    USER "USER" Word "user.name" "user of the login";
    RESP "RESP" Count "mfnano.answered" "did the server answer: 1 or 0";
}
