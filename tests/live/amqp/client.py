#!/usr/bin/env python3
"""What pika can do: `client.py HOST PORT [CASE...]`; without cases, all of them."""
import sys
import time
import pika

HOST, PORT = sys.argv[1], int(sys.argv[2])


def connect(user='guest', password='guest', vhost='/', **more):
    credentials = pika.PlainCredentials(user, password)
    return pika.BlockingConnection(pika.ConnectionParameters(HOST, PORT, vhost, credentials, **more))


def work():
    c = connect()
    ch = c.channel()
    ch.exchange_declare('shop', 'topic')
    q = ch.queue_declare('', exclusive=True).method.queue
    ch.queue_bind(q, 'shop', 'order.*')
    got = []
    tag = ch.basic_consume(q, lambda ch, m, p, body: (got.append(body), ch.basic_ack(m.delivery_tag)))
    for i in range(3):
        text = '{"order": %d, "text": "caf\u00e9"}' % i
        ch.basic_publish('shop', f'order.{i}', text.encode(), pika.BasicProperties('application/json'))
    while len(got) < 3:
        c.process_data_events(0.1)
    ch.basic_cancel(tag)
    ch.queue_unbind(q, 'shop', 'order.*')
    ch.queue_purge(q)
    ch.queue_delete(q)
    ch.exchange_delete('shop')
    c.close()


def get():
    c = connect()
    ch = c.channel()
    ch.queue_declare('jobs')
    ch.basic_publish('', 'jobs', b'a job for somebody')
    time.sleep(0.1)
    assert ch.basic_get('jobs', auto_ack=True)[2] == b'a job for somebody'
    assert ch.basic_get('jobs')[0] is None
    ch.queue_delete('jobs')
    c.close()


def confirms():
    c = connect()
    ch = c.channel()
    ch.queue_declare('sure')
    ch.confirm_delivery()
    for i in range(3):
        ch.basic_publish('', 'sure', f'message {i}'.encode(), mandatory=True)
    try:
        ch.basic_publish('', 'nowhere', b'comes back', mandatory=True)
        raise SystemExit('it was routed')
    except pika.exceptions.UnroutableError:
        pass
    # A queue that takes one message refuses the next.
    ch.queue_declare('full', arguments={'x-max-length': 1, 'x-overflow': 'reject-publish'})
    ch.basic_publish('', 'full', b'fits')
    try:
        ch.basic_publish('', 'full', b'does not fit')
        raise SystemExit('it fitted')
    except pika.exceptions.NackError:
        pass
    ch.queue_delete('sure')
    ch.queue_delete('full')
    c.close()


def errors():
    c = connect()
    for what in (lambda ch: ch.queue_declare('nope', passive=True),
                 lambda ch: (ch.queue_declare('odd'), ch.queue_declare('odd', durable=True)),
                 lambda ch: ch.exchange_declare('amq.mine'),
                 lambda ch: (ch.basic_publish('nope', 'k', b'x'), ch.queue_declare('odd')),
                 lambda ch: (ch.confirm_delivery(), ch.basic_publish('nope', 'k', b'y'))):
        try:
            what(c.channel())
            raise SystemExit('no error')
        except pika.exceptions.ChannelClosedByBroker:
            pass
    c.channel().queue_delete('odd')
    c.close()
    for more in ({'password': 'wrong'}, {'vhost': '/nope'}):
        try:
            connect(**more)
            raise SystemExit('let in')
        except (pika.exceptions.ProbableAuthenticationError, pika.exceptions.AMQPConnectionError):
            pass


def large():
    c = connect(frame_max=4096)
    ch = c.channel()
    ch.queue_declare('large')
    ch.basic_publish('', 'large', b'0123456789abcdef' * 1280)
    time.sleep(0.2)
    assert len(ch.basic_get('large', auto_ack=True)[2]) == 20480
    ch.queue_delete('large')
    c.close()


def transactions():
    c = connect()
    ch = c.channel()
    ch.queue_declare('tx')
    ch.tx_select()
    ch.basic_publish('', 'tx', b'kept')
    ch.tx_commit()
    ch.basic_publish('', 'tx', b'dropped')
    ch.tx_rollback()
    ch.queue_delete('tx')
    c.close()


def channels():
    c = connect()
    a, b = c.channel(), c.channel()
    for ch, q in ((a, 'left'), (b, 'right')):
        ch.queue_declare(q)
    for i in range(4):
        a.basic_publish('', 'left', b'left %d' % i)
        b.basic_publish('', 'right', b'right %d' % i)
    got = []
    for ch, q in ((a, 'left'), (b, 'right')):
        ch.basic_consume(q, lambda ch, m, p, body: got.append(body), auto_ack=True)
    while len(got) < 8:
        c.process_data_events(0.1)
    # The server ends a consumer whose queue is gone.
    b.queue_delete('left')
    c.process_data_events(0.2)
    b.queue_delete('right')
    c.close()


CASES = {f.__name__: f for f in (work, get, confirms, errors, large, transactions, channels)}
for name in sys.argv[3:] or CASES:
    CASES[name]()
