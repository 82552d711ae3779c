//! Live frames from Linux: an AF_PACKET socket with a TPACKET_V3 ring (packet(7), Linux
//! `Documentation/networking/packet_mmap.rst`).
//!
//! The kernel packs frames into blocks of shared memory and hands over a block when it is full or its time is
//! up. So a quiet host wakes us not at all, a slow one at most once per [`RingConfig::retire_ms`], and a busy
//! one once per block. Frames are read where they lie and are gone when the sink returns.
//!
//! What to know of such frames: the kernel takes VLAN tags off (they are in [`Frame::vlan`]); segmentation
//! offload gives frames up to 64 KiB that never were on a wire, with checksums not yet filled in; each frame
//! of the loopback comes twice ([`RingConfig::keep_second_copies`]); a frame that passes several interfaces
//! (bridge, bond, VLAN, veth) is seen on each of them.
//!
//! Interfaces come and go. With more than one interface wanted, the socket listens to all and the kernel's
//! filter picks by index; it is renewed when rtnetlink tells of a change. A single named interface is bound,
//! which spares the others' frames the filter; when it goes down or away the ring stays quiet until one of
//! this name is up again, which needs no capability. See [`RingEvent`].

mod block;
mod interfaces;
mod program;
mod rest;
mod restrain;
mod sys;
#[cfg(test)]
mod tests;
mod thin;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use base::{Frame, Thin};

pub use block::fuzz_block;
pub use interfaces::{BadInterface, Interface, InterfaceTable, Interfaces, interfaces};

use crate::Insn;
use interfaces::Scope;
use rest::Rest;

/// Smallest block: a GSO frame of 64 KiB and its headers, twice.
pub const MIN_BLOCK: u32 = 128 * 1024;
/// Largest block: a page run that the kernel finds on a host that has been up for long.
pub const MAX_BLOCK: u32 = 4 * 1024 * 1024;
/// Most blocks of a ring.
pub const MAX_BLOCKS: u32 = 8192;
/// Blocks read in one call of [`Ring::poll`], so that the caller can tend its timers: some milliseconds of work.
pub const BLOCKS_PER_POLL: usize = 8;
/// Events kept for the caller; older ones make room.
const MAX_EVENTS: usize = 16;
/// Interfaces are looked at again at most this often: containers come in crowds.
const REFRESH_EVERY: Duration = Duration::from_millis(100);

/// How one of several workers shares the frames with the others (`PACKET_FANOUT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fanout {
    /// Number of the group: the same for all workers of the program, and of no other program on the host.
    pub group: u16,
    /// The kernel puts fragments of IPv4 together first, so that all of a flow reaches one worker.
    pub defrag: bool,
}

/// What to capture, and with how much memory.
#[derive(Clone, Debug)]
pub struct RingConfig {
    /// Wanted interfaces.
    pub interfaces: Interfaces,
    /// Bytes of a block: a power of two from [`MIN_BLOCK`] to [`MAX_BLOCK`].
    pub block_size: u32,
    /// Bytes of the ring; rounded to whole blocks, at least two. They count in the process's RSS at once.
    pub memory: u32,
    /// Milliseconds after which a block with frames is handed over although it is not full.
    pub retire_ms: u32,
    /// Cut frames at this length (`max-length`).
    pub snaplen: Option<u32>,
    /// The user's filter; it says how many bytes to keep of a frame.
    pub filter: Option<Vec<Insn>>,
    /// Share with other workers.
    pub fanout: Option<Fanout>,
    /// Ask the interfaces for frames that are not for this host.
    pub promiscuous: bool,
    /// Also give the sender's copies of loopback frames, marked [`Frame::second_copy`]. Else the kernel drops
    /// them, uncounted: each has a twin.
    pub keep_second_copies: bool,
    /// Flows left out at first ([`Ring::set_thin`]).
    pub thin: Option<Thin>,
    /// Count what is left out: one ring of the program does it for all.
    pub count_thinned: bool,
}

impl Default for RingConfig {
    fn default() -> RingConfig {
        RingConfig {
            interfaces: Interfaces::default(),
            block_size: 256 * 1024,
            memory: 16 * 1024 * 1024,
            retire_ms: 20,
            snaplen: None,
            filter: None,
            fanout: None,
            promiscuous: false,
            keep_second_copies: false,
            thin: None,
            count_thinned: false,
        }
    }
}

