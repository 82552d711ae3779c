#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::tns::fuzz_tns(data));
