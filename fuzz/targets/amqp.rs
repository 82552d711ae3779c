#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::amqp::fuzz_amqp(data));
