//! The system calls beneath the ring, behind safe functions. All of this crate's `unsafe` is here.
//!
//! Numbers and layouts are those of `linux/if_packet.h`, `linux/filter.h` and packet(7).
#![expect(unsafe_code, reason = "system calls and the memory shared with the kernel")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::size_of;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Insn;

/// Asks for the cache lines of a frame's headers, `at` bytes from here; nothing is read.
#[inline]
pub(super) fn fetch(bytes: &[u8], at: usize) {
    /// The kernel's headers and those of the packet, in cache lines of 64 bytes.
    const HEADERS: usize = 3 * 64;
    #[cfg(target_arch = "x86_64")]
    if let Some(headers) = bytes.get(at..).and_then(|b| b.get(..HEADERS)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in headers.chunks(64) {
            // SAFETY: every x86_64 has SSE; a prefetch has no effect but on the cache.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, at, HEADERS);
}

const PACKET_ADD_MEMBERSHIP: i32 = 1;
const PACKET_RX_RING: i32 = 5;
const PACKET_STATISTICS: i32 = 6;
const PACKET_VERSION: i32 = 10;
const PACKET_FANOUT: i32 = 18;
const PACKET_MR_PROMISC: u16 = 1;
const TPACKET_V3: i32 = 2;
const PACKET_FANOUT_HASH: u32 = 0;
const PACKET_FANOUT_FLAG_DEFRAG: u32 = 0x8000;
const SO_ATTACH_FILTER: i32 = 26;
const ETH_P_ALL: u16 = 3;
/// For experiments within a site (IEEE 802): who listens to it alone costs the others' frames nothing.
const ETH_P_EXPERIMENT: u16 = 0x88b5;
/// Links and addresses that change.
const LINK_GROUPS: u32 = 0x1 | 0x10 | 0x100;

const TP_STATUS_USER: u32 = 1;
const TP_STATUS_KERNEL: u32 = 0;
/// Offset of `block_status` in `struct tpacket_block_desc`.
const BLOCK_STATUS: usize = 8;

/// `struct tpacket_req3`.
#[repr(C)]
struct RingRequest {
    block_size: u32,
    block_nr: u32,
    frame_size: u32,
    frame_nr: u32,
    retire_blk_tov: u32,
    sizeof_priv: u32,
    feature_req_word: u32,
}

/// `struct packet_mreq`.
#[repr(C)]
struct Membership {
    ifindex: i32,
    kind: u16,
    alen: u16,
    address: [u8; 8],
}

/// `struct tpacket_stats_v3`: packets (with the dropped ones), drops, freezes, since the last call.
#[repr(C)]
#[derive(Default)]
pub(super) struct Statistics {
    pub(super) packets: u32,
    pub(super) drops: u32,
    pub(super) freezes: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: u16,
    insns: *const Insn,
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd =
        check(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, protocol) })?;
    // SAFETY: the kernel just gave us this descriptor; nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets a socket option to a value that is plain data for the kernel.
fn set<T>(fd: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    // SAFETY: pointer and size are those of a live value; the kernel only reads.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    })
    .map(drop)
}

/// A packet socket that receives nothing until it is bound.
pub(super) fn packet_socket() -> io::Result<OwnedFd> {
    socket(libc::AF_PACKET, libc::SOCK_RAW, 0)
}

/// Asks for a TPACKET_V3 ring.
pub(super) fn request_ring(fd: &OwnedFd, block_size: u32, blocks: u32, retire_ms: u32) -> io::Result<()> {
    set(fd, libc::SOL_PACKET, PACKET_VERSION, &TPACKET_V3)?;
    // Frames are packed into blocks; the frame size of the request only has to be plausible.
    let frame_size = 2048;
    let request = RingRequest {
        block_size,
        block_nr: blocks,
        frame_size,
        frame_nr: (block_size / frame_size).saturating_mul(blocks),
        retire_blk_tov: retire_ms,
        sizeof_priv: 0,
        feature_req_word: 0,
    };
    set(fd, libc::SOL_PACKET, PACKET_RX_RING, &request)
}

/// Starts to receive, of one interface or of all (0).
pub(super) fn bind(fd: &OwnedFd, ifindex: u32) -> io::Result<()> {
    bind_to(fd, ifindex, ETH_P_ALL)
}

/// Receives nothing that there is.
pub(super) fn bind_quiet(fd: &OwnedFd) -> io::Result<()> {
    bind_to(fd, 0, ETH_P_EXPERIMENT)
}

fn bind_to(fd: &OwnedFd, ifindex: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = i32::try_from(ifindex).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: pointer and length are those of a live sockaddr_ll; the kernel only reads.
    check(unsafe { libc::bind(fd.as_raw_fd(), ptr::from_ref(&address).cast(), len) }).map(drop)
}

/// Makes room for as little as the kernel allows: a packet or two.
pub(super) fn least_buffer(fd: &OwnedFd) -> io::Result<()> {
    set(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &1_i32)
}

/// Shares the packets with the other sockets of the group by the hash of their flow.
pub(super) fn join_fanout(fd: &OwnedFd, group: u16, defrag: bool) -> io::Result<()> {
    let mode = if defrag { PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG } else { PACKET_FANOUT_HASH };
    set(fd, libc::SOL_PACKET, PACKET_FANOUT, &(u32::from(group) | mode << 16))
}

/// Asks for frames that are not for this host; ends when the socket is closed.
pub(super) fn add_promiscuous(fd: &OwnedFd, ifindex: u32) -> io::Result<()> {
    let ifindex = i32::try_from(ifindex).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let request = Membership { ifindex, kind: PACKET_MR_PROMISC, alen: 0, address: [0; 8] };
    set(fd, libc::SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request)
}

/// Attaches a filter; it takes the place of an earlier one at once.
pub(super) fn attach_filter(fd: &OwnedFd, insns: &[Insn]) -> io::Result<()> {
    let len = u16::try_from(insns.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // `Insn` has the layout of sock_filter; the kernel copies the instructions during the call.
    set(fd, libc::SOL_SOCKET, SO_ATTACH_FILTER, &Program { len, insns: insns.as_ptr() })
}

/// Counters since the last call.
pub(super) fn statistics(fd: &OwnedFd) -> io::Result<Statistics> {
    let mut out = Statistics::default();
    let mut len = size_of::<Statistics>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to a live value for which any bytes are valid.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_STATISTICS,
            ptr::from_mut(&mut out).cast(),
            &mut len,
        )
    })?;
    Ok(out)
}

