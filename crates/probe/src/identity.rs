//! Who the probe says it is: its id, its address, its host's name, system and time zone.

mod md5;

use crate::config::Settings;
use crate::sys::{self, Address};
use record::Zone;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Time zone files are a few KB.
const MAX_ZONE: u64 = 1 << 20;

/// The identity that records carry: as configured, else found on this host.
#[must_use]
pub fn identity(settings: &Settings) -> record::Identity {
    let host_name = sys::host_name();
    let links = links(Path::new("/sys/class/net"));
    let given = |value: &Option<String>, found: &dyn Fn() -> String| value.clone().unwrap_or_else(found);
    let address = || host_address(&sys::addresses(), &links).map(|ip| ip.to_string()).unwrap_or_default();
    record::Identity {
        probe_ver: given(&settings.sys_version, &|| crate::VERSION.to_owned()),
        host: given(&settings.host_address, &address),
        system: system(),
        nic: settings.written.effective(crate::config::keys::K::Device).to_owned(),
        message: String::from_utf8_lossy(&host_name).into_owned(),
        collector: given(&settings.probe_id, &|| probe_id(first_mac(&links), &host_name)),
        license: "free".to_owned(),
        total_cpu: sys::cpus(),
    }
}

/// The id of a probe: the decimal of seven bytes, MAC address and the first byte of the MD5 of the
/// host name and a line feed (as the original's start script makes it).
#[must_use]
pub fn probe_id(mac: [u8; 6], host_name: &[u8]) -> String {
    let mut line = host_name.to_vec();
    line.push(b'\n');
    let [check, ..] = md5::md5(&line);
    let [a, b, c, d, e, f] = mac;
    u64::from_be_bytes([0, a, b, c, d, e, f, check]).to_string()
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    name: String,
    mac: [u8; 6],
    index: u32,
    /// It has a device behind it: not a bridge, tunnel or pair.
    physical: bool,
}

/// The Ethernet interfaces with an address: those with a device first, then by the kernel's number.
fn links(class: &Path) -> Vec<Link> {
    let mut list = Vec::new();
    for entry in std::fs::read_dir(class).into_iter().flatten().flatten() {
        let file = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let Some(mac) = mac_of(file("address").trim()).filter(|m| *m != [0; 6]) else { continue };
        list.push(Link {
            name: entry.file_name().to_string_lossy().into_owned(),
            mac,
            index: file("ifindex").trim().parse().unwrap_or(u32::MAX),
            physical: entry.path().join("device").exists(),
        });
    }
    list.sort_by(|a, b| (!a.physical, a.index, &a.name).cmp(&(!b.physical, b.index, &b.name)));
    list
}

