//! Logs of every process: to stderr, as windows have stdout for themselves, or in containers to a rotated file.
//!
//! Quiet at `info`; libraries only warn.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// Size at which a log file is rotated.
const FILE_BYTES_MAX: usize = 16 << 20;
/// Old log files that are kept.
const FILES_KEPT: usize = 5;

/// How a line of log looks (`log.format` in the job file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// Neither a level nor a filter.
    #[error(
        "log level {level:?}: {why}; use error, warn, info, debug, trace, or a filter such as info,rdkafka=debug"
    )]
    Level {
        /// As it was given.
        level: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file cannot be written.
    #[error("log to {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Logging was started before, in this process.
    #[error("start logging: it was started already")]
    Twice,
}

/// Starts logging for the whole process, records of the `log` crate (librdkafka's among them) included.
///
/// `level` is a level for Spindle's own lines, or a filter in the syntax of `EnvFilter`, taken as it is. With a `file`
/// lines go there; it is rotated as `file.1`, `file.2` and so on, so that a job of months does not fill a disk.
pub fn start(level: &str, format: Format, file: Option<&Path>) -> Result<(), LoggingError> {
    let dispatch = match file {
        Some(file) => dispatch(level, format, false, Mutex::new(rotated(file)?))?,
        None => dispatch(level, format, coloured(), io::stderr)?,
    };
    dispatch.try_init().map_err(|_| LoggingError::Twice)
}

fn coloured() -> bool {
    io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn rotated(file: &Path) -> Result<FileRotate<AppendCount>, LoggingError> {
    // Opened here only to have an error: the library would go on without a file.
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map_err(|source| LoggingError::File { path: file.to_owned(), source })?;
    let limit = ContentLimit::BytesSurpassed(FILE_BYTES_MAX);
    Ok(FileRotate::new(file, AppendCount::new(FILES_KEPT), limit, Compression::None, None))
}

fn dispatch<W>(level: &str, format: Format, colours: bool, to: W) -> Result<Dispatch, LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt().with_env_filter(filter(level)?).with_ansi(colours).with_writer(to);
    Ok(match format {
        Format::Text => lines.into(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).into(),
    })
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let wrong = |why: String| LoggingError::Level { level: level.to_owned(), why };
    if level.contains(['=', ',']) {
        return EnvFilter::try_new(level).map_err(|error| wrong(error.to_string()));
    }
    // Stricter than LevelFilter's own parser, which takes numbers, and "" for `error`.
    let own = match level {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return Err(wrong("not a level".to_owned())),
    };
    let libraries = own.min(LevelFilter::WARN);
    EnvFilter::try_new(format!("{libraries},spindle={own}")).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, format: Format, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::dispatcher::with_default(
            &dispatch(level, format, false, move || writer.clone()).unwrap(),
            log,
        );
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    fn everyone() {
        tracing::info!(slot = 3, "own info");
        tracing::debug!("own debug");
        tracing::info!(target: "hyper::proto", "library info");
        tracing::warn!(target: "librdkafka", "library warning");
    }

    #[test]
    fn info_shows_our_lines_and_libraries_warnings() {
        let text = logged("info", Format::Text, everyone);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("own info slot=3") && text.contains("librdkafka: library warning"), "{text}");
    }

    #[test]
    fn a_level_is_ours_alone_and_a_filter_everybodys() {
        assert_eq!(logged("debug", Format::Text, everyone).lines().count(), 3);
        assert_eq!(logged("error", Format::Text, everyone), "");
        assert_eq!(logged("off", Format::Text, everyone), "");
        assert!(logged("off,hyper=info", Format::Text, everyone).ends_with("library info\n"));
    }

    #[test]
    fn json_lines_have_values_as_fields() {
        let text = logged("info", Format::Json, || tracing::info!(slot = 3, "own \u{1b}[2J\n"));
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["slot"], 3);
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "own \u{1b}[2J\n");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_wrong_level_is_named() {
        let error = filter("loud").unwrap_err().to_string();
        assert!(error.starts_with("log level \"loud\": not a level; use error, "), "{error}");
        assert!(filter("spindle=loud").is_err());
        assert!(filter("").is_err());
    }
}
