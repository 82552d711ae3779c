//! Whole files made in memory: every variant, cut at every byte, and damaged.

use std::io::{self, Cursor, Read};

use base::{Frame, LinkType, Timestamp};

use super::*;
use crate::PcapWriter;

/// What is compared of a frame.
type Row = (u64, LinkType, Vec<u8>, u32, u32);

fn read(bytes: &[u8]) -> (Vec<Row>, Option<Cut>, Option<String>) {
    read_from(Cursor::new(bytes.to_vec()))
}

fn read_from(bytes: impl Read + Send + 'static) -> (Vec<Row>, Option<Cut>, Option<String>) {
    let mut source = match FileSource::from_reader("t", bytes) {
        Ok(source) => source,
        Err(e) => return (Vec::new(), None, Some(e.to_string())),
    };
    let mut rows = Vec::new();
    loop {
        match source.next_frame() {
            Ok(Some(f)) => rows.push((f.time.0, f.link, f.data.to_vec(), f.wire_len, f.ifindex)),
            Ok(None) => return (rows, source.cut(), None),
            Err(e) => return (rows, source.cut(), Some(e.to_string())),
        }
    }
}

fn put(out: &mut Vec<u8>, big: bool, words: &[u32]) {
    for word in words {
        out.extend(if big { word.to_be_bytes() } else { word.to_le_bytes() });
    }
}

fn put_half(out: &mut Vec<u8>, big: bool, halves: &[u16]) {
    for half in halves {
        out.extend(if big { half.to_be_bytes() } else { half.to_le_bytes() });
    }
}

fn classic(big: bool, magic: u32, version: (u16, u16), link: u32) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, big, &[magic]);
    put_half(&mut out, big, &[version.0, version.1]);
    // A snapshot length of 3, which the frames do not keep to.
    put(&mut out, big, &[0, 0, 3, link]);
    out
}

#[test]
fn classic_in_both_orders_and_resolutions() {
    for big in [false, true] {
        for (magic, unit) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1)] {
            let mut file = classic(big, magic, (2, 4), 1);
            put(&mut file, big, &[10, 999_999, 5, 60]);
            file.extend(b"hello");
            // The frame is longer than the wire: the wire length is not believed.
            put(&mut file, big, &[11, 0, 3, 0]);
            file.extend(b"abc");
            let (rows, cut, error) = read(&file);
            let first = 10_000_000_000 + 999_999 * unit;
            assert_eq!(rows[0], (first, LinkType::Ethernet, b"hello".to_vec(), 60, 0));
            assert_eq!(rows[1], (11_000_000_000, LinkType::Ethernet, b"abc".to_vec(), 3, 0));
            assert_eq!((rows.len(), cut, error), (2, None, None));
        }
    }
}

#[test]
fn modified_and_old_classic() {
    for big in [false, true] {
        let mut file = classic(big, 0xa1b2_cd34, (2, 4), 113);
        put(&mut file, big, &[1, 2, 2, 2, 7]);
        file.extend([0, 8, 0, 0]);
        file.extend(b"xy");
        assert_eq!(read(&file).0, [(1_000_002_000, LinkType::LinuxSll, b"xy".to_vec(), 2, 7)]);

        for (version, lengths) in [((2, 2), [9, 2]), ((2, 3), [9, 2]), ((2, 3), [2, 9]), ((543, 0), [9, 2])] {
            let mut file = classic(big, 0xa1b2_c3d4, version, 0);
            put(&mut file, big, &[1, 0, lengths[0], lengths[1]]);
            file.extend(b"xy");
            assert_eq!(read(&file).0, [(1_000_000_000, LinkType::Null, b"xy".to_vec(), 9, 0)], "{version:?}");
        }
    }
    // The upper bits of the link type tell of a frame check sequence.
    let mut file = classic(false, 0xa1b2_c3d4, (2, 4), 0x2400_0001);
    put(&mut file, false, &[1, 0, 0, 0]);
    assert_eq!(read(&file).0[0].1, LinkType::Ethernet);
}

fn block(out: &mut Vec<u8>, big: bool, kind: u32, body: &[u8]) {
    let len = body.len().next_multiple_of(4);
    put(out, big, &[kind, len as u32 + 12]);
    out.extend(body);
    out.resize(out.len() + len - body.len(), 0);
    put(out, big, &[len as u32 + 12]);
}

fn section(out: &mut Vec<u8>, big: bool) {
    let mut body = Vec::new();
    put(&mut body, big, &[0x1a2b_3c4d]);
    put_half(&mut body, big, &[1, 0]);
    body.extend([0xff; 8]);
    block(out, big, 0x0a0d_0d0a, &body);
}

