//! The system calls that the standard library does not have: many datagrams in one call, options of
//! sockets, random bytes. All `unsafe` of this crate is here.
#![allow(unsafe_code, reason = "the one file with system calls")]

use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

/// Datagrams of one call: enough to hide its cost, few enough for the stack.
pub(crate) const MANY: usize = 64;

/// Sends up to [`MANY`] datagrams on a connected socket, each of two parts (the first may be empty). Gives back how
/// many the system took, at least one.
pub(crate) fn send_many(socket: &UdpSocket, datagrams: &[(&[u8], &[u8])]) -> io::Result<usize> {
    let mut parts = [[libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; 2]; MANY];
    // SAFETY: all bytes zero is a valid mmsghdr: null pointers and zero lengths.
    let mut headers: [libc::mmsghdr; MANY] = unsafe { std::mem::zeroed() };
    let count = datagrams.len().min(MANY);
    for (((head, body), parts), header) in datagrams.iter().zip(&mut parts).zip(&mut headers) {
        *parts = [head, body]
            .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
        header.msg_hdr.msg_iov = parts.as_mut_ptr();
        header.msg_hdr.msg_iovlen = 2;
    }
    // SAFETY: the first `count` headers point to `parts`, and those to slices that outlive the call; the
    // kernel only reads what they point to.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
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
