//! A command as its arguments pass: what it is, and which of them nobody may read.

use super::wire::Word;

/// What is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Channel,
    Pattern,
    Shard,
}

/// The commands that mean something to the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verb {
    /// Asks and is answered.
    #[default]
    Other,
    /// Everything behind it is secret, but the user of `AUTH user password`.
    Auth,
    /// Everything behind its AUTH and the name is secret.
    Hello,
    Config,
    Acl,
    Migrate,
    Sentinel,
    Client,
    /// Answered once for each channel.
    Subscribe(Topic),
    /// The same; without channels, once for each that there was.
    Unsubscribe(Topic),
    Ping,
    Quit,
    Reset,
    Monitor,
    Multi,
    /// Ends what MULTI began: EXEC and DISCARD.
    Exec,
    /// PSYNC and SYNC: a replication stream follows.
    Sync,
    Replconf,
}

impl Verb {
    pub(super) fn of(word: &[u8]) -> Verb {
        match word {
            b"auth" => Verb::Auth,
            b"hello" => Verb::Hello,
            b"config" => Verb::Config,
            b"acl" => Verb::Acl,
            b"migrate" => Verb::Migrate,
            b"sentinel" => Verb::Sentinel,
            b"client" => Verb::Client,
            b"subscribe" => Verb::Subscribe(Topic::Channel),
            b"psubscribe" => Verb::Subscribe(Topic::Pattern),
            b"ssubscribe" => Verb::Subscribe(Topic::Shard),
            b"unsubscribe" => Verb::Unsubscribe(Topic::Channel),
            b"punsubscribe" => Verb::Unsubscribe(Topic::Pattern),
            b"sunsubscribe" => Verb::Unsubscribe(Topic::Shard),
            b"ping" => Verb::Ping,
            b"quit" => Verb::Quit,
            b"reset" => Verb::Reset,
            b"monitor" => Verb::Monitor,
            b"multi" => Verb::Multi,
            b"exec" | b"discard" => Verb::Exec,
            b"psync" | b"sync" => Verb::Sync,
            b"replconf" => Verb::Replconf,
            _ => Verb::Other,
        }
    }

    /// May it be sent while messages are pushed (RESP2)?
    pub(super) fn in_pubsub(self) -> bool {
        matches!(self, Verb::Subscribe(_) | Verb::Unsubscribe(_) | Verb::Ping | Verb::Quit | Verb::Reset)
    }
}

/// What of an argument may be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Show {
    /// All.
    #[default]
    All,
    /// Nothing.
    Nothing,
    /// A rule of ACL SETUSER: of a password only its first byte, which says that it is one.
    Rule,
}

/// What of the answer may be told, less with each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Secret {
    /// All.
    #[default]
    None,
    /// An error may quote the command: nothing from its first quotation mark on.
    Quoted,
    /// Not the values of secret parameters.
    Config,
    /// Nothing: passwords, their hashes.
    Whole,
}

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyMode {
    On,
    Off,
    Skip,
}

/// Parameters whose values are secret.
pub(super) fn is_secret(name: &[u8]) -> bool {
    matches!(
        name,
        b"requirepass"
            | b"masterauth"
            | b"primaryauth"
            | b"tls-key-file-pass"
            | b"tls-client-key-file-pass"
            | b"auth-pass"
            | b"sentinel-pass"
    )
}

/// A command under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Command {
    pub(super) verb: Verb,
    /// Arguments that are whole, the name included.
    pub(super) count: u64,
    /// The argument under way, or the last one.
    word: Word,
    /// The second word, of commands that have one.
    sub: Sub,
    /// Of the argument under way, or the next one.
    pub(super) show: Show,
    /// Arguments until one that is secret (MIGRATE AUTH2, HELLO AUTH, AUTH).
    hide_in: u8,
    /// AUTH with a user.
    pub(super) has_user: bool,
    pub(super) secret: Secret,
    /// What CLIENT REPLY wants.
    pub(super) reply: Option<ReplyMode>,
    /// A replica's acknowledgement: it is never answered.
    pub(super) is_ack: bool,
}

/// Second words that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sub {
    #[default]
    Other,
    Set,
    SetUser,
    Reply,
    Done,
}

impl Command {
    /// A piece of the argument under way.
    pub(super) fn piece(&mut self, piece: &[u8]) {
        self.word.push(piece);
    }

    /// What was lost of the argument under way may have been anything.
    pub(super) fn gap(&mut self) {
        self.word.push(&[b'?'; 32]);
        if !matches!(self.verb, Verb::Other | Verb::Client) {
            self.show = Show::Nothing;
        }
    }

    /// So many arguments of an array are to come: of AUTH two are a user and a password. Inline words may be those of
    /// a password with blanks.
    pub(super) fn names_user(&mut self, to_come: u64) {
        if self.verb == Verb::Auth && self.count == 1 && to_come == 2 {
            (self.has_user, self.show, self.hide_in) = (true, Show::All, 1);
        }
    }

