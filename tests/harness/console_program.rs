//! `trips_console` as a program of this package: cargo builds no programs of other packages for tests.

fn main() -> std::process::ExitCode {
    trips_console::main()
}
