//! Job files that lie in OSS.

use super::{Person, told};
use crate::oss_server::{KEYS, Oss};

const JOB: &str = "name: FromOss\nsource: {brokers: [b], topics: [t], group: g}\n";

#[test]
fn a_job_file_in_oss_is_read_as_one_here() {
    let oss = Oss::start();
    oss.put("jobs/t.yaml", JOB);
    let person = Person::new(&oss, &KEYS);
    let conf = |url: &str| told(&person.run(&["conf", url]));
    let (code, printed, error) = conf("oss://jars/jobs/t.yaml");
    assert!(code == Some(0) && printed.contains("name: FromOss"), "{error}");
    assert_eq!(conf("ossref://jars/jobs/t.yaml").1, printed);

    oss.put("wrong.yaml", format!("{JOB}sorce: 1\n"));
    let (code, _, error) = conf("oss://jars/wrong.yaml");
    assert_eq!(
        (code, error.as_str()),
        (Some(2), "oss://jars/wrong.yaml:3:1: sorce: unknown key; did you mean source?")
    );
    let (code, _, error) = conf("oss://jars/none.yaml");
    assert!(
        code == Some(1) && error.contains("fetch oss://jars/none.yaml: there is no such object"),
        "{error}"
    );
    let (code, _, error) = told(&person.run(&["verify", "oss://jars/jobs/t.yaml"]));
    assert!(code == Some(2) && error.contains("job FromOss writes no snapshots"), "{error}");
    let (code, _, error) =
        told(&person.run(&["submit", "--relabel", "--from", "latest", "oss://jars/jobs/t.yaml"]));
    assert!(code == Some(2) && error.contains("--relabel"), "{error}");
    let (code, _, error) = told(&person.run(&["submit", "--replace", "oss://jars/jobs/t.yaml"]));
    assert!(code == Some(2) && error.contains("--replace needs a checkpoint"), "{error}");
}

#[test]
fn what_is_no_job_file_is_refused() {
    let oss = Oss::start();
    let person = Person::new(&oss, &KEYS);
    let error = |key: &str, content: &[u8], code: i32| {
        oss.put(key, content);
        let (found, _, error) = told(&person.run(&["conf", &format!("oss://jars/{key}")]));
        assert_eq!(found, Some(code), "{error}");
        error
    };
    assert!(
        error("long.yaml", &vec![b' '; (1 << 20) + 1], 1).contains("more than the 1048576 that are taken")
    );
    assert!(error("bytes.yaml", b"name: \xff", 1).contains("it is not text"));
    assert!(error("zip.yaml", b"PK\x03\x04", 2).contains("is a Spark job"));
    assert!(error("empty.yaml", b"\n", 2).contains("is empty"));
    oss.asked();
    assert!(error("app.jar", b"PK\x03\x04", 2).contains("is a Spark job"));
    assert!(oss.asked().is_empty(), "its name says enough");
    let file = format!("{JOB}env: {{A: '${{file:beside.txt}}'}}\n");
    assert!(
        error("file.yaml", file.as_bytes(), 2).contains("the job file lies elsewhere; write the whole path")
    );
    let file = format!("{JOB}files: ['oss://LTAI5tOwn:own0Secret@jars/a']\n");
    let told = error("files.yaml", file.as_bytes(), 2);
    assert!(told.contains("files[0]: the address holds credentials"), "{told}");
}
