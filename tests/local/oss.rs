//! Files in OSS, by the built program: fetched from a stand-in that checks signatures, or refused with the remedy.

mod faults;
mod jobfile;
mod kept;
mod refusals;
mod roles;
mod submit;
mod transport;
mod vectors;
mod who;

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::oss_server::{BUCKET, EXPIRED, KEYS, Keys, Oss, REGION, TEMPORARY};

/// Longer than what is read at once, and not the same everywhere.
fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(|number| number.to_le_bytes()).collect()
}

/// As `sha256sum` prints it.
fn sha256(content: &[u8]) -> String {
    let of = spindle::oss::Sha256Hex::of_all(content).unwrap();
    of.to_string()
}

/// `spindle` in an empty folder, of somebody who has these keys and nothing else in the environment.
struct Person {
    dir: TempDir,
    env: Vec<(&'static str, String)>,
}

impl Person {
    fn new(oss: &Oss, keys: &Keys) -> Self {
        let mut person = Self::without_keys(oss);
        person.env.push(("OSS_ACCESS_KEY_ID", keys.id.to_owned()));
        person.env.push(("OSS_ACCESS_KEY_SECRET", keys.secret.to_owned()));
        person.env.extend(keys.token.map(|token| ("OSS_SESSION_TOKEN", token.to_owned())));
        person
    }

    fn without_keys(oss: &Oss) -> Self {
        let env = vec![
            ("OSS_ENDPOINT", oss.endpoint()),
            ("OSS_REGION", REGION.to_owned()),
            // Nothing but this machine is asked.
            ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true".to_owned()),
        ];
        Self { dir: tempfile::tempdir().unwrap(), env }
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value.into()));
        self
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The output, in which no secret stands.
    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.dir()).current_dir(self.dir());
        command.envs(self.env.iter().cloned());
        let output = command.args(args).output().unwrap();
        for bytes in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(bytes);
            for keys in [KEYS, TEMPORARY, EXPIRED] {
                assert!(!text.contains(keys.secret), "a secret is told: {text}");
                assert!(!keys.token.is_some_and(|token| text.contains(token)), "a token is told: {text}");
            }
        }
        output
    }

    /// Fetches `jars/key`; returns exit code and the lines of both streams.
    fn fetch(&self, key: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let url = format!("oss://{BUCKET}/{key}");
        told(&self.run(&[&["fetch", &url][..], more].concat()))
    }

    /// The error of a fetch that fails, which leaves nothing behind.
    fn refused(&self, key: &str, more: &[&str]) -> String {
        let before = self.files();
        let (code, printed, error) = self.fetch(key, more);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert_eq!(self.files(), before, "nothing is left behind");
        error
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().trim_end().to_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_file_is_fetched_whole_and_checked_and_only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let oss = Oss::start();
    let content = content();
    oss.put("bin/spindle", content.clone());
    let person = Person::new(&oss, &KEYS);
    let hash = sha256(&content);
    let printed = format!("{hash}  spindle");
    assert_eq!(
        person.fetch("bin/spindle", &[]),
        (Some(0), printed, String::new()),
        "nothing on stderr: no terminal"
    );
    assert!(fs::read(person.dir().join("spindle")).unwrap() == content);
    assert_eq!(fs::metadata(person.dir().join("spindle")).unwrap().permissions().mode() & 0o777, 0o600);

    let printed = format!("{hash}  there");
    assert_eq!(person.fetch("bin/spindle", &["--sha256", &hash.to_uppercase(), "-o", "there"]).1, printed);
    fs::create_dir(person.dir().join("folder")).unwrap();
    assert_eq!(person.fetch("bin/spindle", &["-o", "folder"]).1, format!("{hash}  folder/spindle"));
    assert_eq!(person.files(), ["folder", "spindle", "there"]);
}

#[test]
fn an_empty_object_and_one_with_an_odd_name_are_fetched() {
    let oss = Oss::start();
    oss.put("empty", "");
    oss.put("a b/日本+%20?x#y&z=1", "odd");
    let person = Person::new(&oss, &TEMPORARY);
    assert_eq!(person.fetch("empty", &[]).0, Some(0));
    assert_eq!(person.fetch("a b/日本+%20?x#y&z=1", &["-o", "odd"]).0, Some(0));
    assert_eq!(fs::read(person.dir().join("odd")).unwrap(), b"odd");
    assert_eq!(fs::read(person.dir().join("empty")).unwrap(), b"");
}

#[test]
fn a_hash_from_either_place_decides() {
    let oss = Oss::start();
    oss.put("spindle", "good");
    let person = Person::new(&oss, &KEYS);
    let (right, wrong) = (sha256(b"good"), sha256(b"bad"));
    let both = |error: &str| error.contains(&right) && error.contains(&wrong);
    let error = person.refused("spindle", &["--sha256", &wrong]);
    assert!(both(&error) && error.contains("by --sha256") && error.contains("nothing was kept"), "{error}");
    oss.put("spindle.sha256", format!("{wrong} *spindle\n"));
    let error = person.refused("spindle", &[]);
    assert!(both(&error) && error.contains("by the object KEY.sha256 beside it"), "{error}");
    oss.put("spindle.sha256", format!("{wrong}  other\n{right}  build/spindle\n"));
    assert_eq!(person.fetch("spindle", &[]).0, Some(0));
    oss.put("spindle.sha256", "<html>");
    let error = person.refused("spindle", &[]);
    assert!(error.contains("oss://jars/spindle.sha256: it is not what sha256sum writes"), "{error}");
    assert_eq!(person.fetch("spindle", &["--sha256", &right]).0, Some(0), "the flag goes first");
    // A file that stood there stays as it was.
    assert_eq!(person.files(), ["spindle"]);
    person.refused("spindle", &["--sha256", &wrong]);
    assert_eq!(fs::read(person.dir().join("spindle")).unwrap(), b"good");
}

#[test]
fn wrong_usage_is_told_without_the_address() {
    let oss = Oss::start();
    let person = Person::new(&oss, &KEYS);
    let usage = |args: &[&str]| {
        let (code, _, error) = told(&person.run(args));
        assert_eq!(code, Some(2), "{error}");
        error
    };
    for url in
        ["oss://LTAI5tOwn:own0Secret@jars/a", "ossref://LTAI5tOwn:own0Secret@jars.oss-x.aliyuncs.com/a"]
    {
        for args in [&["fetch", url][..], &["conf", url], &["submit", url], &["verify", url]] {
            assert!(usage(args).contains("the address holds credentials"), "{args:?}");
        }
    }
    assert!(usage(&["fetch", "hdfs://jars/a"]).contains("write oss://bucket/key"));
    assert!(usage(&["fetch", "oss://jars/a", "--sha256", "12"]).contains("64 hexadecimal digits"));
    assert!(usage(&["fetch", "oss://jars/a", "--oss-endpoint", "a b"]).contains("is not an endpoint of OSS"));
    assert!(usage(&["submit", "x.yaml", "--sha256", &"0".repeat(64)]).contains("--binary"));
    let lost = person.set("OSS_REGION", "");
    assert!(told(&lost.run(&["fetch", "oss://jars/a"])).2.contains("give --oss-region"));
}
