//! The program's story: read the command line, do it, turn the outcome into an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use spindle::{cli, exit};

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(message) => return show_usage(&message),
    };
    let code = cli::run(command).unwrap_or_else(|error| {
        print_error(&error);
        cli::exit_code(&error)
    });
    ExitCode::from(code)
}

/// Help and version go to stdout with code 0, wrong usage to stderr with code 2. Neither stream need be there.
fn show_usage(message: &clap::Error) -> ExitCode {
    let _ = message.print();
    ExitCode::from(if message.use_stderr() { exit::USAGE } else { exit::OK })
}

/// The one place that prints an error: one line, with what was being done.
fn print_error(error: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "{}", cli::in_one_line(error));
}
