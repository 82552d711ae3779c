#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| capture::file::fuzz_file(data));
