//! Scripts of Oracle's protocol.

use super::Case;
use testkit::Sender::Client;
use testkit::replay::{Style, Tns, Verdict};

/// The functions that execute a cursor again: the whole call, the short ones.
const ALL: u8 = 0x5e;
const EXECUTE: u8 = 4;
const EXECUTE_AND_FETCH: u8 = 0x4e;

fn connected(style: Style, version: u16, sdu: usize) -> Tns {
    let mut t = Tns::new("10.0.0.1:40000", "10.0.0.2:1521", style, sdu);
    t.connect("SERVICE_NAME", "shop", false);
    t.accept(version);
    t.negotiate();
    t.login("ANN", None);
    t
}

pub(super) fn cases() -> Vec<Case> {
    let case = |name, script: Tns, shows| Case { name, script: script.script(), mss: 1460, shows, needs: 0 };
    let mut refused = Tns::new("10.0.0.1:40000", "10.0.0.2:1521", Style::Thin, 8192);
    refused.connect("SID", "nowhere", false);
    refused.resend();
    refused.connect("SID", "nowhere", false);
    refused.refuse(12_505);
    let mut redirected = Tns::new("10.0.0.1:40000", "10.0.0.2:1521", Style::Thin, 8192);
    redirected.connect("SERVICE_NAME", "shop", true);
    redirected.redirect("(ADDRESS=(PROTOCOL=TCP)(HOST=10.0.0.3)(PORT=1522))");
    let mut eve = Tns::new("10.0.0.1:40000", "10.0.0.2:1521", Style::Thin, 8192);
    eve.connect("SERVICE_NAME", "shop", true);
    eve.accept(319);
    eve.negotiate();
    eve.login("EVE", Some((1017, "ORA-01017: invalid username/password; logon denied")));
    vec![
        case(
            "oracle/spec-refused",
            refused,
            "A connection that the listener wants to hear again (RESEND), then refuses (ORA-12505): one record.",
        ),
        case(
            "oracle/spec-redirected",
            redirected,
            "A connection that the listener sends elsewhere: a flow only. The descriptor comes in a packet of its own.",
        ),
        case("oracle/spec-login", eve, "A login that fails: one record, without a statement."),
        case("oracle/spec-jdbc10", work(Style::Jdbc10, 313, 2048), WORK),
        case("oracle/spec-thin", work(Style::Thin, 318, 8192), WORK),
        case("oracle/spec-thin23", work(Style::Thin23, 319, 8192), WORK),
        case("oracle/spec-oci", work(Style::Oci, 313, 2048), WORK),
    ]
}

const WORK: &str = "A session: queries in one answer and with a fetch, changes with their counts, errors behind markers, cursors executed\nagain in all ways, cursors closed on the way, COMMIT and ROLLBACK, a cancelled statement, long texts and large\nanswers in many packets.";

fn work(style: Style, version: u16, sdu: usize) -> Tns {
    let mut t = connected(style, version, sdu);
    t.execute("select name from goods where id = 1", &[]);
    t.answer(&Verdict::rows(1, 20, 1));
    t.execute("update goods set price = price * 2", &[]);
    t.answer(&Verdict::changed(12, 2));
    t.execute("select name from nowhere", &[]);
    t.answer(&Verdict::error(942, "ORA-00942: table or view does not exist", 3));
    t.commit(false);
    t.answer(&Verdict::default());
    for (function, rows) in [(ALL, 13), (EXECUTE, 300)] {
        t.again(function, 2, "update goods set price = price * 2");
        t.answer(&Verdict::changed(rows, 2));
    }
    t.again(EXECUTE_AND_FETCH, 1, "select name from goods where id = 1");
    t.answer(&Verdict::rows(4, 20, 1));
    t.execute("insert into goods values (7, 'ORA-00001: no error')", &[1, 3]);
    t.answer(&Verdict::changed(1, 4));
    t.again(ALL, 4, "insert into goods values (7, 'ORA-00001: no error')");
    t.answer(&Verdict::error(1, "ORA-00001: unique constraint (SHOP.PK) violated", 4));
    t.execute("select name from goods order by name", &[]);
    t.answer(&Verdict { more: true, ..Verdict::rows(10, 30, 5) });
    t.fetch(5);
    t.answer(&Verdict::rows(25, 30, 5));
    t.commit(true);
    t.answer(&Verdict::default());
    // The client breaks in.
    t.execute("delete from goods where slow(id) = 1", &[]);
    t.marker(Client, 3);
    t.answer(&Verdict::error(1013, "ORA-01013: user requested cancel of current operation", 6));
    t.execute(&format!("select '{}' from dual", "x".repeat(300)), &[]);
    t.answer(&Verdict::rows(1, 300, 7));
    t.execute(&format!("select '{}' from dual", "0123456789".repeat(900)), &[]);
    t.answer(&Verdict::rows(1, 40, 8));
    t.execute("select * from everything", &[]);
    t.answer(&Verdict::rows(100, 200, 9));
    t.execute("begin shop.take_stock(3); end;", &[]);
    t.answer(&Verdict::changed(1, 10));
    t.execute("select 'the last of them' from dual", &[]);
    t.answer(&Verdict::rows(1, 20, 11));
    t
}
