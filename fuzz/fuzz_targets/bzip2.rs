#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trips_testkit::containers::check::check_bzip2(bytes));
