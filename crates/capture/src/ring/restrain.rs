//! Looking at less than there is: flows left out by the kernel's filter, blocks of the ring passed over. Both are
//! counted.
//!
//! The kernel does not count what a filter refuses. So a second socket takes exactly what the ring's filter
//! leaves out, and is never read: its buffer is full after a packet or two, and from then on each packet is only
//! counted as dropped, before it is copied. While nothing is left out that socket listens to nothing.

use super::{BLOCKS_PER_POLL, Ring, block, program, sys};
use base::Thin;
use std::io;
use std::os::fd::OwnedFd;

/// The socket that counts what is left out.
pub(super) struct Counter {
    fd: OwnedFd,
    listening: bool,
    counted: u64,
}

impl Counter {
    /// A counter that does not listen yet. It is opened with the ring: later the right to may be gone.
    pub(super) fn open() -> io::Result<Counter> {
        let fd = sys::packet_socket()?;
        sys::least_buffer(&fd)?;
        Ok(Counter { fd, listening: false, counted: 0 })
    }

    /// Counts what `ring` leaves out from now on.
    pub(super) fn follow(&mut self, ring: &Ring) -> io::Result<()> {
        // What was counted so far was by the old filter.
        self.read();
        let Some(thin) = ring.config.thin else {
            if self.listening {
                self.listening = false;
                sys::bind_quiet(&self.fd)?;
            }
            return Ok(());
        };
        sys::attach_filter(&self.fd, &ring.program(Some((thin, true))))?;
        if !self.listening {
            sys::bind(&self.fd, ring.bound)?;
            self.listening = true;
        }
        Ok(())
    }

    /// The interface is another one, or back.
    pub(super) fn bind_again(&mut self, ifindex: u32) {
        if self.listening {
            // Should it fail, the ring's own binding has failed too, and nothing comes.
            let _ = sys::bind(&self.fd, ifindex);
        }
    }

    /// Packets counted since it was opened.
    pub(super) fn read(&mut self) -> u64 {
        if let Ok(new) = sys::statistics(&self.fd) {
            self.counted += u64::from(new.packets);
        }
        self.counted
    }
}

impl Ring {
    /// Leaves flows out from now on, or again none. What the filter cannot judge still comes
    /// ([`super::thin`]). Packets at the very moment of a change may be counted twice or not at all.
    ///
    /// # Errors
    /// The kernel refuses the filter, as when the user's is too long already; the old one stays.
    pub fn set_thin(&mut self, thin: Option<Thin>) -> io::Result<()> {
        if self.config.thin == thin {
            return Ok(());
        }
        let old = std::mem::replace(&mut self.config.thin, thin);
        let mut counter = self.counter.take();
        let mut done = counter.as_mut().map_or(Ok(()), |c| c.follow(self));
        if done.is_ok() {
            done = self.attach();
        }
        if done.is_err() {
            self.config.thin = old;
            if let Some(counter) = &mut counter {
                let _ = counter.follow(self);
            }
        }
        self.counter = counter;
        done
    }

    /// At most this many blocks are given in one call of [`Ring::poll`]; `None`: as usual.
    pub fn set_pace(&mut self, blocks: Option<usize>) {
        self.pace = blocks.unwrap_or(BLOCKS_PER_POLL).max(1);
    }

    /// Passes over the blocks that wait, but for the newest eighth of the ring: who is late by more catches up
    /// by not looking. Their frames are counted as skipped.
    pub fn skip_old(&mut self) {
        let leave = (self.blocks / 8).max(1);
        let at = |n: usize| (self.next + n) % self.blocks.max(1);
        let waiting = (0..self.blocks).take_while(|n| self.map.block(at(*n)).is_some()).count();
        for _ in leave..waiting {
            let frames = self.map.block(self.next).map_or(0, block::count);
            self.pass_on();
            self.stats.skipped += u64::from(frames);
        }
    }

    /// The ring's program, or with `(thin, true)` that of the counter.
    pub(super) fn program(&self, thin: Option<(Thin, bool)>) -> Vec<crate::Insn> {
        // A bound socket gets no other interface's frames.
        let scope = if self.bound == 0 { &self.scope } else { &super::Scope::All };
        let config = &self.config;
        let rest = (config.filter.as_deref(), config.snaplen);
        program::program(scope, config.keep_second_copies, thin, rest.0, rest.1)
            // A program that passes everything takes the place of an earlier one.
            .unwrap_or_else(|| vec![crate::Insn::stmt(program::RET_K, u32::MAX)])
    }
}
