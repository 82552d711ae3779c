//! Records as the tests read them.

use std::collections::BTreeMap;

/// A record: a flat JSON object, values as text (`numbers` says which were no strings).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub keys: BTreeMap<String, String>,
    pub numbers: Vec<String>,
}

impl Told {
    /// Reads one line of JSON; strict, since it is a test.
    pub fn parse(line: &str) -> Told {
        let mut p = Parser { rest: line };
        let told = p.object();
        assert!(p.rest.trim().is_empty(), "more than one object: {line}");
        told
    }

    /// The value of a key; empty when it is not there.
    pub fn get(&self, key: &str) -> &str {
        self.keys.get(key).map_or("", String::as_str)
    }

    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// The value as a number.
    #[track_caller]
    pub fn num(&self, key: &str) -> f64 {
        self.get(key).parse().unwrap_or_else(|_| panic!("{key} is {:?} in {self:?}", self.get(key)))
    }

    pub fn kind(&self) -> &str {
        self.get("RECORD")
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn eat(&mut self, c: char) {
        self.rest = self.rest.strip_prefix(c).unwrap_or_else(|| panic!("no {c:?} at {:.60}", self.rest));
    }

    fn object(&mut self) -> Told {
        let mut told = Told::default();
        self.eat('{');
        while !self.rest.starts_with('}') {
            if !told.keys.is_empty() {
                self.eat(',');
            }
            let key = self.string();
            self.eat(':');
            let value = if self.rest.starts_with('"') {
                self.string()
            } else {
                told.numbers.push(key.clone());
                let end = self.rest.find([',', '}']).expect("the end of a number");
                let (number, rest) = self.rest.split_at(end);
                assert!(number.parse::<f64>().is_ok(), "{key}: {number} is no number");
                self.rest = rest;
                number.to_owned()
            };
            let twice = told.keys.insert(key.clone(), value);
            assert!(twice.is_none(), "{key} twice");
        }
        self.eat('}');
        told
    }

    fn string(&mut self) -> String {
        self.eat('"');
        let mut out = String::new();
        let mut chars = self.rest.char_indices();
        loop {
            let (at, c) = chars.next().expect("the end of a string");
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return out;
                }
                '\\' => match chars.next().expect("an escape").1 {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'b' => out.push('\u{8}'),
                    'f' => out.push('\u{c}'),
                    'u' => {
                        let hex: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                        let unit = u32::from_str_radix(&hex, 16).expect("four hex digits");
                        out.push(char::from_u32(unit).expect("no surrogates: we write UTF-8"));
                    }
                    c @ ('"' | '\\' | '/') => out.push(c),
                    c => panic!("escape \\{c}"),
                },
                c => {
                    assert!(c >= ' ', "a bare control character");
                    out.push(c);
                }
            }
        }
    }
}

/// Every packet is somewhere: seen = parsed + filtered + sampled + lost + malformed.
#[track_caller]
pub fn adds_up(records: &[Told]) {
    let mut accounts = 0;
    for r in records.iter().filter(|r| r.kind() == "probe") {
        let parts = ["PKTS_PARSED", "PKTS_FILTERED", "PKTS_SAMPLED", "PKTS_LOST", "PKTS_MALFORMED"];
        let sum: f64 = parts.iter().map(|k| r.num(k)).sum();
        assert_eq!(r.num("PKTS_SEEN"), sum, "{r:?}");
        accounts += 1;
    }
    assert!(accounts > 0, "no RECORD=probe");
}

#[test]
fn objects_are_read() {
    let told = Told::parse(r#"{"A":"x\"\u0001\n","_B":1.5,"C":""}"#);
    assert_eq!(told.get("A"), "x\"\u{1}\n");
    assert_eq!((told.num("_B"), told.numbers.as_slice()), (1.5, &["_B".to_owned()][..]));
    assert!(told.has("C") && !told.has("D"));
}