fn interface(out: &mut Vec<u8>, big: bool, link: u16, snaplen: u32, options: &[(u16, &[u8])]) {
    let mut body = Vec::new();
    put_half(&mut body, big, &[link, 0]);
    put(&mut body, big, &[snaplen]);
    for (code, value) in options {
        put_half(&mut body, big, &[*code, value.len() as u16]);
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    if !options.is_empty() {
        put_half(&mut body, big, &[0, 0]);
    }
    block(out, big, 1, &body);
}

fn enhanced(out: &mut Vec<u8>, big: bool, number: u32, time: u64, data: &[u8], wire: u32) {
    let mut body = Vec::new();
    put(&mut body, big, &[number, (time >> 32) as u32, time as u32, data.len() as u32, wire]);
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
    // epb_flags: inbound.
    put_half(&mut body, big, &[2, 4]);
    put(&mut body, big, &[1, 0]);
    block(out, big, 6, &body);
}

fn pcapng(big: bool) -> Vec<u8> {
    let mut file = Vec::new();
    section(&mut file, big);
    let offset = if big { 100_i64.to_be_bytes() } else { 100_i64.to_le_bytes() };
    interface(&mut file, big, 1, 4, &[(2, b"eth0")]);
    interface(&mut file, big, 101, 0, &[(2, b"tun0"), (9, &[9]), (14, &offset)]);
    interface(&mut file, big, 113, 0, &[(9, &[0x80 | 10])]);
    interface(&mut file, big, 200, 0, &[]);
    // Name resolution, interface statistics, and a block nobody knows, larger than the buffer.
    block(&mut file, big, 4, &[0; 8]);
    block(&mut file, big, 5, &[0; 12]);
    block(&mut file, big, 0x0bad_cafe, &vec![7; 700_000]);
    enhanced(&mut file, big, 0, 5_000_001, b"hello", 90);
    enhanced(&mut file, big, 1, 7, b"raw", 3);
    enhanced(&mut file, big, 2, 1536, b"", 0);
    // Simple: cut at the first interface's snapshot length, its time is the last one known.
    let mut body = Vec::new();
    put(&mut body, big, &[6]);
    body.extend(b"simp");
    block(&mut file, big, 3, &body);
    // Obsolete: interface and drops in one word.
    let mut body = Vec::new();
    put_half(&mut body, big, &[1, 9]);
    put(&mut body, big, &[0, 8, 3, 4]);
    body.extend(b"old");
    block(&mut file, big, 2, &body);
    file
}

fn pcapng_rows() -> Vec<Row> {
    vec![
        (5_000_001_000, LinkType::Ethernet, b"hello".to_vec(), 90, 1),
        (100_000_000_007, LinkType::Raw, b"raw".to_vec(), 3, 2),
        (1_500_000_000, LinkType::LinuxSll, Vec::new(), 0, 3),
        (1_500_000_000, LinkType::Ethernet, b"simp".to_vec(), 6, 1),
        (100_000_000_008, LinkType::Raw, b"old".to_vec(), 4, 2),
    ]
}

#[test]
fn pcapng_sections_of_both_orders_in_one_file() {
    let mut file = pcapng(false);
    file.extend(pcapng(true));
    let (rows, cut, error) = read(&file);
    assert_eq!(rows, [pcapng_rows(), pcapng_rows()].concat());
    assert_eq!((cut, error), (None, None));
}

#[test]
fn interface_names_are_told() {
    let mut source = FileSource::from_reader("t", Cursor::new(pcapng(true))).unwrap();
    assert_eq!(source.next_frame().unwrap().map(|f| f.ifindex), Some(1));
    assert_eq!(source.interface_name(1), Some("eth0"));
    assert_eq!(source.interface_name(2), Some("tun0"));
    assert_eq!(source.interface_name(3), None);
    assert_eq!(source.interface_name(0), None);
}

#[test]
fn an_unknown_link_type_names_itself() {
    let (_, _, error) = read(&classic(false, 0xa1b2_c3d4, (2, 4), 147));
    let error = error.unwrap();
    assert!(
        error.starts_with("t: byte 20: link type 147 is not known; known are 0 BSD loopback, 1 Ethernet"),
        "{error}"
    );
    let mut file = pcapng(false);
    let at = file.len();
    enhanced(&mut file, false, 3, 1, b"x", 1);
    let (rows, _, error) = read(&file);
    assert_eq!(rows, pcapng_rows());
    assert!(error.unwrap().starts_with(&format!("t: byte {at}: link type 200 is not known")));
}

/// A member of gzip with all optional fields of its header.
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 3, 0];
    out.extend(b"abcname\0comment\0hc");
    out.extend(miniz_oxide::deflate::compress_to_vec(data, 6));
    let crc = !data.iter().fold(!0_u32, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        }
        crc
    });
    put(&mut out, false, &[crc, data.len() as u32]);
    out
}

