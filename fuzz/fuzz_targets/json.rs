#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trips_testkit::json::check_bytes(bytes));
