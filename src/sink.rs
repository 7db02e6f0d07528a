//! Ways out for windows: one file per format, and the console that prints them without ever holding the driver up.

mod text;
pub mod spark_text;
pub mod table;
pub mod json;
pub mod console;
#[cfg(test)]
pub(crate) mod samples;

pub use console::{Console, ConsoleEvent, Offered, QUEUE_WINDOWS_MAX, QueueLimits};

use crate::count::Window;

/// How a window looks on stdout (`console` in the job file; `none` starts no console).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Byte for byte what Spark's `DStream.print()` prints, control characters apart.
    Spark,
    /// Aligned, for people.
    Table,
    /// One object a line, for programs.
    Json,
}

/// Turns windows into text, one after the other.
#[derive(Debug)]
pub struct Formatter {
    app: String,
    style: Style,
}

#[derive(Debug)]
enum Style {
    Spark,
    Table(table::Table),
    Json,
}

impl Formatter {
    /// Will write windows of the application `app`.
    pub fn new(format: Format, app: &str) -> Self {
        let style = match format {
            Format::Spark => Style::Spark,
            Format::Table => Style::Table(table::Table::new(app)),
            Format::Json => Style::Json,
        };
        Self { app: app.to_owned(), style }
    }

    /// The window as text, with the newline that ends it.
    pub fn format(&self, window: &Window) -> String {
        match &self.style {
            Style::Spark => spark_text::spark_text(window),
            Style::Table(table) => table.format(window),
            Style::Json => json::line(&self.app, window) + "\n",
        }
    }

    /// Notes that the reader will see `window`: what the next one is compared with.
    pub fn shown(&mut self, window: &Window) {
        if let Style::Table(table) = &mut self.style {
            table.shown(window);
        }
    }
}
