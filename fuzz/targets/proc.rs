#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| probe::host::fuzz_proc(data));
