//! System calls of the tests: a thread enters a network namespace, a process gets a signal.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd;

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
