//! Holds the layout that README "Architecture" promises: one test per rule, over the text of the checkout.
//!
//! A rule that fails names file and line and what to do. Rules about code see it without comments, strings and
//! `mod tests` blocks (`code.rs`).

mod code;

use std::fs;
use std::path::Path;
use std::process::Command;

use code::{code, code_without_tests, lines_in_mod_tests, paths};

const LINES_MAX: usize = 400;
const LINES_OF_TESTS_MAX: usize = 600;
/// Where librdkafka is called directly; and the benchmark that calls it without us.
const UNSAFE_PLACES: [&str; 3] = ["src/source/native.rs", "src/source/native/", "tests/bench/"];

/// One text file of the checkout.
struct File {
    /// Path from the checkout's root.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs") && (self.path.starts_with("src/") || self.path.starts_with("tests/"))
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The names of its module within the crate: `src/driver/state.rs` is `driver`, `state`.
    fn module(&self) -> Vec<&str> {
        self.path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect()
    }
}

#[test]
fn every_rust_file_begins_with_what_it_is_for() {
    hold(rust_files().iter().filter(|file| !file.text.starts_with("//!")).map(|file| {
        format!("{}:1: begin it with `//!`: what it does, why, and which neighbour it feeds", file.path)
    }));
}

#[test]
fn files_stay_short() {
    hold(rust_files().iter().filter_map(|file| {
        let of_tests = file.path.ends_with("/tests.rs");
        let max = if of_tests { LINES_OF_TESTS_MAX } else { LINES_MAX };
        let lines = file.text.lines().count() - lines_in_mod_tests(&code(&file.text));
        let remedy = "split it by what its parts do, tests to x/tests.rs";
        (lines > max).then(|| format!("{}:{max}: {lines} lines, {max} at most: {remedy}", file.path))
    }));
}

#[test]
fn no_file_is_called_mod_rs() {
    hold(
        rust_files()
            .iter()
            .filter(|file| file.path.ends_with("/mod.rs"))
            .map(|file| format!("{}:1: call it by its module: x.rs beside the folder x/", file.path)),
    );
}

#[test]
fn no_tracked_file_names_a_place_of_one_machine() {
    // In two halves, so that this file does not name them.
    let places = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")].map(|(a, b)| format!("{a}{b}"));
    hold(each_line(&tracked_files(), |line| {
        let place = places.iter().find(|place| stands_alone(line, place))?;
        Some(format!("a path of one machine, {place}: use a relative one, or an example's"))
    }));
}

#[test]
fn modules_use_only_those_that_stand_before_them_in_lib_rs() {
    let files = rust_files();
    let lib = files.iter().find(|file| file.path == "src/lib.rs").expect("src/lib.rs is there");
    let order = declared_modules(&code(&lib.text));
    assert!(order.len() > 2, "src/lib.rs declares its modules by `pub mod name;`, found only {order:?}");
    hold(files.iter().filter(|file| !file.is_test()).flat_map(|file| {
        let order = &order;
        let rank = |name: &str| order.iter().position(|known| known == name);
        let own = rank(file.module()[0]);
        used_modules(file).into_iter().filter_map(move |(line, used)| {
            (rank(&used)? > own?).then(|| {
                let below = "stands below it in src/lib.rs";
                format!("{}:{line}: uses crate::{used}, which {below}: move what both need up", file.path)
            })
        })
    }));
}

#[test]
fn count_and_driver_state_do_no_input_or_output() {
    const FORBIDDEN: [&str; 10] = [
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "std::env",
        "std::time::Instant",
        "std::time::SystemTime",
        "std::io",
        "tokio",
        "rdkafka",
    ];
    let pure =
        |path: &str| ["src/count.", "src/count/", "src/driver/state"].iter().any(|p| path.starts_with(p));
    hold(rust_files().iter().filter(|file| pure(&file.path) && !file.is_test()).flat_map(|file| {
        paths(&code_without_tests(&file.text)).into_iter().filter_map(|(line, path)| {
            let found = FORBIDDEN.iter().find(|name| begins(&path, name))?;
            Some(format!("{}:{line}: {found} in the pure core: take the value as an argument", file.path))
        })
    }));
}

