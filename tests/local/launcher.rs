//! `scripts/spindle-submit`: where it finds the program, from wherever it is called; and where the program finds its jar.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const STUB: &str = "#!/bin/bash\nprintf '<%s>' \"$@\"\nexit 4\n";

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/spindle-submit")
}

fn program(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, STUB).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A launcher in folder `dir`, with nothing on the PATH but what it needs.
fn launcher(launcher: &Path, dir: &Path) -> Command {
    let tools = dir.join("tools");
    if !tools.exists() {
        fs::create_dir(&tools).unwrap();
        for tool in ["bash", "dirname", "readlink", "stat"] {
            let mut places = env::split_paths(&env::var_os("PATH").unwrap())
                .map(|folder| folder.join(tool))
                .collect::<Vec<_>>();
            places.retain(|place| place.is_file());
            symlink(&places[0], tools.join(tool)).unwrap();
        }
    }
    let mut command = Command::new(launcher);
    command.current_dir(dir).env_clear().env("PATH", tools);
    command
}

fn seen(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_package_is_called_by_a_relative_link_from_a_folder_with_blanks() {
    let dir = TempDir::new().unwrap();
    let package = dir.path().join("a b/spindle-1");
    let copy = package.join("scripts/spindle-submit");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::copy(script(), &copy).unwrap();
    symlink("a b/spindle-1/scripts/spindle-submit", dir.path().join("link")).unwrap();
    let call =
        || seen(&launcher(Path::new("./link"), dir.path()).args(["a  b", "job.yaml"]).output().unwrap());
    let (code, _, told) = call();
    assert_eq!(code, Some(2), "{told}");
    for place in ["a b/spindle-1/bin/spindle", "a b/spindle-1/target/release/spindle", "SPINDLE_BIN"] {
        assert!(told.contains(place) && told.lines().count() == 1, "{place}: {told}");
    }
    // A checkout, then a package: its own program goes first.
    program(&package.join("target/release/spindle"));
    assert_eq!(call(), (Some(4), "<submit><a  b><job.yaml>".to_owned(), String::new()));
    program(&package.join("bin/spindle"));
    fs::remove_file(package.join("target/release/spindle")).unwrap();
    assert_eq!(call().0, Some(4));
    // Beside the program, as in a package.
    fs::copy(script(), package.join("bin/spindle-submit")).unwrap();
    let beside = launcher(&package.join("bin/spindle-submit"), dir.path()).output().unwrap();
    assert_eq!(seen(&beside).0, Some(4));
}

#[test]
fn a_checkout_with_its_target_folder_elsewhere_tells_where_its_jar_is() {
    let dir = TempDir::new().unwrap();
    let (copy, target) = (dir.path().join("checkout/scripts/spindle-submit"), dir.path().join("target"));
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::copy(script(), &copy).unwrap();
    program(&target.join("release/spindle"));
    fs::write(target.join("release/spindle"), "#!/bin/bash\necho \"${SPINDLE_JAR:-none}\"\n").unwrap();
    let call = |named: &str| {
        let mut command = launcher(&copy, dir.path());
        command.env("CARGO_TARGET_DIR", &target).env("SPINDLE_JAR", named);
        seen(&command.output().unwrap())
    };
    assert_eq!(call("").1, "none\n");
    let jar = dir.path().join("checkout/yarn/target/spindle-yarn.jar");
    program(&jar);
    assert_eq!(call("").1, format!("{}\n", jar.display()));
    assert_eq!(call("mine.jar").1, "mine.jar\n");
    // One with a program of its own is a package.
    program(&dir.path().join("checkout/bin/spindle"));
    assert_eq!(call("").1, "<submit>");
}

#[test]
fn a_strangers_program_is_not_run() {
    if !rustix::process::geteuid().is_root() {
        return; // only root can give files away
    }
    let dir = TempDir::new().unwrap();
    let (copy, planted) = (dir.path().join("x/spindle-submit"), dir.path().join("bin/spindle"));
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::copy(script(), &copy).unwrap();
    program(&planted);
    chown(&planted, Some(12345), None).unwrap();
    let call = || seen(&launcher(&copy, dir.path()).output().unwrap());
    let (code, _, told) = call();
    let expected = format!("{} belongs to user 12345", fs::canonicalize(&planted).unwrap().display());
    assert!(code == Some(2) && told.contains(&expected), "{told}");
    chown(&copy, Some(12345), None).unwrap();
    assert_eq!(call().0, Some(4), "who installed the launcher runs already");
}

#[test]
fn a_variable_that_names_no_program_is_not_passed_over() {
    let dir = TempDir::new().unwrap();
    let named = dir.path().join("my program");
    let call = || seen(&launcher(&script(), dir.path()).env("SPINDLE_BIN", "my program").output().unwrap());
    let (code, _, told) = call();
    assert!(code == Some(2) && told.contains("SPINDLE_BIN is my program, which is no program"), "{told}");
    program(&named);
    assert_eq!(call().0, Some(4));
}

#[test]
fn a_variable_that_names_no_jar_is_not_passed_over() {
    let dir = TempDir::new().unwrap();
    let site = "<configuration><property><name>yarn.resourcemanager.webapp.address</name><value>127.0.0.1:1</value></property></configuration>";
    fs::write(dir.path().join("yarn-site.xml"), site).unwrap();
    fs::write(
        dir.path().join("job.yaml"),
        "name: n\nsource: {brokers: ['127.0.0.1:1'], topics: [t], group: g}\n",
    )
    .unwrap();
    let mut command = crate::spindle(dir.path());
    command.args(["submit", "--master", "yarn", "job.yaml"]).env("HADOOP_CONF_DIR", dir.path());
    let output = command.env("SPINDLE_JAR", "gone.jar").output().unwrap();
    let (code, _, told) = seen(&output);
    let expected = "SPINDLE_JAR is gone.jar, which is no file: correct it, or unset it";
    assert!(code == Some(2) && told.contains(expected), "{code:?} {told}");
}
