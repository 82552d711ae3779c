//! What a client asks: the command, what it is about, and its text. Secrets are masked.

use super::bson::{Shape, Sink, Value};
use super::json::Json;
use super::message::{Docs, Slot};
use super::wire::{Prelude, namespace};
use crate::session::Txn;
use record::f::mongo as f;

/// Names of commands, collections, databases and users are cut here; those of MongoDB have 255
/// bytes at most.
const MAX_NAME: usize = 255;
/// What is waited for of a proof of the login, to find the user in it.
const MAX_PROOF: usize = 1024;

/// Commands whose argument is a collection, in lower case.
const OF_COLLECTION: &[&[u8]] = &[
    b"aggregate",
    b"clonecollectionascapped",
    b"collmod",
    b"collstats",
    b"compact",
    b"compactstructuredencryptiondata",
    b"converttocapped",
    b"count",
    b"create",
    b"createindexes",
    b"createsearchindexes",
    b"delete",
    b"deleteindexes",
    b"distinct",
    b"drop",
    b"dropindexes",
    b"dropsearchindex",
    b"filemd5",
    b"find",
    b"findandmodify",
    b"geonear",
    b"geosearch",
    b"insert",
    b"killcursors",
    b"listindexes",
    b"mapreduce",
    b"parallelcollectionscan",
    b"plancacheclear",
    b"plancacheclearfilters",
    b"plancachelistfilters",
    b"plancachesetfilter",
    b"reindex",
    b"text",
    b"touch",
    b"update",
    b"updatesearchindex",
    b"validate",
];

/// Commands with secrets in them, in lower case.
const SECRET: &[&[u8]] = &[
    b"authenticate",
    b"copydb",
    b"copydbsaslstart",
    b"createuser",
    b"getnonce",
    b"saslcontinue",
    b"saslstart",
    b"updateuser",
];
/// The elements of those that are never told, at any depth.
const MASKED: &[&[u8]] = &[b"payload", b"pwd", b"key", b"nonce", b"password", b"credentials"];

/// Those of documents that come before it is known whether they go to `system.users`.
const MASKED_EARLY: &[&[u8]] = &[b"pwd", b"credentials"];

fn is_in(list: &[&[u8]], name: &[u8]) -> bool {
    list.iter().any(|w| w.eq_ignore_ascii_case(name))
}

/// Where an element lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the command itself, whose braces are those of the text.
    Root,
    /// In the command, which lies in `$query`.
    Query,
    /// In the command that is to be explained.
    Explained,
    /// In what the client sent of its login with another command.
    Login,
    /// Elsewhere.
    Inner,
}

/// Where an element lies, and in what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ctx {
    place: Place,
    in_array: bool,
}

const fn at(place: Place) -> Option<Ctx> {
    Some(Ctx { place, in_array: false })
}

/// A request under way; used again for the next.
#[derive(Debug, Default)]
pub(super) struct Ask {
    json: Json,
    pub(super) command: Vec<u8>,
    collection: Vec<u8>,
    db: Vec<u8>,
    /// Found in its login.
    pub(super) user: Option<Vec<u8>>,
    /// The first element of the document is the name of the command.
    pub(super) is_command: bool,
    /// A document of the command was gone into.
    pub(super) has_body: bool,
    /// It has elements that are not told.
    secret: bool,
    /// Closes the text.
    tail: &'static [u8],
    /// Flags of OP_MSG, or of OP_QUERY when it is one.
    pub(super) flags: u32,
    /// There is no answer to such a message.
    pub(super) one_way: bool,
}

fn keep(to: &mut Vec<u8>, name: &[u8]) {
    to.clear();
    to.extend_from_slice(name.get(..MAX_NAME).unwrap_or(name));
}

impl Ask {
    /// Begins a request whose text may have `cap` bytes.
    pub(super) fn begin(&mut self, cap: usize) {
        self.json.begin(cap);
        self.command.clear();
        self.collection.clear();
        self.db.clear();
        self.user = None;
        (self.is_command, self.has_body, self.secret, self.one_way) = (false, false, false, false);
        (self.flags, self.tail) = (0, b"}");
    }

    /// Heap bytes held.
    pub(super) fn held(&self) -> usize {
        self.json.held().saturating_add(3 * MAX_NAME)
    }

