//! System calls of the tests: a thread enters a network namespace, a process gets a signal.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Puts the calling thread into the network namespace of that name.
pub fn enter(namespace: &str) {
    let file = File::open(format!("/run/netns/{namespace}")).expect("the namespace is there");
    // SAFETY: setns takes an open descriptor and a constant; it touches no memory of ours.
    let failed = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(failed, 0, "setns: {}", std::io::Error::last_os_error());
}

/// Sends a signal to a child of ours that was not waited for yet, so that the id is still its own.
pub fn signal(pid: u32, signal: i32) {
    // SAFETY: kill takes two integers; the caller holds the unreaped child.
    let failed = unsafe { libc::kill(pid as i32, signal) };
    assert_eq!(failed, 0, "kill: {}", std::io::Error::last_os_error());
}

/// Closing this socket resets the connection instead of ending it.
pub fn reset_on_close(socket: &impl AsRawFd) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the option's value is a live `linger`, and its true size is given.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    assert_eq!(failed, 0, "SO_LINGER: {}", std::io::Error::last_os_error());
}

/// Is this process root?
pub fn is_root() -> bool {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Makes room for datagrams that nobody has read yet, above the system's limit.
pub fn receive_buffer(socket: &impl AsRawFd, bytes: i32) {
    // SAFETY: the option's value is a live integer, and its true size is given.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const bytes).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    assert_eq!(failed, 0, "SO_RCVBUFFORCE: {}", std::io::Error::last_os_error());
}

/// CPU time of a process that was not waited for yet, all its threads, in ns.
pub fn cpu_ns(pid: u32) -> u64 {
    // The number of a process's CPU clock: linux/posix-timers.h, CPUCLOCK_SCHED.
    let clock = (!(pid as i32)) << 3 | 2;
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a live value of the type that the call fills.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut t) };
    assert_eq!(failed, 0, "the process has ended: {}", std::io::Error::last_os_error());
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// A socket that sends whole frames out of an interface.
pub fn packet_sender(interface: &str) -> OwnedFd {
    let name = std::ffi::CString::new(interface).expect("no zero in it");
    // SAFETY: a string with its end mark, alive during the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    assert!(fd >= 0 && index > 0, "a packet socket: {}", std::io::Error::last_os_error());
    // SAFETY: the kernel just gave us this descriptor.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    (to.sll_family, to.sll_ifindex) = (libc::AF_PACKET as u16, index as i32);
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: pointer and length are those of a live sockaddr_ll.
    let failed = unsafe { libc::bind(fd.as_raw_fd(), (&raw const to).cast(), len) };
    assert_eq!(failed, 0, "bind: {}", std::io::Error::last_os_error());
    fd
}

/// Sends frames; says how many went out.
pub fn send_frames(fd: &OwnedFd, frames: &[Vec<u8>]) -> usize {
    let mut parts: Vec<libc::iovec> = frames
        .iter()
        .map(|f| libc::iovec { iov_base: f.as_ptr().cast_mut().cast(), iov_len: f.len() })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = parts
        .iter_mut()
        .map(|part| {
            // SAFETY: all-zero bytes are a valid mmsghdr: no address, no buffers.
            let mut m: libc::mmsghdr = unsafe { std::mem::zeroed() };
            (m.msg_hdr.msg_iov, m.msg_hdr.msg_iovlen) = (part, 1);
            m
        })
        .collect();
    // SAFETY: the messages, their parts and the frames behind them live during the call, which only reads frames.
    let sent = unsafe { libc::sendmmsg(fd.as_raw_fd(), messages.as_mut_ptr(), messages.len() as u32, 0) };
    // ENOBUFS: the queue is full; the flood goes on.
    usize::try_from(sent).unwrap_or(0)
}
