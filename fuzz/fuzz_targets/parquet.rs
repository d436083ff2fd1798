#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trips_testkit::parquet_file::check_bytes(bytes));
