//! The one way by which commands print to stdout.

use std::io::{self, ErrorKind, Write as _};

use anyhow::Context as _;

/// One line on stderr, as it stands, for schedulers that look for it there.
pub(super) fn tell(line: &str) {
    // A stderr that is closed is nobody's loss but the reader's.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints `text`. A reader that has gone away (`spindle conf x.yaml | head`) is no error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("write to standard output"),
        _ => Ok(()),
    }
}