    /// The argument under way is whole.
    pub(super) fn end_arg(&mut self) {
        let at = self.count;
        self.count = at.saturating_add(1);
        let word = std::mem::take(&mut self.word);
        let word = word.get();
        if at == 0 {
            self.verb = Verb::of(word);
            if self.verb == Verb::Auth {
                (self.show, self.secret) = (Show::Nothing, Secret::Quoted);
            }
            return;
        }
        match self.verb {
            Verb::Hello | Verb::Config | Verb::Acl | Verb::Migrate | Verb::Sentinel => self.guard(at, word),
            Verb::Auth if self.hide_in > 0 => self.guard(at, word),
            Verb::Client if at == 1 && word == b"reply" => self.sub = Sub::Reply,
            Verb::Client if at == 2 && self.sub == Sub::Reply => {
                self.reply = match word {
                    b"on" => Some(ReplyMode::On),
                    b"off" => Some(ReplyMode::Off),
                    b"skip" => Some(ReplyMode::Skip),
                    _ => None,
                };
            }
            Verb::Replconf if at == 1 => self.is_ack = word == b"ack",
            _ => {}
        }
    }

    /// Commands some of whose arguments are secret.
    fn guard(&mut self, at: u64, word: &[u8]) {
        if self.hide_in > 0 {
            self.hide_in = self.hide_in.saturating_sub(1);
            self.show = if self.hide_in == 0 { Show::Nothing } else { Show::All };
            return;
        }
        let was_hidden = std::mem::take(&mut self.show) == Show::Nothing;
        match self.verb {
            // HELLO 3 AUTH user password SETNAME name
            Verb::Hello if at >= 2 && word == b"auth" && !was_hidden => self.hide(1),
            // CONFIG SET name value name value; CONFIG GET pattern
            Verb::Config if at == 1 && word == b"set" => self.sub = Sub::Set,
            Verb::Config if at == 1 && word == b"get" => self.secret = Secret::Config,
            Verb::Config if self.sub == Sub::Set && at & 1 == 0 && is_secret(word) => self.hide(0),
            Verb::Acl if at == 1 => match word {
                b"setuser" => (self.sub, self.secret) = (Sub::SetUser, Secret::Quoted),
                b"genpass" | b"getuser" | b"list" => self.secret = Secret::Whole,
                _ => {}
            },
            Verb::Acl if self.sub == Sub::SetUser => self.show = Show::Rule,
            // MIGRATE host port key db timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password] [KEYS key ...]
            Verb::Migrate if at >= 6 && self.sub != Sub::Done && !was_hidden => match word {
                b"auth" => self.hide(0),
                b"auth2" => self.hide(1),
                b"keys" => self.sub = Sub::Done,
                _ => {}
            },
            // SENTINEL SET master auth-pass password; SENTINEL CONFIG SET sentinel-pass password
            Verb::Sentinel if is_secret(word) => self.hide(0),
            _ => {}
        }
    }

    /// The argument behind the next `n` is secret.
    fn hide(&mut self, n: u8) {
        self.secret = Secret::Quoted;
        self.hide_in = n;
        if n == 0 {
            self.show = Show::Nothing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may be told of each argument.
    fn shown(line: &str) -> String {
        let mut c = Command::default();
        let mut out = Vec::new();
        for arg in line.split(' ') {
            out.push(match c.show {
                Show::All => arg.to_owned(),
                Show::Nothing => "***".to_owned(),
                Show::Rule => "rule".to_owned(),
            });
            // In pieces, as it may come.
            let (a, b) = arg.split_at(arg.len() / 2);
            c.piece(a.as_bytes());
            c.piece(b.as_bytes());
            c.end_arg();
        }
        out.join(" ")
    }

    #[test]
    fn secrets_are_known_by_their_place() {
        for (line, want) in [
            ("AUTH pw", "AUTH ***"),
            ("hello 3 AUTH u pw SETNAME n", "hello 3 AUTH u *** SETNAME n"),
            ("HELLO 3 AUTH auth pw", "HELLO 3 AUTH auth ***"),
            (
                "CONFIG SET requirepass pw maxmemory 1 masterauth pw2",
                "CONFIG SET requirepass *** maxmemory 1 masterauth ***",
            ),
            (
                "CONFIG SET maxmemory requirepass appendonly yes",
                "CONFIG SET maxmemory requirepass appendonly yes",
            ),
            ("ACL SETUSER u on >pw", "ACL SETUSER u rule rule"),
            ("MIGRATE h 1 k 0 9 COPY AUTH pw KEYS auth x", "MIGRATE h 1 k 0 9 COPY AUTH *** KEYS auth x"),
            ("MIGRATE h 1 k 0 9 AUTH2 u pw", "MIGRATE h 1 k 0 9 AUTH2 u ***"),
            ("SENTINEL SET m auth-pass pw", "SENTINEL SET m auth-pass ***"),
            ("SET requirepass x", "SET requirepass x"),
        ] {
            assert_eq!(shown(line), want);
        }
    }
}
