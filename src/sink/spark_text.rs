//! A window exactly as Spark Streaming 2.4 prints it, for whatever reads the replaced job's output.
//!
//! Source of the layout: apache/spark v2.4.2, DStream.scala, `print(num)`; rows are `Tuple2.toString`.

use std::fmt::Write;

use super::text::push_key;
use crate::count::Window;

const RULE: &str = "-------------------------------------------\n";

/// Header, `(count,key)` lines, `...` if there are more keys, and an empty line. Also for an empty window.
pub fn spark_text(window: &Window) -> String {
    let mut text = String::with_capacity(128 + 32 * window.top.len());
    writeln!(text, "{RULE}Time: {} ms\n{RULE}", window.end_ms).expect("a String takes everything");
    text.pop();
    for ranked in &window.top {
        write!(text, "({},", ranked.count).expect("a String takes everything");
        push_key(ranked.key.as_deref(), &mut text);
        text.push_str(")\n");
    }
    if window.distinct > window.top.len() as u64 {
        text.push_str("...\n");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
