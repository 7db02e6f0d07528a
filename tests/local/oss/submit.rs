//! `spindle submit` of a program and files in OSS. Hadoop's commands are scripts here: what the JVM is told is seen, and
//! then nothing is submitted.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::{Person, sha256, told};
use crate::oss_server::{KEYS, Oss};

const JOB: &str = "name: T\nsource: {brokers: [b], topics: [t], group: g}\nfiles: ['oss://jars/conf/a.txt', here.txt]\n\
     log: {level: trace}\n";
/// Writes down what it is told, and what it finds where that is.
const JAVA: &str = r#"#!/bin/sh
cat > told.json
cp "$(sed 's/.*"binary":{"path":"\([^"]*\)".*/\1/' told.json)" program 2>/dev/null
stat -c %a "$(dirname "$(sed 's/.*"binary":{"path":"\([^"]*\)".*/\1/' told.json)")" > mode
cp "$(sed 's/.*"files":\["\([^"]*\)".*/\1/' told.json)" file 2>/dev/null
echo '{"type":"refused","kind":"failed","text":"seen"}'
"#;

/// Somebody with a gateway to a cluster.
pub(super) struct Gateway {
    person: Person,
}

impl Gateway {
    pub(super) fn new(oss: &Oss) -> Self {
        let person =
            Person::new(oss, &KEYS).set("HADOOP_CONF_DIR", ".").set("JAVA_HOME", ".").set("HADOOP_HOME", ".");
        let person = person.set("SPINDLE_JAR", "shim.jar");
        let write = |name: &str, text: &str| {
            let path = person.dir().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let rm = "<property><name>yarn.resourcemanager.hostname</name><value>127.0.0.1</value></property>";
        write("yarn-site.xml", &format!("<configuration>{rm}</configuration>"));
        write("bin/java", JAVA);
        write("bin/hadoop", "#!/bin/sh\necho classpath\n");
        write("shim.jar", "jar");
        write("here.txt", "here");
        write("job.yaml", JOB);
        Self { person }
    }

    pub(super) fn set(self, name: &'static str, value: &str) -> Self {
        Self { person: self.person.set(name, value) }
    }

    pub(super) fn dir(&self) -> &Path {
        self.person.dir()
    }

    /// Submits with these arguments; what the JVM was told, or why it was not asked.
    pub(super) fn submit(&self, args: &[&str]) -> Result<Value, (Option<i32>, String)> {
        self.submit_and_log(args).0
    }

    /// The same, and the whole log.
    pub(super) fn submit_and_log(&self, args: &[&str]) -> (Result<Value, (Option<i32>, String)>, String) {
        let told_file = self.person.dir().join("told.json");
        let _ = fs::remove_file(&told_file);
        let output = self.person.run(&[&["submit", "--master", "yarn"][..], args, &["job.yaml"]].concat());
        let (code, _, log) = told(&output);
        let asked = match fs::read_to_string(told_file) {
            Ok(text) => Ok(serde_json::from_str(&text).unwrap()),
            Err(_) => Err((code, log.lines().last().unwrap_or_default().to_owned())),
        };
        (asked, log)
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.person.dir().join(name)).unwrap()
    }
}

fn asked(oss: &Oss, key: &str) -> usize {
    oss.asked().iter().filter(|request| request.path() == format!("/jars/{key}")).count()
}

#[test]
fn a_program_in_oss_is_fetched_once_per_content() {
    let oss = Oss::start();
    oss.put("bin/spindle", "program");
    oss.put("bin/spindle.sha256", format!("{}  spindle\n", sha256(b"program")));
    oss.put("conf/a.txt", "file");
    let gateway = Gateway::new(&oss);
    let hash = sha256(b"program");
    let told = gateway.submit(&["--binary", "ossref://jars/bin/spindle"]).unwrap();
    assert_eq!(told["binary"]["sha256"], hash);
    assert_eq!((gateway.read("program").as_str(), gateway.read("file").as_str()), ("program", "file"));
    let path = Path::new(told["binary"]["path"].as_str().unwrap()).to_owned();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o755, 0o700));
    let files: Vec<&str> =
        told["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert!(files[0].ends_with("/a.txt") && files[1] == "here.txt", "{files:?}");
    assert!(!Path::new(files[0]).exists(), "what was fetched for one submit goes with it");
    assert_eq!(asked(&oss, "bin/spindle"), 1);

    let again = gateway.submit(&["--binary", "oss://jars/bin/spindle"]).unwrap();
    assert_eq!((&again["binary"], asked(&oss, "bin/spindle")), (&told["binary"], 0), "it is here already");
    gateway.submit(&["--binary", "oss://jars/bin/other-name", "--sha256", &hash]).unwrap();
    assert_eq!(asked(&oss, "bin/other-name"), 0, "the hash alone says what it is");

    // Somebody has written to the copy.
    fs::write(&path, "tampered").unwrap();
    gateway.submit(&["--binary", "oss://jars/bin/spindle"]).unwrap();
    assert_eq!((gateway.read("program").as_str(), asked(&oss, "bin/spindle")), ("program", 1));
}

#[test]
fn a_program_that_is_not_the_one_wanted_is_not_submitted() {
    let oss = Oss::start();
    oss.put("spindle", "program");
    oss.put("conf/a.txt", "file");
    let gateway = Gateway::new(&oss);
    let (right, wrong) = (sha256(b"program"), sha256(b"other"));
    let (code, error) = gateway.submit(&["--binary", "oss://jars/spindle", "--sha256", &wrong]).unwrap_err();
    assert!(code == Some(1) && error.contains(&right) && error.contains(&wrong), "{error}");
    let kept = fs::read_dir(gateway.person.dir().join(".cache/spindle")).unwrap().count();
    assert_eq!(kept, 0, "nothing is kept of it");
    fs::write(gateway.person.dir().join("local"), "program").unwrap();
    let (code, error) = gateway.submit(&["--binary", "local", "--sha256", &wrong]).unwrap_err();
    assert!(code == Some(1) && error.contains(&right) && error.contains(&wrong), "{error}");
    assert_eq!(
        gateway.submit(&["--binary", "local", "--sha256", &right]).unwrap()["binary"]["sha256"],
        right
    );
    // The JVM, which reads it, compares.
    let told = gateway.submit(&["--binary", "hdfs://nn/spindle", "--sha256", &wrong]).unwrap();
    assert_eq!(
        (&told["binary"]["path"], &told["binary"]["sha256"]),
        (&"hdfs://nn/spindle".into(), &wrong.into())
    );
    let (code, error) = gateway.submit(&["--binary", "oss://id:own0Secret@jars/spindle"]).unwrap_err();
    assert!(code == Some(2) && error.contains("--binary: the address holds credentials"), "{error}");
}

#[test]
fn only_a_few_programs_are_kept() {
    let oss = Oss::start();
    oss.put("conf/a.txt", "file");
    let gateway = Gateway::new(&oss);
    for number in 0..7 {
        oss.put("spindle", format!("program {number}"));
        gateway.submit(&["--binary", "oss://jars/spindle"]).unwrap();
        assert_eq!(gateway.read("program"), format!("program {number}"));
    }
    let kept = fs::read_dir(gateway.person.dir().join(".cache/spindle")).unwrap().count();
    assert_eq!(kept, 4);
}