    /// Puts all of it into the record.
    pub(super) fn tell(&mut self, txn: &mut Txn, user: &[u8]) {
        self.json.push(self.tail);
        for (field, name) in
            [(&f::COMMAND, &self.command), (&f::COLLECTION, &self.collection), (&f::DB, &self.db)]
        {
            if !name.is_empty() {
                txn.text(field, name, MAX_NAME);
            }
        }
        let text = self.json.text();
        txn.text(&f::TEXT, text, text.len());
        if !user.is_empty() {
            txn.text(&f::USER, user, MAX_NAME);
        }
        self.json.done();
    }

    /// A greeting: its answers may be pushed for as long as the connection stands.
    pub(super) fn is_hello(&self) -> bool {
        is_in(&[b"hello", b"ismaster"], &self.command)
    }

    /// Part of a login.
    pub(super) fn is_login(&self) -> bool {
        is_in(&[b"saslstart", b"saslcontinue", b"authenticate"], &self.command)
    }

    fn named(&mut self, command: &[u8]) {
        keep(&mut self.command, command);
        self.secret |= is_in(SECRET, command);
    }

    /// An older message about a namespace.
    fn older(&mut self, command: &'static [u8], ns: &[u8]) {
        let (db, collection) = namespace(ns);
        keep(&mut self.command, command);
        keep(&mut self.db, db);
        self.about(collection);
        self.json.name(command, false);
        self.json.string(collection);
    }

    fn about(&mut self, collection: &[u8]) {
        keep(&mut self.collection, collection);
        // Users were once made by inserting them.
        self.secret |= collection == b"system.users";
    }

    fn number(&mut self, name: &[u8], n: i64) {
        self.json.name(name, false);
        self.json.value(Value::Long(n));
    }

    fn is_masked(&self, place: Place, name: &[u8]) -> bool {
        if self.secret || place == Place::Login {
            is_in(MASKED, name)
        } else {
            self.is_command && !self.has_body && is_in(MASKED_EARLY, name)
        }
    }

    /// An element of the command itself: is it one that says what it is about?
    fn learn(&mut self, place: Place, name: &[u8], value: Value<'_>) {
        if self.command.is_empty() && self.is_command && matches!(place, Place::Root | Place::Query) {
            self.named(name);
        }
        match (place, value) {
            (Place::Root | Place::Query, Value::Str(text)) => {
                if name == self.command && is_in(OF_COLLECTION, name)
                    || name == b"collection" && self.is_get_more()
                {
                    self.about(text);
                } else if name == b"$db" {
                    keep(&mut self.db, text);
                } else if name == b"user" && self.command.eq_ignore_ascii_case(b"authenticate") {
                    self.user = Some(text.get(..MAX_NAME).unwrap_or(text).into());
                }
            }
            (Place::Explained, _) if is_in(SECRET, name) => self.secret = true,
            (Place::Explained, Value::Str(text))
                if self.collection.is_empty() && is_in(OF_COLLECTION, name) =>
            {
                self.about(text);
            }
            (Place::Root | Place::Query | Place::Login, Value::Binary(_, bytes))
                if name == b"payload"
                    && (place == Place::Login || self.command.eq_ignore_ascii_case(b"saslstart")) =>
            {
                self.user = user_of(bytes).map(|u| u.get(..MAX_NAME).unwrap_or(u).into());
            }
            _ => {}
        }
    }

    fn is_get_more(&self) -> bool {
        self.command.eq_ignore_ascii_case(b"getmore")
    }
}

/// The user in the first message of SCRAM (RFC 5802 section 7: `n,,n=user,r=...`) or in that of PLAIN
/// (RFC 4616: authorization, user, password, zeros between).
fn user_of(payload: &[u8]) -> Option<&[u8]> {
    if payload.starts_with(b"n,") || payload.starts_with(b"y,") {
        return payload.split(|b| *b == b',').find_map(|part| part.strip_prefix(b"n="));
    }
    payload.split(|b| *b == 0).nth(1)
}

impl Sink for Ask {
    type Ctx = Ctx;

    fn wants(&self, ctx: Ctx, name: &[u8]) -> usize {
        if self.is_masked(ctx.place, name) {
            MAX_PROOF
        } else if ctx.place == Place::Inner {
            self.json.room()
        } else {
            self.json.room().max(MAX_NAME.saturating_add(1))
        }
    }

    fn value(&mut self, ctx: Ctx, name: &[u8], value: Value<'_>) {
        self.learn(ctx.place, name, value);
        if self.json.room() == 0 {
            return;
        }
        self.json.name(name, ctx.in_array);
        if self.is_masked(ctx.place, name) {
            self.json.string(b"***");
        } else {
            self.json.value(value);
        }
    }

