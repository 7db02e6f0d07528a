//! What `spindle conf` answers to every wrong job file: one line, on stderr, exit code 2.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use spindle::config::{Checkpoint, CheckpointAt, Job, Snapshots, schema};
use tempfile::TempDir;

use crate::spindle;

/// The error of `spindle conf NAME` in a directory that `prepare` has filled.
fn error(name: &str, prepare: impl FnOnce(&Path)) -> String {
    let dir = TempDir::new().unwrap();
    prepare(dir.path());
    let output = spindle(dir.path()).args(["conf", name]).env("SECRET", "hunter2").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(output.stdout, b"");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    stderr.trim_end().to_owned()
}

/// The same for a job file `x.yaml` with this text.
fn error_of(text: &str) -> String {
    error("x.yaml", |dir| fs::write(dir.join("x.yaml"), text).unwrap())
}

const SOURCE: &str = "name: T\nsource:\n  brokers: [b]\n  topics: [t]\n";

#[test]
fn missing_file_is_named() {
    insta::assert_snapshot!(error("x.yaml", |_| ()), @"x.yaml: no such file; `spindle init` writes a job file to begin with");
}

#[test]
fn directory_is_no_job_file() {
    insta::assert_snapshot!(error("x.yaml", |dir| fs::create_dir(dir.join("x.yaml")).unwrap()), @"x.yaml: cannot be read: is a directory");
}

#[test]
fn unreadable_file_is_named_with_the_reason() {
    use std::os::unix::fs::symlink;
    // A link to itself: a file that nobody can open, the superuser neither.
    insta::assert_snapshot!(error("x.yaml", |dir| symlink("x.yaml", dir.join("x.yaml")).unwrap()), @"x.yaml: cannot be read: Too many levels of symbolic links (os error 40)");
}

#[test]
fn file_without_permission_is_named_with_the_reason() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("x.yaml");
    fs::write(&file, SOURCE).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&file).is_ok() {
        return; // the superuser may read everything
    }
    let output = spindle(dir.path()).args(["conf", "x.yaml"]).output().unwrap();
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"x.yaml: cannot be read: Permission denied (os error 13)");
}

#[test]
fn empty_file_is_no_job_file() {
    insta::assert_snapshot!(error_of(""), @"x.yaml: is empty; `spindle init` writes a job file to begin with");
    insta::assert_snapshot!(error_of("# only a comment\n"), @"x.yaml: is empty; `spindle init` writes a job file to begin with");
}

#[test]
fn text_that_is_not_yaml_is_refused_where_it_breaks() {
    insta::assert_snapshot!(error_of("name: T\nsource: {brokers: [b\ntop: 1\n"), @"x.yaml:3:4: is not YAML: did not find expected ',' or ']'");
    insta::assert_snapshot!(error_of("name: T\n\ttop: 1\n"), @"x.yaml:2:1: is not YAML: found a tab character that violates indentation");
}

#[test]
fn text_that_is_no_mapping_is_refused() {
    insta::assert_snapshot!(error_of("just words"), @"x.yaml: is not a job file: `key: value` lines are expected");
    insta::assert_snapshot!(error_of("- a\n- b\n"), @"x.yaml: is not a job file: `key: value` lines are expected");
    insta::assert_snapshot!(error_of("name: T\n---\nname: U\n"), @"x.yaml: holds more than one YAML document; a job file is one");
}

#[test]
fn binary_file_is_refused() {
    insta::assert_snapshot!(error("x.yaml", |dir| fs::write(dir.join("x.yaml"), [0xff, 0xfe, 0]).unwrap()), @"x.yaml: is not a text file; a job file is YAML");
}

#[test]
fn endless_file_is_refused() {
    insta::assert_snapshot!(error("/dev/zero", |_| ()), @"/dev/zero: cannot be read: is longer than 1048576 bytes");
}

#[test]
fn unknown_key_is_answered_with_the_nearest() {
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  grop: g\n")), @"x.yaml:5:3: source.grop: unknown key; did you mean group?");
    insta::assert_snapshot!(error_of(&format!("{SOURCE}wndow: {{}}\n")), @"x.yaml:5:1: wndow: unknown key; did you mean window?");
}

#[test]
fn key_in_the_wrong_section_is_answered_with_the_right_one() {
    insta::assert_snapshot!(error_of(&format!("{SOURCE}slide: 1s\n")), @"x.yaml:5:1: slide: unknown key; did you mean window.slide?");
}

#[test]
fn unknown_key_like_no_other_is_answered_with_what_there_is() {
    insta::assert_snapshot!(error_of(&format!("{SOURCE}log: {{colour: red}}\n")), @"x.yaml:5:7: log.colour: unknown key; known here: format, level");
}

#[test]
fn wrong_type_is_refused_in_plain_words() {
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  group: g\ntop: ten\n")), @r#"x.yaml:6:6: top: "ten", expected a whole number from 0"#);
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  group: g\nwindow: 300s\n")), @r#"x.yaml:6:9: window: "300s", expected a mapping"#);
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  group: 5\n")), @"x.yaml:5:10: source.group: `5`, expected a text; put it in quotes");
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  group: g\nname2: {{a: b}}\n")), @"x.yaml:6:1: name2: unknown key; did you mean name?");
}

