//! The JVM that submits: found, started, listened to. Hadoop's classpath is what `hadoop classpath` says.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::geteuid;
use serde::Deserialize;

use super::submission::Submission;

/// Quick to start, and small: it lives for a second.
const JAVA_OPTIONS: [&str; 8] = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-Xshare:auto",
    "-Xmx128m",
    "-Djava.net.preferIPv4Stack=true",
    "-Dhadoop.root.logger=WARN,console",
];
const MAIN: &str = "spindle.yarn.Submit";
const JAR: &str = "spindle-yarn.jar";
/// What is kept of its stderr, for when it fails.
const STDERR_BYTES_MAX: usize = 4 << 10;

/// Why nothing was submitted.
#[derive(Debug, thiserror::Error)]
pub enum JavaError {
    /// A program or file that a submission needs is not there.
    #[error("{what} is not there: {remedy}")]
    Missing {
        /// What.
        what: String,
        /// How to get it.
        remedy: &'static str,
    },
    /// `SPINDLE_JAR` is wrong.
    #[error("SPINDLE_JAR is {}, which is no file: correct it, or unset it", .0.display())]
    Named(PathBuf),
    /// A jar that somebody else could have put there.
    #[error(
        "{} belongs to user {owner}, who is neither you nor root nor the owner of this program: remove it, or name the \
         jar by SPINDLE_JAR", .jar.display()
    )]
    Strangers {
        /// The jar.
        jar: PathBuf,
        /// Its owner's numeric id.
        owner: u32,
    },
    /// The jar is at none of these places.
    #[error(
        "no {JAR}: SPINDLE_JAR is not set, and there is none at any place that this program knows ({0}); build it (mvn -f yarn package), or set SPINDLE_JAR"
    )]
    NoJar(String),
    /// A program could not be run.
    #[error("run {program}: {source}")]
    Run {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// What was asked for cannot be had on this cluster.
    #[error("{0}")]
    Refused(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
}

/// What YARN has taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Submitted {
    /// YARN's id of the application.
    pub app: String,
    /// Who it belongs to.
    pub user: String,
    /// What the application master's container has after the scheduler's rounding, MiB.
    pub am_memory_mb: u64,
    /// What each executor's container has, MiB.
    pub executor_memory_mb: u64,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Step {
        name: String,
        ms: u64,
        detail: String,
    },
    Warning {
        text: String,
    },
    Submitted(Submitted),
    Refused {
        kind: String,
        text: String,
    },
    #[serde(other)]
    Unknown,
}

/// One thing that was done on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A step, and how long it took in milliseconds.
    Step(String, u64, String),
    /// Something that the user should know.
    Warning(String),
}

/// Submits; `tell` hears how it goes. `proxy_user` is whom the application shall belong to, if not this user.
pub fn submit(
    submission: &Submission,
    proxy_user: Option<&str>,
    mut tell: impl FnMut(Progress),
) -> Result<Submitted, JavaError> {
    let mut child = start(Path::new(&submission.files.jar.path), proxy_user)?;
    let stderr = child.stderr.take().map(|stderr| thread::spawn(move || last_of(stderr)));
    if let Some(mut stdin) = child.stdin.take() {
        let mut line =
            serde_json::to_vec(submission).map_err(|error| JavaError::Failed(error.to_string()))?;
        line.push(b'\n');
        // A JVM that ended early says why on its own streams.
        let _ = stdin.write_all(&line);
    }
    let mut outcome = None;
    let lines = child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
    for line in lines.map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Line::Step { name, ms, detail }) => tell(Progress::Step(name, ms, detail)),
            Ok(Line::Warning { text }) => tell(Progress::Warning(text)),
            Ok(Line::Submitted(submitted)) => {
                // It still tidies the staging directory; nobody need wait for that.
                thread::spawn(move || child.wait());
                return Ok(submitted);
            }
            Ok(Line::Refused { kind, text }) if kind == "usage" => outcome = Some(JavaError::Refused(text)),
            Ok(Line::Refused { text, .. }) => outcome = Some(JavaError::Failed(text)),
            Ok(Line::Unknown) | Err(_) => {}
        }
    }
    let ended = child.wait().map_err(|source| JavaError::Run { program: "java".to_owned(), source })?;
    let said = stderr.and_then(|reading| reading.join().ok()).unwrap_or_default();
    Err(outcome.unwrap_or_else(|| JavaError::Failed(format!("java ended with {ended}: {}", said.trim()))))
}

