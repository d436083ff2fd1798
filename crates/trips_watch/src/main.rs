//! `trips_watch 'host=/run/postgresql dbname=trips'`: a live line for each load.

use std::ops::ControlFlow;
use std::process::ExitCode;

use trips_watch::{Screen, watch};

fn main() -> ExitCode {
    let Some(connection) = std::env::args().nth(1) else {
        eprintln!("usage: trips_watch 'host=… dbname=… user=…'");
        return ExitCode::from(2);
    };
    let config = match connection.parse() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{connection}: {error}");
            return ExitCode::from(2);
        }
    };
    let mut screen = Screen::new(std::io::stdout());
    let watched = watch(&config, &mut |event| match screen.draw(event) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    match watched {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