/// Takes the socket's pending error, 0 when there is none.
pub(super) fn take_error(fd: &OwnedFd) -> io::Result<i32> {
    let mut out: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to a live integer.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            ptr::from_mut(&mut out).cast(),
            &mut len,
        )
    })?;
    Ok(out)
}

/// What [`wait`] found.
#[derive(Clone, Copy, Default)]
pub(super) struct Ready {
    /// The packet socket has an error to tell.
    pub(super) error: bool,
    /// Links or addresses have changed.
    pub(super) links: bool,
}

/// Waits for frames or link events; a signal ends it like the timeout does. Negative: without end.
pub(super) fn wait(fd: &OwnedFd, links: Option<&OwnedFd>, timeout_ms: i32) -> io::Result<Option<Ready>> {
    // A descriptor of -1 is ignored by poll(2).
    let mut fds = [
        libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 },
        libc::pollfd { fd: links.map_or(-1, AsRawFd::as_raw_fd), events: libc::POLLIN, revents: 0 },
    ];
    // SAFETY: the array lives during the call and has the length that is told.
    if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) } < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(None) } else { Err(error) };
    }
    let [socket, links] = fds;
    Ok(Some(Ready { error: socket.revents & libc::POLLERR != 0, links: links.revents != 0 }))
}

/// A netlink socket that becomes readable when links or addresses change (rtnetlink(7)).
pub(super) fn link_events() -> io::Result<OwnedFd> {
    let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    // SAFETY: all-zero bytes are a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = LINK_GROUPS;
    let len = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // SAFETY: pointer and length are those of a live sockaddr_nl; the kernel only reads.
    check(unsafe { libc::bind(fd.as_raw_fd(), ptr::from_ref(&address).cast(), len) })?;
    Ok(fd)
}

/// Throws away what is queued; that something was is all we want to know.
pub(super) fn drain(fd: &OwnedFd) {
    let mut buffer = [0_u8; 8192];
    // Bounded: what is left wakes us again.
    for _ in 0..256 {
        // SAFETY: pointer and length are those of a live buffer.
        let got = unsafe {
            libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT)
        };
        // ENOBUFS tells of lost events; the queue may still hold some.
        if got < 0 && io::Error::last_os_error().raw_os_error() != Some(libc::ENOBUFS) {
            return;
        }
    }
}

/// The kernel's index of an interface; `None` when there is no such name.
pub(super) fn index_of(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: a string with its end mark, alive during the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index),
    }
}

/// One entry of getifaddrs(3).
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) loopback: bool,
    pub(super) address: Address,
}

/// What an entry tells besides.
pub(super) enum Address {
    None,
    Link { ifindex: u32, mac: [u8; 6] },
    Ip(IpAddr),
}

