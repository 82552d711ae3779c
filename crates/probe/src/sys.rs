//! Calls of the system, each as narrow as it can be. The only file of this crate with `unsafe`.
#![allow(unsafe_code, reason = "system calls; each block says why it is safe")]

use std::ffi::{CStr, CString};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Space of a file system, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// All of it.
    pub total: u64,
    /// In use.
    pub used: u64,
    /// Free for everyone (some file systems keep a part for root).
    pub free: u64,
}

/// Space of the file system that holds `path`; `None` when it cannot be told.
#[must_use]
pub fn disk(path: &Path) -> Option<Disk> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut s = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` ends with 0 and `s` has the size that the call fills.
    let done = unsafe { libc::statvfs(path.as_ptr(), s.as_mut_ptr()) } == 0;
    // SAFETY: zeroed above, and all-zero bytes are a valid value of this plain struct.
    let s = unsafe { s.assume_init() };
    if !done {
        return None;
    }
    let unit = s.f_frsize;
    let (total, free, for_all) = (s.f_blocks, s.f_bfree, s.f_bavail);
    Some(Disk {
        total: total.saturating_mul(unit),
        used: total.saturating_sub(free).saturating_mul(unit),
        free: for_all.saturating_mul(unit),
    })
}

/// Names the thread that calls, as the standard library does for each. The C library's own goes by `printf`, 9 KB
/// that nothing else needs.
///
/// # Safety
/// As in C: `name` ends with 0.
#[cfg(target_env = "musl")]
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_setname_np(thread: libc::pthread_t, name: *const libc::c_char) -> libc::c_int {
    // SAFETY: takes nothing.
    if thread != unsafe { libc::pthread_self() } {
        return libc::ESRCH;
    }
    // SAFETY: the caller's promise; of the name the system takes 16 bytes at most.
    if unsafe { libc::prctl(libc::PR_SET_NAME, name) } == 0 { 0 } else { libc::ERANGE }
}

fn sysconf(name: libc::c_int, default: u64) -> u64 {
    // SAFETY: takes and gives numbers only.
    let n = unsafe { libc::sysconf(name) };
    u64::try_from(n).ok().filter(|n| *n > 0).unwrap_or(default)
}

/// Bytes of a page.
#[must_use]
pub fn page_size() -> u64 {
    sysconf(libc::_SC_PAGESIZE, 4096)
}

/// Clock ticks of a second, the unit of CPU time in `/proc`.
#[must_use]
pub fn ticks_per_second() -> u64 {
    sysconf(libc::_SC_CLK_TCK, 100)
}

/// CPUs that are online.
#[must_use]
pub fn cpus() -> u64 {
    sysconf(libc::_SC_NPROCESSORS_ONLN, 1)
}

/// A clock of the kernel, in ns; 0 when there is none such.
fn clock(which: libc::clockid_t) -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a live value of the type that the call fills.
    unsafe { libc::clock_gettime(which, &raw mut t) };
    t.tv_sec.unsigned_abs().saturating_mul(1_000_000_000).saturating_add(t.tv_nsec.unsigned_abs())
}

/// Time that never jumps, from any beginning, in ns.
#[must_use]
pub fn steady_ns() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// CPU time of this process so far, all threads, user and system, in ns.
#[must_use]
pub fn own_cpu_ns() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}
/// The host name, as bytes.
#[must_use]
pub fn host_name() -> Vec<u8> {
    let mut name = [0u8; 256];
    // SAFETY: the length given is one less than the buffer's, so that a 0 always ends it.
    let done = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) } == 0;
    let end = CStr::from_bytes_until_nul(&name).map(|n| n.to_bytes().to_vec());
    if done { end.unwrap_or_default() } else { Vec::new() }
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name of the interface.
    pub interface: String,
    /// The address.
    pub ip: IpAddr,
}

/// The addresses of all interfaces that are up, in the kernel's order.
#[must_use]
pub fn addresses() -> Vec<Address> {
    let mut list = Vec::new();
    let mut head: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `head` is a valid place for the pointer that the call gives back.
    if unsafe { libc::getifaddrs(&raw mut head) } != 0 {
        return list;
    }
    let mut at = head;
    // SAFETY: `at` is null or a node of the list that getifaddrs made and nobody freed yet.
    while let Some(node) = unsafe { at.as_ref() } {
        at = node.ifa_next;
        let up = node.ifa_flags & (libc::IFF_UP as libc::c_uint) != 0;
        if node.ifa_addr.is_null() || node.ifa_name.is_null() || !up {
            continue;
        }
        // SAFETY: not null, and every socket address begins with its family.
        let family = libc::c_int::from(unsafe { (*node.ifa_addr).sa_family });
        let ip = if family == libc::AF_INET {
            // SAFETY: the family says that it is a sockaddr_in; read without a claim on alignment.
            let a = unsafe { node.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            IpAddr::from(a.sin_addr.s_addr.to_ne_bytes())
        } else if family == libc::AF_INET6 {
            // SAFETY: the family says that it is a sockaddr_in6; read without a claim on alignment.
            let a = unsafe { node.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            IpAddr::from(a.sin6_addr.s6_addr)
        } else {
            continue;
        };
        // SAFETY: not null, a name that ends with 0 and lives as long as the list.
        let name = unsafe { CStr::from_ptr(node.ifa_name) };
        list.push(Address { interface: name.to_string_lossy().into_owned(), ip });
    }
    // SAFETY: made by getifaddrs above, freed once; nothing borrowed from it is left.
    unsafe { libc::freeifaddrs(head) };
    list
}

/// The kind of machine, as uname(1) -m has it.
#[must_use]
pub fn machine() -> String {
    let mut u = std::mem::MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: `u` has the size that the call fills.
    unsafe { libc::uname(u.as_mut_ptr()) };
    // SAFETY: zeroed above, and all-zero bytes are a valid value of this plain struct.
    let u = unsafe { u.assume_init() };
    u.machine.iter().take_while(|c| **c != 0).map(|c| char::from(*c as u8)).collect()
}

static STOP: AtomicBool = AtomicBool::new(false);
static RELOAD: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(signal: libc::c_int) {
    // Nothing but two atomic stores: safe inside a signal handler.
    if signal == libc::SIGHUP {
        RELOAD.store(true, Ordering::Relaxed);
    } else {
        STOP.store(true, Ordering::Relaxed);
    }
}

/// From here on SIGINT and SIGTERM ask the program to stop, and SIGHUP to read its configuration
/// again. Waiting calls are interrupted. A second SIGINT or SIGTERM ends it at once.
pub fn watch_signals() {
    for (signal, once) in [(libc::SIGINT, true), (libc::SIGTERM, true), (libc::SIGHUP, false)] {
        // SAFETY: all-zero bytes are a valid sigaction: no flags, an empty mask, the default action.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = if once { libc::SA_RESETHAND } else { 0 };
        // SAFETY: the handler only stores to atomics; `action` lives through the call.
        unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    }
}

/// Was the program asked to stop?
#[must_use]
pub fn stop_asked() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Was it asked to read its configuration again? Asking is over with the answer.
#[must_use]
pub fn reload_asked() -> bool {
    RELOAD.swap(false, Ordering::Relaxed)
}

/// The kind of error of the last call, with what was tried.
fn failed(what: &str) -> String {
    format!("{what}: {}", std::io::Error::last_os_error())
}

/// Becomes this user and group, with no other groups and no way back; capabilities go too.
///
/// # Errors
/// Which step failed, and why. Then the process may be half changed: end it.
pub fn become_user(uid: u32, gid: u32) -> Result<(), String> {
    // SAFETY: an empty list of groups needs no memory.
    if unsafe { libc::setgroups(0, std::ptr::null()) } != 0 {
        return Err(failed("setgroups"));
    }
    // SAFETY: takes numbers only.
    if unsafe { libc::setgid(gid) } != 0 {
        return Err(failed("setgid"));
    }
    // SAFETY: takes numbers only.
    if unsafe { libc::setuid(uid) } != 0 {
        return Err(failed("setuid"));
    }
    // SAFETY: takes numbers only.
    if uid != 0 && unsafe { libc::setuid(0) } == 0 {
        return Err("setuid: the way back to root is still open".to_owned());
    }
    // SAFETY: takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(failed("prctl(PR_SET_NO_NEW_PRIVS)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_answers_plausibly() {
        let d = disk(Path::new("/")).unwrap();
        assert!(d.total > 0 && d.used <= d.total && d.free <= d.total);
        assert_eq!(disk(Path::new("/no/such/path")), None);
        assert!(page_size().is_power_of_two() && ticks_per_second() > 0 && cpus() > 0);
        assert!(!machine().is_empty());
        let before = own_cpu_ns();
        let mut n = 1u64;
        while own_cpu_ns() == before {
            n = std::hint::black_box(n.wrapping_mul(3));
        }
        assert!(own_cpu_ns() > before, "CPU time passes");
        let kernel = std::fs::read("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(host_name(), kernel.trim_ascii());
        let all = addresses();
        assert!(all.iter().all(|a| !a.interface.is_empty()));
        if Path::new("/proc/net/if_inet6").exists() && all.iter().any(|a| a.interface == "lo") {
            assert!(all.iter().any(|a| a.ip.is_loopback()));
        }
    }

    #[test]
    fn a_hangup_asks_once_for_the_configuration() {
        watch_signals();
        assert!(!reload_asked());
        // SAFETY: takes a number; the handler was set by the line above.
        unsafe { libc::raise(libc::SIGHUP) };
        assert!(reload_asked() && !reload_asked() && !stop_asked());
    }
}
