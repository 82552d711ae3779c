#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| flow::fuzz_flow(data));