fn mac_of(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

fn first_mac(links: &[Link]) -> [u8; 6] {
    links.first().map_or([0; 6], |l| l.mac)
}

/// The first address that is not loopback: IPv4 before IPv6, interfaces with a device before others,
/// link-local ones last.
fn host_address(addresses: &[Address], links: &[Link]) -> Option<IpAddr> {
    let rank = |a: &Address| {
        let local = match a.ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let physical = links.iter().any(|l| l.physical && l.name == a.interface);
        (local, a.ip.is_ipv6(), !physical)
    };
    let usable = addresses.iter().filter(|a| !a.ip.is_loopback() && !a.ip.is_unspecified());
    usable.min_by_key(|a| rank(a)).map(|a| a.ip)
}

/// SYSTEM: name and version of the operating system, such as `Debian GNU/Linux 12`.
#[must_use]
pub fn system() -> String {
    let read = |p| std::fs::read_to_string(p).ok();
    let text = read("/etc/os-release").or_else(|| read("/usr/lib/os-release")).unwrap_or_default();
    system_of(&text)
}

/// From os-release(5): NAME and VERSION_ID (`Ubuntu 22.04`); PRETTY_NAME where it is shorter than
/// its code name makes it.
fn system_of(os_release: &str) -> String {
    let get = |key: &str| {
        let value = os_release.lines().find_map(|l| l.trim().strip_prefix(key)?.strip_prefix('='))?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    // `Ubuntu 22.04.3 LTS`, `Debian GNU/Linux 12 (bookworm)`: without what is behind the version.
    if let Some(pretty) = get("PRETTY_NAME") {
        let end = pretty.find(" (").unwrap_or(pretty.len());
        let pretty = pretty.get(..end).unwrap_or(&pretty);
        return pretty.strip_suffix(" LTS").unwrap_or(pretty).to_owned();
    }
    match (get("NAME"), get("VERSION_ID")) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        (Some(name), None) => name,
        _ => std::env::consts::OS.to_owned(),
    }
}

/// `sys_info`: operating system, kernel and machine.
#[must_use]
pub fn sys_info() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    [system().as_str(), release.trim(), &sys::machine()]
        .into_iter()
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The time zone of the host: TZ, else `/etc/localtime`, else UTC.
#[must_use]
pub fn zone() -> Zone {
    let tz = std::env::var("TZ").ok();
    zone_of(tz.as_deref(), Path::new("/usr/share/zoneinfo"), Path::new("/etc/localtime"))
}

/// TZ as POSIX has it (environ, 8.3): `:NAME` or `NAME` of a zone file, a path, or a rule such as
/// `CET-1CEST,M3.5.0,M10.5.0/3`. Empty is UTC.
fn zone_of(tz: Option<&str>, files: &Path, localtime: &Path) -> Zone {
    let file = |path: PathBuf| {
        let mut bytes = Vec::new();
        let f = std::fs::File::open(path).ok()?;
        std::io::Read::read_to_end(&mut std::io::Read::take(f, MAX_ZONE), &mut bytes).ok()?;
        Zone::from_tzif(&bytes).ok()
    };
    let Some(tz) = tz else {
        return file(localtime.to_path_buf()).unwrap_or_else(Zone::utc);
    };
    let name = tz.strip_prefix(':').unwrap_or(tz);
    if name.is_empty() {
        return Zone::utc();
    }
    // `join` takes an absolute name as it is.
    let named = (!name.contains("..")).then(|| file(files.join(name))).flatten();
    named.or_else(|| Zone::from_posix(tz).ok()).unwrap_or_else(Zone::utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_mac_and_a_byte_of_the_md5_of_the_name() {
        // md5("jxit\n") begins with 84.
        assert_eq!(
            probe_id([0xe4, 0x1f, 0x13, 0xbc, 0x5e, 0x70], b"jxit"),
            0x00e4_1f13_bc5e_7084_u64.to_string()
        );
        assert_eq!(probe_id([0; 6], b""), 0x68.to_string()); // md5("\n") = 68b329da...
        assert_eq!(mac_of("e4:1f:13:bc:5e:70"), Some([0xe4, 0x1f, 0x13, 0xbc, 0x5e, 0x70]));
        for wrong in ["", "e4:1f:13:bc:5e", "e4:1f:13:bc:5e:70:00", "g0:00:00:00:00:00"] {
            assert_eq!(mac_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_first_address_that_others_can_use() {
        let a = |interface: &str, ip: &str| Address { interface: interface.into(), ip: ip.parse().unwrap() };
        let links = [Link { name: "eth0".into(), mac: [1; 6], index: 2, physical: true }];
        let all = [
            a("lo", "127.0.0.1"),
            a("docker0", "172.17.0.1"),
            a("eth0", "169.254.1.1"),
            a("eth0", "10.0.0.5"),
            a("eth0", "2001:db8::5"),
        ];
        assert_eq!(host_address(&all, &links), "10.0.0.5".parse().ok());
        assert_eq!(host_address(&all, &[]), "172.17.0.1".parse().ok());
        assert_eq!(host_address(&all[4..], &links), "2001:db8::5".parse().ok());
        assert_eq!(host_address(&all[..1], &links), None);
    }

    #[test]
    fn systems() {
        let debian =
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n";
        assert_eq!(system_of(debian), "Debian GNU/Linux 12");
        assert_eq!(system_of("NAME=Ubuntu\nPRETTY_NAME=\"Ubuntu 22.04.3 LTS\"\n"), "Ubuntu 22.04.3");
        assert_eq!(system_of("NAME='Alpine Linux'\nVERSION_ID=3.20.1"), "Alpine Linux 3.20.1");
        assert_eq!(system_of(""), "linux");
    }

    #[test]
    fn zones_by_file_by_rule_and_none() {
        let none = Path::new("/no/such/file");
        let offset = |tz| zone_of(tz, none, none).offset_at(1_700_000_000);
        assert_eq!(offset(Some("CST-8")), 8 * 3600);
        assert_eq!(offset(Some("")), 0);
        assert_eq!(offset(Some("../../etc/passwd")), 0);
        assert_eq!(offset(None), 0);
        let files = Path::new("/usr/share/zoneinfo");
        if files.join("Asia/Shanghai").exists() {
            for tz in ["Asia/Shanghai", ":Asia/Shanghai", "/usr/share/zoneinfo/Asia/Shanghai"] {
                assert_eq!(zone_of(Some(tz), files, none).offset_at(1_700_000_000), 8 * 3600, "{tz}");
            }
            assert_eq!(zone_of(None, none, &files.join("Asia/Shanghai")).offset_at(1_700_000_000), 8 * 3600);
        }
    }

    #[test]
    fn this_host_has_an_identity() {
        let settings = crate::config::load(None, &[]).unwrap();
        let id = identity(&settings);
        assert_eq!(
            (id.nic.as_str(), id.license.as_str(), id.probe_ver.as_str()),
            ("any", "free", crate::VERSION)
        );
        assert!(!id.system.is_empty() && id.total_cpu > 0 && id.collector.parse::<u64>().is_ok());
        assert!(sys_info().starts_with(&id.system));
    }
}
