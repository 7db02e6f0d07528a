//! HDFS that wants to know who asks, which `scripts/cluster up hdfs kafka --kerberos` starts: tickets, keytabs and
//! delegation tokens. A lane of its own, `scripts/test kerberos`; the other tests' HDFS believes what it is told.

use std::collections::BTreeSet;
use std::fs;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::cluster::{Mend, exclusive, fault, named, shared, told};
use crate::deaths::verified;
use crate::hdfs::{hdfs, place, snapshots};
use crate::job::{Job, Running};
use crate::kafka::{Topic, brokers};
use crate::process;
use crate::produce::Writer;

/// How long the ticket of a test is good that waits for its end.
const BRIEF_S: u64 = 8;
/// Long enough for a job that does not wait to have shown something.
const A_WHILE: Duration = Duration::from_secs(3);
/// DataNodes agree on the length of a log that was being written.
const RECOVERS: Duration = Duration::from_secs(60);

/// How a job proves who it is; there is no ticket but that in `cache`.
struct Proof {
    dir: TempDir,
    args: Vec<String>,
    tokens: Option<PathBuf>,
}

impl Proof {
    /// None yet: nothing is in the cache.
    fn ticket() -> Self {
        Self { dir: TempDir::new().unwrap(), args: Vec::new(), tokens: None }
    }

    fn keytab() -> Self {
        let args = ["--principal", &principal(), "--keytab", &keytab()].map(str::to_owned).into();
        Self { args, ..Self::ticket() }
    }

    fn tokens() -> Self {
        let proof = Self::ticket();
        let file = proof.dir.path().join("tokens");
        hdfs(&["fetchdt", "--renewer", "nobody", file.to_str().unwrap()]);
        Self { tokens: Some(file), ..proof }
    }

    fn cache(&self) -> String {
        format!("FILE:{}", self.dir.path().join("ticket").display())
    }

    /// Gets a ticket that is good for so long.
    fn kinit(&self, lifetime_s: u64) {
        let lifetime = format!("{lifetime_s}s");
        let words = ["-c", &self.cache(), "-l", &lifetime, "-k", "-t", &keytab(), &principal()];
        let done = Command::new("kinit").args(words).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn until_expired(&self) {
        let within = Duration::from_secs(2 * BRIEF_S);
        process::until("the ticket expires", within, || {
            !Command::new("klist").args(["-s", "-c", &self.cache()]).status().unwrap().success()
        });
    }

    fn of(&self, job: Job) -> Job {
        let job = self.args.iter().fold(job, |job, arg| job.arg(arg)).env("KRB5CCNAME", self.cache());
        match &self.tokens {
            Some(file) => job.env("HADOOP_TOKEN_FILE_LOCATION", file.to_str().unwrap()),
            None => job,
        }
    }
}

/// By what those proved who they are who have made files in directories of this name, as HDFS's audit log has it.
pub(crate) fn proofs(directory: &str) -> BTreeSet<String> {
    let status = told("status hdfs");
    let log = status.lines().find_map(|line| line.strip_prefix("namenode ")?.split_once("  log "));
    let audit = fs::read_to_string(log.unwrap().1.trim()).unwrap();
    let made =
        audit.lines().filter(|line| line.contains("cmd=create") && line.contains(&format!("/{directory}/")));
    made.filter_map(|line| Some(line.split_once("(auth:")?.1.split_once(')')?.0.to_owned())).collect()
}

fn principal() -> String {
    named("SPINDLE_PRINCIPAL")
}

fn keytab() -> String {
    named("SPINDLE_KEYTAB")
}

/// A topic with its books, and a job over it with everything on HDFS.
struct Case {
    topic: Topic,
    writer: Writer,
    directory: String,
    proof: Proof,
}

impl Case {
    fn new(name: &str, proof: Proof) -> Self {
        let topic = Topic::create(name, 2);
        let writer = Writer::new(&brokers(), &topic.name);
        Self { topic, writer, directory: place(name).0, proof }
    }

    /// Everything that is in the topic after some more.
    fn write(&mut self) -> u64 {
        self.writer.numbered(0, 50);
        self.writer.numbered(1, 50);
        self.writer.flush()
    }

    fn start(&self) -> Running {
        let job = Job::new(&brokers(), &self.topic.name);
        let job = job.set("checkpoint.path", &format!("{}/checkpoint", self.directory));
        self.proof.of(job.set("snapshots", &snapshots(&self.directory))).start()
    }

