#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| capture::ring::fuzz_block(data));
