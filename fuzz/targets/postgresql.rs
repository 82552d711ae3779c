#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::postgresql::fuzz_postgresql(data));