/// A ring that cannot be had: which step failed, and why.
#[derive(Debug)]
pub struct RingError {
    /// What was tried.
    pub step: String,
    /// What the kernel said.
    pub source: io::Error,
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capture: {}: {}", self.step, self.source)?;
        match self.source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => f.write_str("; expected root or the capability CAP_NET_RAW"),
            Some(libc::ENOMEM) => f.write_str("; a smaller ring may fit"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for RingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Counters since the ring was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStats {
    /// Frames that passed the kernel's filter and were put into the ring.
    pub received: u64,
    /// Frames that passed the filter and found the ring full.
    pub dropped: u64,
    /// Times that the ring was full.
    pub freezes: u64,
    /// Frames of interfaces that are not wanted, dropped here (those that the kernel's filter drops are not known).
    pub filtered: u64,
    /// Frames of a link layer that we cannot read, and not IP.
    pub unknown_link: u64,
    /// Blocks left before their end because a header made no sense.
    pub broken: u64,
    /// Packets of flows that the filter left out ([`Ring::set_thin`]).
    pub thinned: u64,
    /// Frames passed over by [`Ring::skip_old`].
    pub skipped: u64,
}

/// Something that the program may log or act upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingEvent {
    /// Links or addresses have changed: time for [`InterfaceTable::refresh`].
    InterfacesChanged,
    /// The one interface that is captured went down or away; nothing comes until [`RingEvent::Up`].
    Down(String),
    /// The one interface that is captured is back.
    Up(String),
}

/// An open ring. It may move to another thread.
pub struct Ring {
    fd: OwnedFd,
    map: sys::Map,
    blocks: usize,
    /// The block to read next.
    next: usize,
    config: RingConfig,
    scope: Scope,
    /// Index of the one interface that the socket is bound to; 0: all.
    bound: u32,
    down: bool,
    /// Indices that were asked to be promiscuous.
    promiscuous: Vec<u32>,
    /// Tells of changes of links; without it only the first look counts.
    links: Option<OwnedFd>,
    changed: bool,
    refreshed: Instant,
    events: VecDeque<RingEvent>,
    stats: RingStats,
    counter: Option<restrain::Counter>,
    /// Blocks read in one call of [`Ring::poll`].
    pace: usize,
    rest: Rest,
    /// When the kernel was asked last.
    waited: Instant,
}

impl Ring {
    /// Opens the ring and starts to capture.
    ///
    /// # Errors
    /// No permission, no memory, no such interface, a filter that the kernel refuses.
    pub fn open(config: &RingConfig) -> Result<Ring, RingError> {
        let step = |step: &str| {
            let step = step.to_owned();
            move |source| RingError { step, source }
        };
        let size = config.block_size;
        if !size.is_power_of_two() || !(MIN_BLOCK..=MAX_BLOCK).contains(&size) {
            let what = format!("block size {size}, expected a power of two from {MIN_BLOCK} to {MAX_BLOCK}");
            return Err(step(&what)(io::ErrorKind::InvalidInput.into()));
        }
        let blocks = (config.memory / size).clamp(2, MAX_BLOCKS);
        let list = interfaces().map_err(step("listing the interfaces"))?;
        let missing = |what: &str| {
            let names: Vec<&str> = list.iter().map(|interface| interface.name.as_str()).collect();
            step(&format!("{what}; there are {}", names.join(", ")))(io::Error::from_raw_os_error(
                libc::ENODEV,
            ))
        };
        let scope = config.interfaces.scope(&list);
        let bound = match config.interfaces.single() {
            Some(name) => {
                let index = sys::index_of(name).ok_or_else(|| missing(&format!("interface {name}")))?;
                // A member of a fanout group can never be bound again: it picks by the filter.
                if config.fanout.is_some() { 0 } else { index }
            }
            None if scope == Scope::Only(Vec::new()) => {
                return Err(missing(&format!("interfaces {}", config.interfaces.only.join(","))));
            }
            None => 0,
        };
        // Before the interfaces are read again, so that no change is missed between.
        let links = sys::link_events().ok();
        let fd = sys::packet_socket().map_err(step("opening a packet socket"))?;
        let memory = u64::from(size) * u64::from(blocks) / 1024;
        sys::request_ring(&fd, size, blocks, config.retire_ms)
            .map_err(step(&format!("asking for a ring of {memory} KiB")))?;
        let map = sys::Map::new(&fd, size as usize, blocks as usize).map_err(step("mapping the ring"))?;
        let mut ring = Ring {
            fd,
            map,
            blocks: blocks as usize,
            next: 0,
            config: config.clone(),
            scope,
            bound,
            down: false,
            promiscuous: Vec::new(),
            links,
            changed: false,
            refreshed: Instant::now(),
            events: VecDeque::new(),
            stats: RingStats::default(),
            counter: None,
            pace: BLOCKS_PER_POLL,
            rest: Rest::new(size as usize * blocks as usize, Instant::now()),
            waited: Instant::now(),
        };
        if config.count_thinned {
            let mut counter = restrain::Counter::open().map_err(step("opening a packet socket"))?;
            counter.follow(&ring).map_err(step("attaching the filter"))?;
            ring.counter = Some(counter);
        }
        // The socket receives from `bind` on: the filter comes first.
        ring.attach().map_err(step("attaching the filter"))?;
        sys::bind(&ring.fd, bound).map_err(step("binding to the interface"))?;
        ring.make_promiscuous(&list).map_err(step("asking for promiscuous mode"))?;
        if let Some(Fanout { group, defrag }) = config.fanout {
            sys::join_fanout(&ring.fd, group, defrag)
                .map_err(step(&format!("joining the fanout group {group}")))?;
        }
        Ok(ring)
    }

