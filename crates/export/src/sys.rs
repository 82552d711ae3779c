//! The system calls that the standard library does not have: many datagrams in one call, options of
//! sockets, random bytes. All `unsafe` of this crate is here.
#![allow(unsafe_code, reason = "the one file with system calls")]

use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

/// Datagrams of one call, and of one message (the system takes no more): enough to hide its cost, few enough
/// for the stack.
pub(crate) const MANY: usize = 64;

/// The size of the datagrams that a message is cut into: an option of UDP sockets, since Linux 4.18.
const UDP_SEGMENT: libc::c_int = 103;

/// Several datagrams that go to the system as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// How many.
    pub(crate) pieces: usize,
    /// Bytes of each but the last, which may have less.
    pub(crate) segment: usize,
}

/// Room for one control message that holds 16 bits, aligned as control messages are.
#[repr(C)]
#[derive(Clone, Copy)]
struct Control {
    header: libc::cmsghdr,
    segment: u16,
}

/// Sends up to [`MANY`] messages of together up to [`MANY`] datagrams on a connected socket; a datagram is three
/// parts, which may be empty. Gives back how many messages the system took, at least one.
pub(crate) fn send_many(
    socket: &UdpSocket,
    datagrams: &[[&[u8]; 3]],
    messages: &[Message],
) -> io::Result<usize> {
    let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; 3 * MANY];
    // SAFETY: all bytes zero is a valid mmsghdr: null pointers and zero lengths.
    let mut headers: [libc::mmsghdr; MANY] = unsafe { std::mem::zeroed() };
    // SAFETY: all bytes zero is a valid control message: numbers only.
    let mut controls: [Control; MANY] = unsafe { std::mem::zeroed() };
    let mut datagrams = datagrams.iter();
    let mut room = parts.as_mut_slice();
    let mut count = 0;
    for ((message, header), control) in messages.iter().zip(&mut headers).zip(&mut controls) {
        let mut used = 0;
        for part in datagrams.by_ref().take(message.pieces).flatten().filter(|p| !p.is_empty()) {
            if let Some(slot) = room.get_mut(used) {
                *slot = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
                used += 1;
            }
        }
        let Some((mine, rest)) = room.split_at_mut_checked(used) else { break };
        room = rest;
        header.msg_hdr.msg_iov = mine.as_mut_ptr();
        header.msg_hdr.msg_iovlen = used as _;
        if message.pieces > 1 {
            let len = size_of::<libc::cmsghdr>() + size_of::<u16>();
            control.header.cmsg_level = libc::SOL_UDP;
            control.header.cmsg_type = UDP_SEGMENT;
            control.header.cmsg_len = len as _;
            control.segment = message.segment as u16;
            header.msg_hdr.msg_control = (&raw mut *control).cast();
            header.msg_hdr.msg_controllen = size_of::<Control>() as _;
        }
        count += 1;
    }
    // SAFETY: the first `count` headers point to `parts`, and those to slices that outlive the call, and to
    // `controls`, which hold a whole control message each; the kernel only reads what they point to.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Does the system cut messages into datagrams? An older one would send them whole.
pub(crate) fn can_segment(socket: &UdpSocket) -> bool {
    let mut size: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option is an int, of which pointer and size are given.
    let got = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_UDP, UDP_SEGMENT, (&raw mut size).cast(), &raw mut len)
    };
    got == 0
}

/// Makes the system refuse messages of several datagrams: those need checksums.
#[cfg(test)]
pub(crate) fn refuse_segments(socket: &UdpSocket) -> bool {
    let yes: libc::c_int = 1;
    // SAFETY: the option takes an int, of which pointer and size are given.
    let got = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NO_CHECK,
            (&raw const yes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    got == 0
}

/// Asks for a send buffer of that many bytes; the system gives what it allows.
pub(crate) fn set_send_buffer(socket: &UdpSocket, bytes: i32) {
    // SAFETY: the option takes an int, of which pointer and size are given. A failure leaves the default.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const bytes).cast(),
            size_of::<i32>() as libc::socklen_t,
        );
    }
}

/// Has the other end of a connection closed it (or broken it)? Reads away what it says, which GELF does not know.
pub(crate) fn is_closed(stream: &TcpStream) -> bool {
    let mut waste = [0u8; 512];
    // SAFETY: the kernel writes at most `waste.len()` bytes into it.
    let n =
        unsafe { libc::recv(stream.as_raw_fd(), waste.as_mut_ptr().cast(), waste.len(), libc::MSG_DONTWAIT) };
    match n {
        0 => true,
        n if n > 0 => false,
        _ => !matches!(
            io::Error::last_os_error().kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
        ),
    }
}

/// Eight random bytes.
pub(crate) fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: the kernel writes at most `bytes.len()` bytes into it.
    let n = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if n == 8 {
        return u64::from_ne_bytes(bytes);
    }
    // Before Linux 3.17: the time and the place of this process in memory are what there is.
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    now ^ (&raw const bytes as u64).rotate_left(32) ^ u64::from(std::process::id()).rotate_left(48)
}
