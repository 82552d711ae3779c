//! The names of the commands, to tell a command from any other line or array.

use std::cmp::Ordering;

/// Redis 8 and its sentinel, in order: one text takes less than a table of texts.
static NAMES: &str = "\
    acl append asking auth bgrewriteaof bgsave bitcount bitfield bitfield_ro bitop bitpos blmove blmpop blpop \
    brpop brpoplpush bzmpop bzpopmax bzpopmin client cluster command config copy dbsize debug decr decrby del \
    delex digest discard dump echo eval eval_ro evalsha evalsha_ro exec exists expire expireat expiretime \
    failover fcall fcall_ro flushall flushdb function geoadd geodist geohash geopos georadius georadius_ro \
    georadiusbymember georadiusbymember_ro geosearch geosearchstore get getbit getdel getex getrange getset \
    hdel hello hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby hincrbyfloat hkeys \
    hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield hscan hset hsetex hsetnx \
    hstrlen httl hvals incr incrby incrbyfloat info keys lastsave latency lcs lindex linsert llen lmove lmpop \
    lolwut lpop lpos lpush lpushx lrange lrem lset ltrim memory mget migrate module monitor move mset msetex \
    msetnx multi object persist pexpire pexpireat pexpiretime pfadd pfcount pfdebug pfmerge pfselftest ping \
    psetex psubscribe psync pttl publish pubsub punsubscribe quit randomkey readonly readwrite rename renamenx \
    replconf replicaof reset restore restore-asking role rpop rpoplpush rpush rpushx sadd save scan scard \
    script sdiff sdiffstore select sentinel set setbit setex setnx setrange shutdown sinter sintercard \
    sinterstore sismember slaveof slowlog smembers smismember smove sort sort_ro spop spublish srandmember srem \
    sscan ssubscribe strlen subscribe substr sunion sunionstore sunsubscribe swapdb sync time touch ttl type \
    unlink unsubscribe unwatch vadd vsim wait watch xack xackdel xadd xautoclaim xclaim xdel xdelex xgroup \
    xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim zadd zcard zcount zdiff zdiffstore \
    zincrby zinter zintercard zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange \
    zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange \
    zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore";

/// Is this the name of a command? Small letters.
pub(super) fn is_name(word: &[u8]) -> bool {
    let mut names = NAMES.as_bytes();
    // The name in the middle, and what is on that side of it.
    while let Some((before, from)) = names.split_at_checked(names.len() / 2).filter(|_| !names.is_empty()) {
        let blank = |b: &u8| *b == b' ';
        let begin = before.iter().rposition(blank).map_or(0, |i| i.saturating_add(1));
        let length = from.iter().position(blank).unwrap_or(from.len());
        let end = before.len().saturating_add(length);
        names = match names.get(begin..end).unwrap_or_default().cmp(word) {
            Ordering::Equal => return true,
            Ordering::Less => names.get(end.saturating_add(1)..),
            Ordering::Greater => names.get(..begin.saturating_sub(1)),
        }
        .unwrap_or_default();
    }
    false
}

/// Names that are first words of other line protocols too (memcached, NATS, FTP, POP3, IRC,
/// beanstalk, HTTP): alone on a line they prove nothing.
pub(super) fn is_common(word: &[u8]) -> bool {
    matches!(
        word,
        b"append"
            | b"auth"
            | b"copy"
            | b"decr"
            | b"echo"
            | b"get"
            | b"incr"
            | b"info"
            | b"migrate"
            | b"monitor"
            | b"move"
            | b"ping"
            | b"publish"
            | b"quit"
            | b"reset"
            | b"restore"
            | b"role"
            | b"save"
            | b"scan"
            | b"select"
            | b"set"
            | b"sort"
            | b"subscribe"
            | b"sync"
            | b"time"
            | b"touch"
            | b"type"
            | b"unsubscribe"
            | b"wait"
            | b"watch"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.split(' ').is_sorted());
        assert_eq!(NAMES.split(' ').filter(|n| is_name(n.as_bytes())).count(), 260);
        let others: [&[u8]; 10] =
            [b"get ", b"GET", b"", b" ", b"a", b"ac", b"acl append", b"zunionstores", b"zz", b"ge"];
        assert!(!others.iter().any(|word| is_name(word)));
    }
}