/// The links and addresses of this network namespace.
pub(super) fn entries() -> io::Result<Vec<Entry>> {
    let mut head: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: the function writes a list to `head` that we free below.
    check(unsafe { libc::getifaddrs(&mut head) })?;
    let mut out = Vec::new();
    let mut next = head;
    // SAFETY: each entry of the list is valid, or null at its end, until freeifaddrs.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: the name is a string with its end mark in the same list.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned();
        let flags = entry.ifa_flags;
        let flag = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
        out.push(Entry {
            name,
            up: flag(libc::IFF_UP),
            loopback: flag(libc::IFF_LOOPBACK),
            address: address(entry),
        });
    }
    // SAFETY: the list came from getifaddrs; no reference into it is left.
    unsafe { libc::freeifaddrs(head) };
    Ok(out)
}

fn address(entry: &libc::ifaddrs) -> Address {
    // SAFETY: the address is null or valid, and begins with its family.
    let Some(family) = (unsafe { entry.ifa_addr.as_ref() }).map(|address| i32::from(address.sa_family))
    else {
        return Address::None;
    };
    match family {
        libc::AF_PACKET => {
            // SAFETY: an address of this family is a sockaddr_ll; read without asking for alignment.
            let link = unsafe { entry.ifa_addr.cast::<libc::sockaddr_ll>().read_unaligned() };
            let [a, b, c, d, e, f, ..] = link.sll_addr;
            let mac = if link.sll_halen == 6 { [a, b, c, d, e, f] } else { [0; 6] };
            Address::Link { ifindex: link.sll_ifindex.cast_unsigned(), mac }
        }
        libc::AF_INET => {
            // SAFETY: an address of this family is a sockaddr_in.
            let ip = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            Address::Ip(IpAddr::from(ip.sin_addr.s_addr.to_ne_bytes()))
        }
        libc::AF_INET6 => {
            // SAFETY: an address of this family is a sockaddr_in6.
            let ip = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            Address::Ip(IpAddr::from(ip.sin6_addr.s6_addr))
        }
        _ => Address::None,
    }
}

/// The memory shared with the kernel: blocks that belong to one side at a time.
pub(super) struct Map {
    memory: NonNull<u8>,
    block_size: usize,
    blocks: usize,
}

// SAFETY: the mapping belongs to this value alone and may be used from any one thread.
unsafe impl Send for Map {}

impl Map {
    /// Maps the ring of a socket for which [`request_ring`] was called with the same sizes.
    pub(super) fn new(fd: &OwnedFd, block_size: usize, blocks: usize) -> io::Result<Map> {
        let len = block_size.checked_mul(blocks).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at an address that the kernel chooses; the kernel refuses a wrong length.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Map { memory, block_size, blocks })
    }

    fn status(&self, block: usize) -> Option<&AtomicU32> {
        if block >= self.blocks {
            return None;
        }
        // SAFETY: inside the mapping, which begins at a page and whose blocks are whole pages, so aligned;
        // both sides use it as one atomic word, and it lives as long as `self`.
        Some(unsafe {
            AtomicU32::from_ptr(self.memory.as_ptr().add(block * self.block_size + BLOCK_STATUS).cast())
        })
    }

    /// A block that the kernel has handed over, until [`Map::release`].
    #[inline]
    pub(super) fn block(&self, block: usize) -> Option<&[u8]> {
        if self.status(block)?.load(Ordering::Acquire) & TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: inside the mapping; the kernel does not write a block that is ours, which the load above
        // has seen with all writes before it. `release` needs `&mut self`, so the slice is gone by then.
        Some(unsafe {
            std::slice::from_raw_parts(self.memory.as_ptr().add(block * self.block_size), self.block_size)
        })
    }

    /// Hands a block back to the kernel.
    #[inline]
    pub(super) fn release(&mut self, block: usize) {
        if let Some(status) = self.status(block) {
            status.store(TP_STATUS_KERNEL, Ordering::Release);
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, with its length; no slice into it outlives `self`.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.block_size * self.blocks) };
    }
}

/// Gives the calling thread a network namespace of its own, which ends with the thread and its children.
#[cfg(test)]
pub(super) fn own_network() -> io::Result<()> {
    // SAFETY: no pointers; only this thread's view of the network changes.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// The calling thread's number, as /proc names it.
#[cfg(test)]
pub(super) fn thread_id() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::gettid() }
}

/// Sends a whole frame through a bound packet socket.
#[cfg(test)]
pub(super) fn send(fd: &OwnedFd, frame: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a live slice; the kernel only reads.
    let sent = unsafe { libc::send(fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
