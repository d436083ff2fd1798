#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trips_testkit::program::check_bytes(bytes));