#[test]
fn unsafe_stands_where_librdkafka_is_called() {
    let apart = |file: &&File| !UNSAFE_PLACES.iter().any(|place| file.path.starts_with(place));
    hold(rust_files().iter().filter(apart).flat_map(|file| {
        paths(&code(&file.text)).into_iter().filter(|(_, path)| path == "unsafe").map(|(line, _)| {
            format!("{}:{line}: unsafe: find a safe way, or move it to {}", file.path, UNSAFE_PLACES[0])
        })
    }));
}

#[test]
fn only_main_exits_the_process() {
    hold(rust_files().iter().filter(|file| !file.is_test() && file.path != "src/main.rs").flat_map(|file| {
        paths(&code_without_tests(&file.text)).into_iter().filter_map(|(line, path)| {
            path.ends_with("process::exit").then(|| {
                format!("{}:{line}: exits the process: return an error, main maps it to a code", file.path)
            })
        })
    }));
}

#[test]
fn exit_codes_of_containers_are_the_same_in_rust_and_java() {
    let files = tracked_files();
    let numbers = |path: &str| -> Vec<String> {
        let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is there"));
        let number = |line: &str| Some(line.split_once(" = ")?.1.trim_end_matches(';').to_owned());
        let numbers = file.text.lines().filter_map(number);
        let of_containers =
            numbers.filter(|number| number.parse().is_ok_and(|code: u8| (10..20).contains(&code)));
        of_containers.collect()
    };
    let (rust, java) = (numbers("src/exit.rs"), numbers("yarn/src/main/java/spindle/yarn/ExitCode.java"));
    assert_eq!(rust.len(), 10, "{rust:?}");
    assert!(java.len() > 3 && java.iter().all(|code| rust.contains(code)), "{java:?}, known: {rust:?}");
}

/// Fails with every violation, one a line.
fn hold(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<String> = violations.into_iter().collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn each_line(files: &[File], rule: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let lines = |file: &File| file.text.lines().map(&rule).enumerate().collect::<Vec<_>>();
    let named = |file: &File, at: usize, what: &str| format!("{}:{}: {what}", file.path, at + 1);
    files
        .iter()
        .flat_map(|file| lines(file).into_iter().filter_map(|(at, found)| Some(named(file, at, &found?))))
        .collect()
}

/// The text files that git knows or would add.
fn tracked_files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git lists the checkout's files: install git");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let read =
        |path: &str| Some(File { path: path.to_owned(), text: fs::read_to_string(root.join(path)).ok()? });
    names.split_terminator('\0').filter_map(read).collect()
}

fn rust_files() -> Vec<File> {
    let files: Vec<File> = tracked_files().into_iter().filter(File::is_rust).collect();
    assert!(!files.is_empty(), "no .rs file under src and tests: are the rules looking at the right folder?");
    files
}

/// Whether `place` begins a path in `line`, and is no part of a longer one.
fn stands_alone(line: &str, place: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || "_.-}$)*".contains(c);
    line.match_indices(place).any(|(at, _)| !line[..at].chars().next_back().is_some_and(joins))
}

/// The names in `mod name;` lines, in their order.
fn declared_modules(code: &str) -> Vec<String> {
    let name = |line: &str| {
        Some(line.trim().trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    code.lines().filter_map(name).collect()
}

/// The crate's modules that a file uses outside its tests, with lines: by `crate::` and by enough `super::`.
fn used_modules(file: &File) -> Vec<(usize, String)> {
    let depth = file.module().len();
    let used = |path: &str| {
        let names: Vec<&str> = path.split("::").collect();
        let supers = names.iter().take_while(|name| **name == "super").count();
        let root = if names[0] == "crate" { 1 } else { supers };
        let at_root = names[0] == "crate" || supers >= depth;
        names.get(root).filter(|_| at_root).map(|name| (*name).to_owned())
    };
    let found = paths(&code_without_tests(&file.text));
    found.into_iter().filter_map(|(line, path)| Some((line, used(&path)?))).collect()
}

fn begins(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
