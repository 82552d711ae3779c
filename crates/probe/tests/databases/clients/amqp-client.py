"""pika: published with and without confirms, got and delivered, refused, large."""
import pika
from truth import host, mark, now, say, ready, done


def connect():
    return pika.BlockingConnection(pika.ConnectionParameters(host, credentials=pika.PlainCredentials('guest', 'guest')))


U = dict(USER='guest', HOST='/')
c = connect()
ch = c.channel()
ready()
began = now()
for kind, name in (('queue', 'declare'),):
    for i in range(20):
        m, began = mark(), now()
        ch.queue_declare(m, exclusive=True)
        say(f'queue.declare:{m}', began, QUEUE=m, RET_CODE=0, RESP=1, **U)
        began = now()
        ch.queue_purge(m)
        say(f'queue.purge:{m}', began, QUEUE=m, RET_CODE=0, RESP=1, **U)
sure = c.channel()
sure.confirm_delivery()
ch.queue_declare('jobs', exclusive=True)
for i in range(100):
    # Nobody answers those; they are got again, and so they came before.
    m, began = mark(), now()
    ch.basic_publish('', 'jobs', f'{m} of no account'.encode())
    method, _, body = ch.basic_get('jobs', auto_ack=True)
    while method is None:
        method, _, body = ch.basic_get('jobs', auto_ack=True)
    assert body.startswith(m.encode())
    say(f'basic.publish:{m}', began, ROUTING_KEY='jobs', TEXT=f'{m} of no account', MSG_BYTES=len(body), RESP=1, **U)
    say(f'basic.get:{m}', began, TEXT=f'{m} of no account', RESP=1, **U)
for i in range(100):
    m, began = mark(), now()
    text = f'{m} is sure, caf\u00e9'
    size = 30000 if i % 20 == 0 else len(text.encode())
    sure.basic_publish('', 'jobs', text.encode().ljust(size, b'.'))
    facts = {'TEXT': text} if size < 1000 else {}
    say(f'basic.publish:{m}', began, ROUTING_KEY='jobs', MSG_BYTES=size, RET_CODE=0, RESP=1, **facts, **U)
ch.queue_purge('jobs')
got = {}
ch.basic_consume('jobs', lambda ch, method, p, body: got.update({body: 1}), auto_ack=True)
began = now()
marks = [mark() for _ in range(60)]
for m in marks:
    ch.basic_publish('', 'jobs', m.encode())
while len(got) < len(marks):
    c.process_data_events(0.05)
for m in marks:
    say(f'basic.publish:{m}', began, TEXT=m, RESP=1, **U)
    say(f'basic.deliver:{m}', began, TEXT=m, QUEUE='jobs', RESP=1, **U)
for i in range(10):
    m, began = mark(), now()
    bad = c.channel()
    try:
        bad.queue_declare(m, passive=True)
        raise SystemExit('no error')
    except pika.exceptions.ChannelClosedByBroker as e:
        say(f'queue.declare:{m}', began, QUEUE=m, RET_CODE=e.reply_code, ERR=e.reply_text, RESP=1, **U)
    m, began = mark(), now()
    try:
        sure.basic_publish('', m, b'comes back', mandatory=True)
        raise SystemExit('it was routed')
    except pika.exceptions.UnroutableError:
        say(f'basic.publish:{m}', began, ROUTING_KEY=m, TEXT='comes back', RESP=1, **U)
        say(f'basic.return:{m}', began, ROUTING_KEY=m, RET_CODE=312, RESP=1, **U)
c.close()
done()
