#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| decode::fuzz_frame(data));