    /// Waits up to `timeout_ms` (negative: without end) and gives the frames of at most [`BLOCKS_PER_POLL`]
    /// blocks to `sink`, many at a time. Returns how many; 0 after the timeout, a signal, or a [`RingEvent`]. A
    /// signal that arrives before the wait does not end it: have the handler's flag looked at, and a timeout.
    /// While many blocks come, they are let come together for some milliseconds.
    ///
    /// # Errors
    /// The socket is beyond repair. An interface that goes away is none.
    pub fn poll(&mut self, timeout_ms: i32, sink: &mut impl FnMut(&[Frame<'_>])) -> io::Result<usize> {
        let mut ready = self.map.block(self.next).is_some();
        if !ready
            && timeout_ms != 0
            && let Some(rest) = self.rest.due(Instant::now())
        {
            std::thread::sleep(rest);
            ready = self.map.block(self.next).is_some();
        }
        let timeout_ms = if ready {
            0
        } else if self.changed {
            let soon = REFRESH_EVERY.as_millis() as i32;
            if timeout_ms < 0 { soon } else { timeout_ms.min(soon) }
        } else {
            timeout_ms
        };
        // With blocks at hand, what else the kernel has to say can wait a little.
        let ask = !ready || self.waited.elapsed() >= REFRESH_EVERY;
        if ask && let Some(ready) = sys::wait(&self.fd, self.links.as_ref(), timeout_ms)? {
            self.waited = Instant::now();
            if ready.error {
                self.socket_error()?;
            }
            if let Some(links) = self.links.as_ref().filter(|_| ready.links) {
                sys::drain(links);
                self.changed = true;
                self.push(RingEvent::InterfacesChanged);
            }
        }
        if self.changed && self.refreshed.elapsed() >= REFRESH_EVERY {
            self.refresh();
        }
        let mut frames = 0;
        for _ in 0..self.pace {
            let Some(block) = self.map.block(self.next) else { break };
            let walked = match &self.scope {
                Scope::All => block::walk(block, |_| true, sink),
                scope => block::walk(block, |ifindex| scope.admits(ifindex), sink),
            };
            self.pass_on();
            self.rest.read();
            frames += walked.frames as usize;
            self.stats.filtered += walked.filtered;
            self.stats.unknown_link += walked.unknown_link;
            self.stats.broken += walked.broken;
        }
        Ok(frames)
    }

    /// Gives the next block back to the kernel, and goes on to the one behind it.
    fn pass_on(&mut self) {
        self.map.release(self.next);
        self.next = if self.next + 1 < self.blocks { self.next + 1 } else { 0 };
    }

    /// The counters, the kernel's among them.
    pub fn stats(&mut self) -> RingStats {
        // The kernel resets its counters when they are read; a failed read loses nothing.
        if let Ok(new) = sys::statistics(&self.fd) {
            self.stats.received += u64::from(new.packets.saturating_sub(new.drops));
            self.stats.dropped += u64::from(new.drops);
            self.stats.freezes += u64::from(new.freezes);
        }
        if let Some(counter) = &mut self.counter {
            self.stats.thinned = counter.read();
        }
        self.stats
    }

    /// What happened since the last call; ask until `None` after each [`Ring::poll`].
    pub fn take_event(&mut self) -> Option<RingEvent> {
        self.events.pop_front()
    }

    /// Is the one interface that is captured down or gone?
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.down
    }

    /// Replaces the user's filter and snapshot length while frames come.
    ///
    /// # Errors
    /// The kernel refuses the filter; the old one stays.
    pub fn set_filter(&mut self, filter: Option<Vec<Insn>>, snaplen: Option<u32>) -> io::Result<()> {
        let old = (std::mem::replace(&mut self.config.filter, filter), self.config.snaplen);
        self.config.snaplen = snaplen;
        let done = self.attach();
        if done.is_err() {
            (self.config.filter, self.config.snaplen) = old;
        }
        done
    }

    fn attach(&self) -> io::Result<()> {
        sys::attach_filter(&self.fd, &self.program(self.config.thin.map(|thin| (thin, false))))
    }

    fn make_promiscuous(&mut self, list: &[Interface]) -> io::Result<()> {
        if !self.config.promiscuous {
            return Ok(());
        }
        self.promiscuous.retain(|index| list.iter().any(|interface| interface.index == *index));
        for interface in
            list.iter().filter(|interface| !interface.loopback && self.scope.admits(interface.index))
        {
            if !self.promiscuous.contains(&interface.index) {
                sys::add_promiscuous(&self.fd, interface.index)?;
                self.promiscuous.push(interface.index);
            }
        }
        Ok(())
    }

    fn push(&mut self, event: RingEvent) {
        if self.events.back() != Some(&event) {
            if self.events.len() >= MAX_EVENTS {
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
    }

    fn socket_error(&mut self) -> io::Result<()> {
        match sys::take_error(&self.fd)? {
            0 => Ok(()),
            libc::ENETDOWN => {
                self.turn(false);
                Ok(())
            }
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Notes whether the one interface that is captured is up.
    fn turn(&mut self, up: bool) {
        if let Some(name) = self.config.interfaces.single().map(str::to_owned).filter(|_| self.down == up) {
            self.down = !up;
            self.push(if up { RingEvent::Up(name) } else { RingEvent::Down(name) });
        }
        // Without word from the kernel we have to look for it.
        self.changed |= self.down && self.links.is_none();
    }

    /// Looks at the interfaces again. What fails here is tried again at the next change.
    fn refresh(&mut self) {
        self.changed = false;
        self.refreshed = Instant::now();
        let Ok(list) = interfaces() else { return };
        let scope = self.config.interfaces.scope(&list);
        let mut up = list.iter().any(|interface| interface.up && scope.admits(interface.index));
        match &scope {
            Scope::Only(indices) if self.bound != 0 => {
                // It is back, perhaps under another index. Binding needs no capability, the socket has it.
                if let Some(&index) =
                    indices.first().filter(|index| up && (self.down || **index != self.bound))
                {
                    up = sys::bind(&self.fd, index).is_ok();
                    if up {
                        self.bound = index;
                        self.scope = scope;
                        if let Some(counter) = &mut self.counter {
                            counter.bind_again(index);
                        }
                        // What it had to say of the old one is known.
                        let _ = sys::take_error(&self.fd);
                    }
                }
            }
            _ if scope != self.scope => {
                self.scope = scope;
                // Should the kernel refuse, frames are still told apart here.
                let _ = self.attach();
                if let Some(mut counter) = self.counter.take() {
                    let _ = counter.follow(self);
                    self.counter = Some(counter);
                }
            }
            _ => {}
        }
        self.turn(up);
        // The interface may have gone meanwhile: then there is nothing to ask for.
        let _ = self.make_promiscuous(&list);
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
