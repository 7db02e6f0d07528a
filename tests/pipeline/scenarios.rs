//! Worked examples: `tests/scenarios/*.txt`, prose beside commands, each command followed by what it does.
//!
//! A line `> command` is performed; the lines below it, up to an empty line, are what must come out. Everything
//! else is prose. `SPINDLE_BLESS=1 cargo test --release --test pipeline scenarios` writes down what comes out.

mod format;
mod parse;
mod player;

use std::path::PathBuf;

use player::Player;

/// Performs a scenario's commands; returns the file as it should be.
fn play(text: &str) -> String {
    let mut player = Player::default();
    let mut played = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        let Some(command) = line.strip_prefix("> ") else { continue };
        while lines.next_if(|line| !line.is_empty() && !line.starts_with("> ")).is_some() {}
        for output in player.perform(command) {
            played.push_str(&output);
            played.push('\n');
        }
    }
    played
}

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "txt")).collect();
    files.sort();
    files
}

#[test]
fn every_scenario_comes_out_as_written() {
    let bless = std::env::var_os("SPINDLE_BLESS").is_some();
    let mut wrong = Vec::new();
    for file in files() {
        let written = std::fs::read_to_string(&file).unwrap();
        let played = play(&written);
        if bless {
            std::fs::write(&file, &played).unwrap();
        } else if let Some(at) = written.lines().zip(played.lines()).position(|(a, b)| a != b) {
            let (expected, came) = (written.lines().nth(at), played.lines().nth(at));
            wrong.push(format!("{}:{}: expected {expected:?}, came {came:?}", file.display(), at + 1));
        } else if written != played {
            wrong.push(format!("{}: one is longer", file.display()));
        }
    }
    assert!(files().len() > 10, "scenarios are found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
