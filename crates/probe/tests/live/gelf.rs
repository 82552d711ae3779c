//! GELF receivers in the server's namespace: UDP with chunks and gzip, TCP with zero bytes.

use crate::lab::Lab;
use crate::told::Told;
use std::collections::HashMap;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What came in, and in which form.
#[derive(Default)]
pub struct Inbox {
    pub records: Vec<Told>,
    pub chunked: usize,
    pub gzipped: usize,
    pub largest: usize,
}

pub struct Receiver {
    pub port: u16,
    inbox: Arc<Mutex<Inbox>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How long a receiver waits before it looks whether it is to stop.
const TICK: Duration = Duration::from_millis(50);

impl Receiver {
    pub fn udp(lab: &Lab) -> Receiver {
        let socket = lab.in_server(|| UdpSocket::bind("127.0.0.1:0").unwrap());
        socket.set_read_timeout(Some(TICK)).unwrap();
        // What is lost here is lost by the test, not by the probe.
        crate::sys::receive_buffer(&socket, 64 << 20);
        let port = socket.local_addr().unwrap().port();
        Receiver::run(port, move |inbox, stop| {
            let mut chunks: HashMap<[u8; 8], Vec<Option<Vec<u8>>>> = HashMap::new();
            let mut buffer = vec![0; 70_000];
            loop {
                let Ok(n) = socket.recv(&mut buffer) else {
                    if stop.load(Ordering::Relaxed) {
                        assert!(chunks.is_empty(), "{} records lack chunks", chunks.len());
                        return;
                    }
                    continue;
                };
                let datagram = &buffer[..n];
                let mut inbox = inbox.lock().unwrap();
                inbox.largest = inbox.largest.max(n);
                let whole = match datagram {
                    [0x1e, 0x0f, rest @ ..] => {
                        inbox.chunked += 1;
                        let id = *rest.first_chunk::<8>().unwrap();
                        let (number, count) = (usize::from(rest[8]), usize::from(rest[9]));
                        assert!(number < count && count <= 128);
                        let parts = chunks.entry(id).or_insert_with(|| vec![None; count]);
                        assert!(parts[number].replace(rest[10..].to_vec()).is_none(), "a chunk twice");
                        if parts.iter().any(Option::is_none) {
                            continue;
                        }
                        chunks.remove(&id).unwrap().into_iter().flatten().flatten().collect()
                    }
                    plain => plain.to_vec(),
                };
                let text = if whole.starts_with(&[0x1f, 0x8b]) {
                    inbox.gzipped += 1;
                    gunzip(&whole)
                } else {
                    whole
                };
                inbox.records.push(Told::parse(std::str::from_utf8(&text).unwrap()));
            }
        })
    }

    pub fn tcp(lab: &Lab) -> Receiver {
        let listener = lab.in_server(|| TcpListener::bind("127.0.0.1:0").unwrap());
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        Receiver::run(port, move |inbox, stop| {
            let mut stream = loop {
                match listener.accept() {
                    Ok((stream, _)) => break stream,
                    Err(_) if stop.load(Ordering::Relaxed) => return,
                    Err(_) => std::thread::sleep(TICK),
                }
            };
            stream.set_nonblocking(false).unwrap();
            let (mut bytes, mut block) = (Vec::new(), vec![0; 65_536]);
            while let Ok(n) = stream.read(&mut block) {
                if n == 0 {
                    break;
                }
                bytes.extend_from_slice(&block[..n]);
                let whole = bytes.iter().rposition(|b| *b == 0).map_or(0, |at| at + 1);
                let mut inbox = inbox.lock().unwrap();
                for record in bytes[..whole].split(|b| *b == 0).filter(|r| !r.is_empty()) {
                    inbox.records.push(Told::parse(std::str::from_utf8(record).unwrap()));
                }
                bytes.drain(..whole);
            }
            assert!(bytes.is_empty(), "the stream ends with half a record");
        })
    }

    fn run(port: u16, work: impl FnOnce(&Mutex<Inbox>, &AtomicBool) + Send + 'static) -> Receiver {
        let (inbox, stop) = (Arc::new(Mutex::new(Inbox::default())), Arc::new(AtomicBool::new(false)));
        let (to, end) = (inbox.clone(), stop.clone());
        let thread = std::thread::spawn(move || work(&to, &end));
        Receiver { port, inbox, stop, thread: Some(thread) }
    }

    /// How many records have come so far.
    pub fn count(&self) -> usize {
        self.inbox.lock().unwrap().records.len()
    }

    /// What came, when no more will.
    pub fn stop(mut self) -> Inbox {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().expect("the receiver found no fault");
        std::mem::take(&mut *self.inbox.lock().unwrap())
    }
}

/// gzip, RFC 1952: no flags, as we send it; the trailer is checked for the length.
fn gunzip(bytes: &[u8]) -> Vec<u8> {
    assert_eq!(bytes[2..4], [8, 0], "deflate, no flags");
    let (body, trailer) = bytes[10..].split_at(bytes.len() - 18);
    let text = miniz_oxide::inflate::decompress_to_vec(body).expect("deflate");
    assert_eq!(trailer[4..], (text.len() as u32).to_le_bytes(), "ISIZE");
    text
}