#[test]
fn duration_without_unit_is_refused_with_the_reason() {
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  group: g\nwindow:\n  length: 300\n")), @"x.yaml:7:11: window.length: 300 has no unit, so seconds and milliseconds cannot be told apart; write 300s or 300ms");
}

#[test]
fn key_given_twice_is_refused() {
    insta::assert_snapshot!(error_of("name: T\ntop: 1\nname: U\n"), @r#"x.yaml:3:1: the key "name" is there twice"#);
}

#[test]
fn app_jar_is_recognised() {
    insta::assert_snapshot!(error("app.jar", |_| ()), @"app.jar: is a Spark job; Spindle takes a job file, see conf/tweets.yaml");
    insta::assert_snapshot!(error("app", |dir| fs::write(dir.join("app"), b"PK\x03\x04rest").unwrap()), @"app: is a Spark job; Spindle takes a job file, see conf/tweets.yaml");
}

#[test]
fn unset_variable_is_named_where_it_stands() {
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  group: ${{env:NO_SUCH_VARIABLE}}\n")), @"x.yaml:5:10: source.group: ${env:NO_SUCH_VARIABLE}: the environment variable is not set");
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  group: ${{file:none}}\n")), @"x.yaml:5:10: source.group: ${file:none}: No such file or directory (os error 2)");
}

#[test]
fn secret_of_the_wrong_type_is_not_repeated() {
    insta::assert_snapshot!(error_of(&format!("{SOURCE}  group: g\ntop: ${{env:SECRET}}\n")), @r#"x.yaml:6:6: top: "***", expected a whole number from 0"#);
}

#[test]
fn conf_prints_every_default_and_no_secret() {
    let dir = TempDir::new().unwrap();
    let properties =
        "  group: g\n  properties: {sasl.password: open, client.id: '${env:SECRET}', check.crcs: true}\n";
    fs::write(dir.path().join("x.yaml"), format!("{SOURCE}{properties}")).unwrap();
    let output = spindle(dir.path()).args(["conf", "x.yaml"]).env("SECRET", "hunter2").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let (given, left_out) = printed.split_at(printed.find("key:").unwrap());
    insta::assert_snapshot!(given, @r"
    name: T
    source:
      brokers:
      - b
      topics:
      - t
      group: g
      start: latest
      isolation: read_committed
      on_data_loss: fail
      max_rate_per_partition: 0
      properties:
        check.crcs: 'true'
        client.id: '***'
        sasl.password: '***'
    ");
    let default = serde_yaml::to_string(&Job::default()).unwrap();
    assert_eq!(left_out, &default[default.find("key:").unwrap()..]);
}

#[test]
fn what_conf_prints_is_the_same_job_again() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("x.yaml"), format!("{SOURCE}  group: g\n")).unwrap();
    let first = spindle(dir.path()).args(["conf", "x.yaml"]).output().unwrap().stdout;
    fs::write(dir.path().join("y.yaml"), &first).unwrap();
    let second = spindle(dir.path()).args(["conf", "y.yaml"]).output().unwrap().stdout;
    assert_eq!(String::from_utf8(first), String::from_utf8(second));
}

/// The keys of the job file as documented, section by section.
const KEYS: &str = "
    name
    source source.brokers source.topics source.group source.start source.start.timestamp source.isolation
    source.on_data_loss source.max_rate_per_partition source.properties
    key key.header key.json
    window window.length window.slide window.time window.lateness window.idle
    top console
    snapshots snapshots.path snapshots.keys snapshots.every snapshots.roll snapshots.compress snapshots.retain
    checkpoint checkpoint.path checkpoint.wait checkpoint.give_up
    executors executors.instances executors.memory executors.cores executors.timeout executors.straggler
    driver driver.memory driver.cores driver.port
    yarn yarn.queue yarn.tags yarn.attempts yarn.attempts_window yarn.client_timeout yarn.priority yarn.label yarn.exclude_nodes
    yarn.staging
    http http.bind http.port
    log log.level log.format
    env files";

/// Dotted keys of a JSON value.
fn keys_of(value: &Value, above: &str, keys: &mut BTreeSet<String>) {
    for (key, below) in value.as_object().into_iter().flatten() {
        let full = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        keys_of(below, &full, keys);
        keys.insert(full);
    }
}

#[test]
fn schema_and_struct_have_the_documented_keys() {
    let documented: BTreeSet<String> = KEYS.split_whitespace().map(str::to_owned).collect();
    assert_eq!(schema::job().keys().into_iter().collect::<BTreeSet<_>>(), documented, "schema");

    // The default job has words where these sections may stand.
    let mut full = Job { snapshots: Some(Snapshots::default()), ..Job::default() };
    full.checkpoint = Checkpoint::At(CheckpointAt::default());
    let mut written = BTreeSet::new();
    keys_of(&serde_json::to_value(&full).unwrap(), "", &mut written);
    let words = ["source.start.timestamp", "key.header", "key.json"].map(str::to_owned);
    written.extend(words);
    assert_eq!(written, documented, "struct");
}

#[test]
fn schema_is_printed_as_json() {
    let output = spindle(Path::new(".")).args(["conf", "--schema"]).output().unwrap();
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(&printed, schema::job().json());
}