    fn enter(&mut self, ctx: Ctx, name: &[u8], shape: Shape) -> Option<Ctx> {
        let in_command = matches!(ctx.place, Place::Root | Place::Query);
        let mut place = if ctx.place == Place::Login { Place::Login } else { Place::Inner };
        if in_command && shape != Shape::Scope {
            if self.command.is_empty() && self.is_command {
                if matches!(name, b"$query" | b"query") {
                    place = Place::Query;
                } else {
                    self.named(name);
                    place = Place::Explained;
                }
            } else if name == b"speculativeAuthenticate" {
                place = Place::Login;
            }
        }
        if shape == Shape::Scope {
            // Its code was written as a value: that brace is opened again.
            self.json.reopen();
        } else if self.is_masked(ctx.place, name) {
            self.value(ctx, name, Value::Null);
            return None;
        } else {
            if self.json.room() == 0 && place == Place::Inner {
                return None;
            }
            self.json.name(name, ctx.in_array);
        }
        self.json.open(shape);
        Some(Ctx { place, in_array: shape == Shape::Array })
    }

    fn leave(&mut self, ctx: Ctx, shape: Shape) {
        if ctx.place != Place::Root {
            self.json.close(shape);
        }
    }
}

impl Docs for Ask {
    fn prelude(&mut self, prelude: &Prelude<'_>) {
        self.json.push(b"{");
        match *prelude {
            Prelude::Msg(flags) => {
                (self.flags, self.is_command) = (flags, true);
                self.one_way = flags & super::wire::msg::MORE_TO_COME != 0;
            }
            Prelude::Query(flags, ns, skip, number) => {
                self.flags = flags;
                if namespace(ns).1 == b"$cmd" {
                    self.is_command = true;
                    keep(&mut self.db, namespace(ns).0);
                    return;
                }
                self.older(b"find", ns);
                if skip != 0 {
                    self.number(b"skip", skip.into());
                }
                if number != 0 {
                    self.number(b"limit", number.into());
                }
            }
            Prelude::Insert(ns) => {
                self.older(b"insert", ns);
                self.json.name(b"documents", false);
                self.json.push(b"[");
                (self.tail, self.one_way) = (b"]}", true);
            }
            Prelude::Update(ns, flags) => {
                self.older(b"update", ns);
                for (bit, name) in [(1, &b"upsert"[..]), (2, b"multi")] {
                    if flags & bit != 0 {
                        self.json.name(name, false);
                        self.json.value(Value::Bool(true));
                    }
                }
                self.one_way = true;
            }
            Prelude::Delete(ns, flags) => {
                self.older(b"delete", ns);
                if flags & 1 != 0 {
                    self.number(b"limit", 1);
                }
                self.one_way = true;
            }
            Prelude::GetMore(ns, number, cursor) => {
                self.older(b"getmore", ns);
                self.number(b"cursor", cursor);
                if number != 0 {
                    self.number(b"batchSize", number.into());
                }
            }
            Prelude::KillCursors(number, first) => {
                keep(&mut self.command, b"killcursors");
                self.number(b"killcursors", number.into());
                self.number(b"cursor", first);
                self.one_way = true;
            }
            Prelude::Command(db, command) => {
                self.is_command = true;
                keep(&mut self.db, db);
                self.named(command);
            }
            Prelude::Reply(..) | Prelude::CommandReply | Prelude::Compressed(..) => {}
        }
    }

    fn document(&mut self, slot: Slot) -> Option<Ctx> {
        if self.is_command && slot != Slot::Sequence {
            self.has_body = true;
            return at(Place::Root);
        }
        if self.json.room() == 0 {
            return None;
        }
        let name: &[u8] = match (slot, self.command.as_slice()) {
            (Slot::Nth(0), b"find") => b"filter",
            (Slot::Nth(_), b"find") => b"projection",
            (Slot::Nth(0), b"update" | b"delete") => b"q",
            (Slot::Nth(_), b"update") => b"u",
            _ => b"",
        };
        self.json.name(name, name.is_empty());
        self.json.open(Shape::Document);
        at(Place::Inner)
    }

    fn sequence(&mut self, name: &[u8]) {
        self.json.name(name, false);
        self.json.open(Shape::Array);
    }

    fn sequence_end(&mut self) {
        self.json.close(Shape::Array);
    }
}