    /// Records are counted and windows come.
    fn goes_on(&mut self, job: &mut Running) {
        let before = job.seen.windows.len();
        let total = self.write();
        job.until_total(total);
        job.until("some windows", |seen| seen.windows.len() > before + 3);
    }

    /// The next driver counts on after a death, and what lies on HDFS is the truth, read with another's ticket.
    fn dies_and_ends(mut self, mut job: Running) {
        self.goes_on(&mut job);
        job.signal(Signal::KILL);
        assert_eq!(job.exit_code(), -9, "{}", job.seen);
        let mut next = self.start();
        next.until_within(RECOVERS, "the window", |seen| seen.logs("recovered the window") == 1);
        self.goes_on(&mut next);
        next.finish().assert_whole();
        let recounted = verified(&self.topic.name, &snapshots(&self.directory));
        assert!(recounted.contains(" equal, 0 differ, 0 cannot be verified"), "{recounted}");
    }
}

#[test]
fn a_ticket_that_expires_delays_the_checkpoint_until_there_is_another() {
    let _alone = exclusive();
    let mut case = Case::new("ticket", Proof::ticket());
    case.proof.kinit(BRIEF_S);
    let mut job = case.start();
    case.goes_on(&mut job);
    case.proof.until_expired();
    // Connections outlive tickets; new ones are wanted from here on.
    fault("namenode stop");
    fault("namenode start");
    case.goes_on(&mut job);
    job.until("it says what is missing", |seen| seen.logs("Kerberos: ") > 0 && seen.logs("kinit") > 0);
    case.goes_on(&mut job);
    case.proof.kinit(3_600);
    job.until("it catches up", |seen| seen.logs("the checkpoint is written again") > 0);
    case.dies_and_ends(job);
}

#[test]
fn a_keytab_needs_no_ticket_and_waits_for_a_kdc_that_is_away() {
    let _alone = exclusive();
    let mut case = Case::new("keytab", Proof::keytab());
    let mut job = {
        let _mend = Mend::after(&["kdc stop"], &["kdc start"]);
        let mut job = case.start();
        job.until("it is told", |seen| seen.logs("Kerberos: ") > 0);
        job.during(A_WHILE);
        assert!(job.seen.windows.is_empty(), "{}", job.seen);
        job
    };
    case.goes_on(&mut job);
    case.dies_and_ends(job);
}

/// As YARN hands them to containers. They are for the NameNode's address, and jobs name it by its name.
#[test]
fn a_delegation_token_is_enough() {
    let _shared = shared();
    let mut case = Case::new("token", Proof::tokens());
    let tokens = fs::read(case.proof.tokens.as_deref().unwrap()).unwrap();
    let host = named("SPINDLE_HDFS").trim_start_matches("hdfs://").to_owned();
    let address = host.to_socket_addrs().unwrap().next().unwrap().to_string();
    let has = |text: &str| tokens.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(has(&address) && !has(&host), "{host} {address}");
    let mut job = case.start();
    case.goes_on(&mut job);
    let directory = case.directory.rsplit('/').next().unwrap();
    assert_eq!(proofs(directory), BTreeSet::from(["TOKEN".to_owned()]));
    case.dies_and_ends(job);
}

#[test]
fn without_a_proof_a_job_ends_and_says_what_to_get() {
    let _shared = shared();
    let dir = TempDir::new().unwrap();
    let keytab = dir.path().join("no-such-keytab").display().to_string();
    let broken = |name: &str, content: &[u8]| {
        let file = dir.path().join(name);
        fs::write(&file, content).unwrap();
        Proof { tokens: Some(file), ..Proof::ticket() }
    };
    let whole = Proof::tokens();
    let whole = fs::read(whole.tokens.as_deref().unwrap()).unwrap();
    let absent = Proof {
        args: ["--principal", "spindle", "--keytab", &keytab].map(str::to_owned).into(),
        ..Proof::ticket()
    };
    let cases = [
        (Proof::ticket(), 1, "kinit"),
        (absent, 2, keytab.as_str()),
        (broken("foreign", b"not tokens"), 1, "kinit"),
        (broken("cut", &whole[..whole.len() / 2]), 1, "a fault in the store's client"),
    ];
    for (proof, code, word) in cases {
        let case = Case::new("unproved", proof);
        let mut job = case.start();
        assert_eq!(job.exit_code(), code, "{}", job.seen);
        assert!(job.seen.windows.is_empty() && job.seen.logs(word) > 0, "{word}\n{}", job.seen);
    }
}
