//! What is in it, and that it says what it should.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Package;

#[test]
fn everything_is_there_and_is_what_its_sum_says() {
    let package = Package::unpacked();
    let sums = Command::new("sha256sum")
        .args(["-c", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(&package.root)
        .output();
    let sums = sums.unwrap();
    assert!(sums.status.success(), "{sums:?}");
    let listed = fs::read_to_string(package.root.join("SHA256SUMS")).unwrap();
    let listed: BTreeSet<_> = listed.lines().filter_map(|line| line.split("  ").nth(1)).collect();
    for file in [
        "BUILT-WITH",
        "LICENCES",
        "README.md",
        "bin/spindle",
        "bin/spindle-submit",
        "conf/spindle-producer.service",
        "conf/tweets.yaml",
        "lib/spindle-yarn.jar",
        "sbom.cdx.json",
        "share/completions/spindle.bash",
        "share/completions/spindle.fish",
        "share/completions/spindle.zsh",
        "share/man/man1/spindle-submit.1",
        "share/man/man1/spindle.1",
    ] {
        assert!(listed.contains(file), "{file} is missing among {listed:?}");
    }
    let page = fs::read_to_string(package.root.join("share/man/man1/spindle-submit.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("\\-\\-num\\-executors"), "{page}");
}

/// A path of the machine that built it would make two builds differ, and tells what is nobody's business.
#[test]
fn the_program_holds_no_path_of_this_machine() {
    let package = Package::unpacked();
    let program = fs::read(package.root.join("bin/spindle")).unwrap();
    let home = std::env::var("HOME").unwrap();
    let cargo = std::env::var("CARGO_HOME").unwrap_or(format!("{home}/.cargo"));
    let holds = |path: &str| program.windows(path.len()).any(|part| part == path.as_bytes());
    assert!(holds("/rustc/"), "paths are looked for in the right way: the standard library's are in it");
    for path in [env!("CARGO_MANIFEST_DIR"), &cargo, &format!("{home}/.rustup"), "/registry/src/index"] {
        assert!(!holds(path), "{path}");
    }
}

#[test]
fn the_bill_of_materials_names_crates_and_c_libraries_with_their_licences() {
    let package = Package::unpacked();
    let text = fs::read_to_string(package.root.join("sbom.cdx.json")).unwrap();
    let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((bill["bomFormat"].as_str(), bill["specVersion"].as_str()), (Some("CycloneDX"), Some("1.6")));
    let components = bill["components"].as_array().unwrap();
    let licences = fs::read_to_string(package.root.join("LICENCES")).unwrap();
    for component in components {
        let name = component["name"].as_str().unwrap();
        assert!(component["licenses"][0].is_object(), "{name} has no licence");
        assert!(licences.contains(&format!("\n{name} ")), "{name} has no licence's text");
    }
    let named = |name: &str| components.iter().any(|component| component["name"] == name);
    for name in ["librdkafka", "openssl", "zstd", "zlib", "rust-std", "hdfs-native", "tokio"] {
        assert!(named(name), "{name} is missing");
    }
    assert!(!named("insta") && !named("serde_derive"), "what is not linked in is listed");
}

/// The check that each build passes finds what is wrong with a program that was built for this system alone, and with a
/// file that is none.
#[test]
fn what_would_not_run_everywhere_is_found_out() {
    let check = |file: &str| {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let check = ". \"$0/lib/say.sh\"; . \"$0/package.d/program.sh\"; program_check \"$1\"";
        let checked = Command::new("bash").arg("-c").arg(check).arg(scripts).arg(file).output().unwrap();
        (checked.status.success(), String::from_utf8(checked.stderr).unwrap())
    };
    let package = Package::unpacked();
    let (passed, said) = check(package.root.join("bin/spindle").to_str().unwrap());
    assert!(passed && said.contains("GLIBC_2.17 "), "{said}");
    let (passed, said) = check(env!("CARGO_BIN_EXE_spindle"));
    assert!(!passed && said.contains("needs GLIBC_2.") && said.contains("needs libssl.so.3"), "{said}");
    let (passed, said) = check("/etc/hostname");
    assert!(!passed && said.contains("is no program for glibc"), "{said}");
}

#[test]
fn the_demo_runs_in_an_empty_folder_with_an_empty_environment() {
    Package::unpacked().assert_demo();
}
