#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::mysql::fuzz_mysql(data));