fn start(jar: &Path, proxy_user: Option<&str>) -> Result<Child, JavaError> {
    let java = java()?;
    let hadoop = classpath()?;
    let mut command = Command::new(&java);
    command.args(JAVA_OPTIONS);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Java's Kerberos does not know MIT's variable.
    if let Some(file) = env::var_os("KRB5_CONFIG") {
        let mut option = OsString::from("-Djava.security.krb5.conf=");
        option.push(file);
        command.arg(option);
    }
    command.arg("-cp").arg(format!("{}:{hadoop}", jar.display())).arg(MAIN);
    if let Some(user) = proxy_user {
        command.env("HADOOP_PROXY_USER", user);
    }
    command.spawn().map_err(|source| JavaError::Run { program: java.display().to_string(), source })
}

fn java() -> Result<PathBuf, JavaError> {
    match env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Ok(Path::new(&home).join("bin/java")),
        None => on_path("java").ok_or(JavaError::Missing {
            what: "java".to_owned(),
            remedy: "set JAVA_HOME to the JDK that this machine's Hadoop runs on",
        }),
    }
}

fn hadoop() -> Result<PathBuf, JavaError> {
    let home = env::var_os("HADOOP_HOME").map(|home| Path::new(&home).join("bin/hadoop"));
    home.filter(|path| path.is_file()).or_else(|| on_path("hadoop")).ok_or(JavaError::Missing {
        what: "the command hadoop".to_owned(),
        remedy: "put Hadoop's bin folder on the PATH, or set HADOOP_HOME",
    })
}

