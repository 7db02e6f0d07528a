//! `spindle completions`: a shell's completion script.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::out::print;
use crate::exit;

/// Arguments of `spindle completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Prints the script.
pub fn run(args: &CompletionsArgs) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "spindle", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(exit::OK)
}
