#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::redis::fuzz_redis(data));