#[test]
fn gzip_of_one_and_many_members() {
    let file = pcapng(false);
    assert_eq!(read(&gzip(&file)), (pcapng_rows(), None, None));
    let mut members = Vec::new();
    for part in file.chunks(100_000) {
        members.extend(gzip(part));
    }
    members.extend(gzip(b""));
    assert_eq!(read(&members), (pcapng_rows(), None, None));
    members.extend([0; 512]);
    assert_eq!(read(&members), (pcapng_rows(), None, None));
}

/// Gives one byte at a time, with interruptions.
struct Dribble(Vec<u8>, usize, bool);

impl Read for Dribble {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.2 = !self.2;
        if self.2 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some(byte) = self.0.get(self.1) else { return Ok(0) };
        self.1 += 1;
        out[0] = *byte;
        Ok(1)
    }
}

#[test]
fn a_slow_pipe_gives_the_same() {
    let file = pcapng(true);
    assert_eq!(read_from(Dribble(gzip(&file), 0, false)), (pcapng_rows(), None, None));
    assert_eq!(read_from(Dribble(file, 0, false)), (pcapng_rows(), None, None));
}

#[test]
fn a_cut_is_told_at_every_byte() {
    let mut file = classic(false, 0xa1b2_3c4d, (2, 4), 1);
    let mut ends = vec![file.len()];
    for n in 0..5_u32 {
        put(&mut file, false, &[n, 0, n * 3, n * 3]);
        file.extend(vec![1; n as usize * 3]);
        ends.push(file.len());
    }
    for len in 24..file.len() {
        let (rows, cut, error) = read(&file[..len]);
        let whole = ends.iter().filter(|end| **end <= len).count() - 1;
        assert_eq!((rows.len(), error), (whole, None));
        let expected = Cut { record: ends[whole] as u64, end: len as u64, gzip: false };
        assert_eq!(cut, (ends[whole] != len).then_some(expected));
    }
    for len in 0..24 {
        assert!(read(&file[..len]).2.is_some());
    }
    let mut small = Vec::new();
    section(&mut small, false);
    interface(&mut small, false, 1, 0, &[]);
    let records = small.len();
    enhanced(&mut small, false, 0, 1, b"abc", 3);
    for len in 4..small.len() {
        let (rows, cut, error) = read(&small[..len]);
        assert!(rows.is_empty() && error.is_none());
        assert_eq!(cut.is_none(), len == 28 || len == records, "{len}");
        assert!(cut.is_none_or(|cut| cut.end == len as u64));
    }
}

#[test]
fn a_cut_gzip_gives_what_it_holds() {
    let mut file = classic(false, 0xa1b2_3c4d, (2, 4), 1);
    let mut seed = 7_u32;
    for n in 0..2_000 {
        put(&mut file, false, &[n, 0, 40, 40]);
        for _ in 0..10 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            put(&mut file, false, &[seed]);
        }
    }
    let packed = gzip(&file);
    for len in [packed.len() - 1, packed.len() - 8, packed.len() - 9, packed.len() / 2] {
        let (rows, cut, error) = read(&packed[..len]);
        assert_eq!(error, None, "{len} of {}", packed.len());
        assert!(rows.len() > 900, "{}", rows.len());
        let cut = cut.unwrap();
        assert!(cut.gzip);
        assert_eq!(cut.record, 24 + 56 * rows.len() as u64);
    }
    let mut wrong = packed.clone();
    *wrong.iter_mut().rev().nth(5).unwrap() ^= 1;
    let (rows, _, error) = read(&wrong);
    assert_eq!(rows.len(), 2_000);
    assert!(error.unwrap().contains("checksum does not match"));
    let mut wrong = packed;
    let middle = wrong.len() / 2;
    for byte in wrong.iter_mut().skip(middle).take(64) {
        *byte = 0xff;
    }
    let (rows, _, error) = read(&wrong);
    assert!(rows.len() > 500 && error.is_some());
}

