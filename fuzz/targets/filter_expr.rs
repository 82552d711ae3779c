#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| capture::filter::fuzz_filter_expr(data));
