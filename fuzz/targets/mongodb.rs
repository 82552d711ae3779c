#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::mongodb::fuzz_mongodb(data));
