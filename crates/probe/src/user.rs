//! The key `user`: who the probe becomes once its rings are open.
//!
//! An open packet socket keeps receiving after its opener has given up all rights, so the parsers
//! that face the traffic need none. What needs rights afterwards does not work any more: interfaces
//! that appear later cannot be opened, and files are written with the rights of the user, so the
//! directories of `json-path` and the like must be the user's. Call it before worker threads start;
//! the C library changes all threads, but the no-new-privileges flag is one thread's and its children's.

use crate::sys;

/// A line of `/etc/passwd`, as far as it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ids {
    uid: u32,
    gid: u32,
}

/// Becomes the user of this name or number, for good.
///
/// # Errors
/// There is no such user, or the system refuses: what, why, remedy. The program must end then.
pub fn become_user(name: &str) -> Result<(), String> {
    // Read by ourselves: a static program has no name services.
    let passwd =
        std::fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: cannot read it: {e}"))?;
    let ids = ids(&passwd, name).ok_or_else(|| {
        format!("user: there is no user `{}` in /etc/passwd; create it or name another", name.escape_debug())
    })?;
    sys::become_user(ids.uid, ids.gid)
        .map_err(|e| format!("user: cannot become `{name}`: {e}; start as root or leave `user` out"))
}

fn ids(passwd: &str, name: &str) -> Option<Ids> {
    passwd.lines().find_map(|line| {
        let mut columns = line.split(':');
        let login = columns.next()?;
        let uid = columns.nth(1)?;
        let gid = columns.next()?.parse().ok()?;
        (!name.is_empty() && (login == name || uid == name)).then_some(Ids { uid: uid.parse().ok()?, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_by_name_and_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nbad:x:y:z\nmfnano:x:998:997::/:/usr/sbin/nologin\n";
        assert_eq!(ids(passwd, "mfnano"), Some(Ids { uid: 998, gid: 997 }));
        assert_eq!(ids(passwd, "998"), Some(Ids { uid: 998, gid: 997 }));
        assert_eq!(ids(passwd, "root"), Some(Ids { uid: 0, gid: 0 }));
        for none in ["", "nobody", "bad", "x"] {
            assert_eq!(ids(passwd, none), None, "{none}");
        }
        assert!(become_user("no such user").unwrap_err().contains("create it or name another"));
    }
}