/// The cluster's own libraries: what this application brings is one small jar.
fn classpath() -> Result<String, JavaError> {
    let hadoop = hadoop()?;
    let shown = hadoop.display().to_string();
    let output = Command::new(&hadoop).arg("classpath").stdin(Stdio::null()).output();
    let output = output.map_err(|source| JavaError::Run { program: shown.clone(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || text.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(JavaError::Failed(format!("{shown} classpath ended with {}: {said}", output.status)));
    }
    Ok(text)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The jar: `SPINDLE_JAR`, else beside this program, in its package, or in the checkout that has built it.
///
/// # Errors
/// There is none at any of these places, `SPINDLE_JAR` names no file, or the jar belongs to a stranger.
pub fn find_jar() -> Result<PathBuf, JavaError> {
    let named = env::var_os("SPINDLE_JAR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let program = env::current_exe().and_then(fs::canonicalize).ok();
    jar_at(named, program.as_deref(), geteuid().as_raw())
}

/// `me` is the id of the user who will run it.
fn jar_at(named: Option<PathBuf>, program: Option<&Path>, me: u32) -> Result<PathBuf, JavaError> {
    if let Some(named) = named {
        return if named.is_file() { Ok(named) } else { Err(JavaError::Named(named)) };
    }
    let places = program.map(places).unwrap_or_default();
    let Some(jar) = places.iter().find(|place| place.is_file()) else {
        let shown: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        return Err(JavaError::NoJar(shown.join(", ")));
    };
    let found_from = program.and_then(|program| fs::metadata(program).ok()).map(|file| file.uid());
    // Of a link both the link, which says what runs, and the file.
    for owner in [fs::symlink_metadata(jar), fs::metadata(jar)].into_iter().flatten().map(|file| file.uid()) {
        if owner != 0 && owner != me && Some(owner) != found_from {
            return Err(JavaError::Strangers { jar: jar.clone(), owner });
        }
    }
    Ok(jar.clone())
}

/// Where the jar may be, seen from the program: all absolute, as the program's path is.
fn places(program: &Path) -> Vec<PathBuf> {
    let above = |up: usize, way: &str| Some(program.ancestors().nth(up)?.join(way).join(JAR));
    [above(1, ""), above(2, "lib"), above(3, "yarn/target")].into_iter().flatten().collect()
}

/// The end of a stream.
fn last_of(mut stream: impl Read) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        let surplus = kept.len().saturating_sub(STDERR_BYTES_MAX);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jar_is_found_beside_the_program_in_its_package_and_in_its_checkout() {
        for place in ["a b/bin/spindle-yarn.jar", "a b/lib/spindle-yarn.jar", "yarn/target/spindle-yarn.jar"]
        {
            let root = tempfile::tempdir().unwrap();
            let jar = root.path().join(place);
            let program = root.path().join("a b/bin/spindle");
            let none = jar_at(None, Some(&program), geteuid().as_raw()).unwrap_err().to_string();
            assert!(none.contains(jar.to_str().unwrap()), "{none}");
            fs::create_dir_all(jar.parent().unwrap()).unwrap();
            fs::write(&jar, "").unwrap();
            assert_eq!(jar_at(None, Some(&program), geteuid().as_raw()).unwrap(), jar);
        }
    }

    #[test]
    fn a_place_is_absolute_or_none() {
        let places =
            |program| places(Path::new(program)).into_iter().map(|place| place.display().to_string());
        assert!(places("/opt/spindle").eq(["/opt/spindle-yarn.jar", "/lib/spindle-yarn.jar"]));
        assert!(places("/spindle").eq(["/spindle-yarn.jar"]));
        assert!(jar_at(None, None, 0).unwrap_err().to_string().contains("SPINDLE_JAR is not set"));
    }

    #[test]
    fn a_strangers_jar_is_not_run() {
        let root = tempfile::tempdir().unwrap();
        let (jar, program) = (root.path().join(JAR), root.path().join("spindle"));
        std::os::unix::fs::symlink("/proc/self/exe", &program).unwrap();
        fs::write(&jar, "").unwrap();
        // Only root can give a file away; for others the reader is the stranger.
        let me = geteuid().as_raw();
        if me == 0 {
            std::os::unix::fs::chown(&jar, Some(12345), None).unwrap();
        }
        let owner = fs::metadata(&jar).unwrap().uid();
        let found = |me, program: &str| jar_at(None, Some(&root.path().join(program)), me);
        assert_eq!(found(owner, "gone").unwrap(), jar);
        let told = found(owner + 1, "gone").unwrap_err().to_string();
        assert!(told.contains(&format!("{} belongs to user {owner}", jar.display())), "{told}");
        // Whoever owns the program runs already.
        if me == 0 {
            assert!(found(me, "spindle").is_err());
            fs::remove_file(&program).unwrap();
            fs::write(&program, "").unwrap();
            std::os::unix::fs::chown(&program, Some(owner), None).unwrap();
            assert_eq!(found(me, "spindle").unwrap(), jar);
            fs::remove_file(&jar).unwrap();
            std::os::unix::fs::symlink("/proc/self/exe", &jar).unwrap();
            std::os::unix::fs::lchown(&jar, Some(owner + 1), None).unwrap();
            assert!(found(me, "spindle").is_err(), "a stranger's link");
        }
    }

    #[test]
    fn a_variable_that_names_no_jar_is_not_passed_over() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(JAR), "").unwrap();
        let named = root.path().join("gone.jar");
        let told = jar_at(Some(named.clone()), Some(&root.path().join("spindle")), geteuid().as_raw())
            .unwrap_err()
            .to_string();
        assert_eq!(
            told,
            format!("SPINDLE_JAR is {}, which is no file: correct it, or unset it", named.display())
        );
    }
}