#[test]
fn errors_name_the_byte_and_what_was_expected() {
    let says = |file: &[u8], what: &str| {
        let (_, _, error) = read(file);
        let error = error.unwrap_or_default();
        assert!(error.contains(what), "{error}");
    };
    says(b"", "t: the file is empty");
    says(b"abc", "ends inside its header");
    says(b"GET / HTTP/1.1", "t: begins with 47 45 54 20; expected a pcap or pcapng capture");
    says(&classic(true, 0xa1b2_c3d4, (3, 0), 1), "t: byte 4: format version 3.0; expected pcap 2.x");
    let mut file = classic(true, 0xa1b2_c3d4, (2, 4), 1);
    put(&mut file, true, &[0, 0, 0x7fff_ffff, 1]);
    says(&file, "t: byte 24: a frame of 2147483647 bytes; expected at most 1048576");
    let mut file = Vec::new();
    section(&mut file, false);
    enhanced(&mut file, false, 2, 0, b"", 0);
    says(&file, "t: byte 28: a frame of interface 2, but 0 are described");
    *file.last_mut().unwrap() = 1;
    says(&file, "byte 28: a block of 44 bytes ends with the length 16777260");
    file.truncate(28);
    put(&mut file, false, &[9, 13, 0]);
    says(&file, "byte 28: a block of 13 bytes; expected a multiple of 4");
    file.truncate(28);
    put(&mut file, false, &[0x0a0d_0d0a, 28, 0]);
    says(&file, "byte 28: a section without the byte order mark");
    file.truncate(28);
    interface(&mut file, false, 1, 0, &[]);
    block(&mut file, false, 6, &[0; 16]);
    says(&file, "byte 48: a block of 28 bytes");
    file.truncate(48);
    let mut body = [0; 24];
    body[12] = 5;
    block(&mut file, false, 6, &body);
    says(&file, "byte 48: a block of 36 bytes");
    assert!(
        FileSource::open("/nonexistent/x.pcap")
            .is_err_and(|e| e.to_string().starts_with("/nonexistent/x.pcap: No such"))
    );
}

#[test]
fn memory_does_not_follow_length_fields() {
    // A skipped block of 4 GB, and an interface list without end.
    let mut file = Vec::new();
    section(&mut file, false);
    put(&mut file, false, &[99, 0xffff_fffc, 0]);
    let (rows, cut, error) = read(&file);
    assert_eq!((rows.len(), cut.map(|cut| cut.end), error), (0, Some(40), None));
    file.truncate(28);
    for _ in 0..5_000 {
        interface(&mut file, false, 1, 0, &[]);
    }
    assert!(read(&file).2.unwrap().contains("more than 4096 interfaces"));
}

#[test]
fn what_the_writer_writes_reads_back() {
    let frame = Frame {
        time: Timestamp::new(1_700_000_000, 123_456_789),
        link: LinkType::Ethernet,
        data: &[0xaa; 20],
        wire_len: 1_500,
        ifindex: 3,
        vlan: None,
        second_copy: false,
    };
    let mut writer = PcapWriter::new(Vec::new(), LinkType::Ethernet).unwrap();
    writer.frame(&frame).unwrap();
    writer.frame(&Frame { vlan: Some((0x6005, 0x8100)), ..frame }).unwrap();
    writer.frame(&Frame { vlan: Some((5, 0x8100)), data: &[1; 3], ..frame }).unwrap();
    assert!(writer.frame(&Frame { link: LinkType::Raw, ..frame }).is_err());
    writer.flush().unwrap();
    let (rows, cut, error) = read(&writer.into_inner());
    let time = 1_700_000_000_123_456_789;
    let tagged = [&[0xaa; 12][..], &[0x81, 0, 0x60, 5], &[0xaa; 8]].concat();
    assert_eq!(
        rows,
        [
            (time, LinkType::Ethernet, vec![0xaa; 20], 1_500, 0),
            (time, LinkType::Ethernet, tagged, 1_504, 0),
            (time, LinkType::Ethernet, vec![1; 3], 1_500, 0),
        ]
    );
    assert_eq!((cut, error), (None, None));
}

#[test]
fn arbitrary_and_mutated_bytes_are_read_safely() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut small = Vec::new();
    section(&mut small, true);
    interface(&mut small, true, 1, 0, &[(2, b"eth0"), (9, &[9])]);
    for n in 0..6 {
        enhanced(&mut small, true, 0, n, b"abcdefg", 90);
    }
    let mut plain = classic(true, 0xa1b2_cd34, (2, 4), 1);
    for _ in 0..6 {
        put(&mut plain, true, &[0, 0, 8, 8, 1, 0, 0, 0]);
    }
    let packed = gzip(&small);
    for round in 0..400 {
        let mut bytes = match round % 4 {
            0 => small.clone(),
            1 => plain.clone(),
            2 => packed.clone(),
            _ => (0..random() % 300).map(|_| random() as u8).collect(),
        };
        for _ in 0..random() % 6 {
            let at = random() as usize % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = if random() % 2 == 0 { random() as u8 } else { *byte ^ (1 << (random() % 8)) };
            }
        }
        bytes.truncate(bytes.len() - random() as usize % (bytes.len() / 4 + 1));
        fuzz_file(&bytes);
    }
}
