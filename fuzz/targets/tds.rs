#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::tds::fuzz_tds(data));
