//! The servers, as Debian packages them, each with data of its own that nobody else sees.

use crate::lab::{Lab, SERVER, drivers, root, sh};
use std::fs;
use std::process::Command;

pub fn postgresql(lab: &mut Lab) {
    let bin = sh("ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1");
    let (bin, dir) = (bin.trim(), lab.dir.display().to_string());
    let as_postgres = "setpriv --reuid=postgres --regid=postgres --clear-groups";
    sh(&format!(
        "mkdir {dir}/pg && chown postgres {dir}/pg && echo secret >{dir}/pw && chmod 644 {dir}/pw && cd / && \
         {as_postgres} {bin}/initdb -D {dir}/pg/data -N -A scram-sha-256 -U ann --pwfile={dir}/pw && \
         echo 'host all all 10.78.0.0/24 scram-sha-256' >>{dir}/pg/data/pg_hba.conf"
    ));
    let mut args: Vec<String> = as_postgres.split(' ').skip(1).map(Into::into).collect();
    args.push(format!("{bin}/postgres"));
    args.extend([
        "-D".into(),
        format!("{dir}/pg/data"),
        "-h".into(),
        SERVER.into(),
        "-k".into(),
        format!("{dir}/pg"),
    ]);
    args.extend(["-c".into(), "fsync=off".into(), "-c".into(), "autovacuum=off".into()]);
    lab.daemon(Command::new("setpriv").args(&args).current_dir("/"));
    lab.wait_port(5432);
}

pub fn mysql(lab: &mut Lab) {
    let dir = lab.dir.display().to_string();
    sh(&format!(
        "mariadb-install-db --no-defaults --user=root --datadir={dir}/data --auth-root-authentication-method=normal --skip-test-db"
    ));
    let mut server = Command::new("mariadbd");
    server.args([
        "--no-defaults",
        "--user=root",
        "--skip-name-resolve",
        "--skip-ssl",
        "--performance-schema=0",
    ]);
    server.args(["--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", "--port=3306"]);
    server.args([
        format!("--datadir={dir}/data"),
        format!("--socket={dir}/sock"),
        format!("--bind-address={SERVER}"),
    ]);
    lab.daemon(&mut server);
    lab.wait_port(3306);
    sh(&format!(
        "mariadb --no-defaults -S {dir}/sock -e \"create database shop; create user ann@'%' identified by 'secret'; \
         grant all on *.* to ann@'%'\""
    ));
}

pub fn redis(lab: &mut Lab) {
    let dir = lab.dir.display().to_string();
    let mut server = Command::new("redis-server");
    server.args(["--bind", SERVER, "--port", "6379", "--protected-mode", "no", "--save", "", "--dir", &dir]);
    lab.daemon(&mut server);
    lab.wait_port(6379);
}

pub fn amqp(lab: &mut Lab) {
    let dir = lab.dir.display().to_string();
    // The port mapper would outlive us as a daemon: it is our child instead.
    lab.daemon(&mut Command::new("epmd"));
    fs::write(lab.dir.join("plugins"), "[].").unwrap();
    fs::write(lab.dir.join("rabbit.config"), "[{rabbit, [{loopback_users, []}]}].").unwrap();
    let mut server = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    server.env("HOME", &dir).env("RABBITMQ_NODENAME", "mfnano@localhost");
    server.env("RABBITMQ_NODE_IP_ADDRESS", SERVER).env("RABBITMQ_NODE_PORT", "5672");
    server.env("RABBITMQ_CONF_ENV_FILE", "/dev/null").env("RABBITMQ_CONFIG_FILE", format!("{dir}/rabbit"));
    server
        .env("RABBITMQ_MNESIA_BASE", format!("{dir}/mnesia"))
        .env("RABBITMQ_LOG_BASE", format!("{dir}/log"));
    server.env("RABBITMQ_PID_FILE", format!("{dir}/pid"));
    server.env("RABBITMQ_ENABLED_PLUGINS_FILE", format!("{dir}/plugins"));
    lab.daemon(&mut server);
    lab.wait_port(5672);
}

pub fn mongodb(lab: &mut Lab) {
    let mut server = Command::new("java");
    server.args(["-XX:TieredStopAtLevel=1", "-cp"]).arg(drivers().join("jars/*"));
    server.arg(root().join("tests/live/mongodb/Server.java")).args(["27017", SERVER]);
    lab.daemon(&mut server);
    lab.wait_port(27017);
}
