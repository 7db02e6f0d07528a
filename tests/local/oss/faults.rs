//! Connections that break, servers that are wrong, objects that change.

use std::fs;

use super::{Person, content, sha256};
use crate::oss_server::{Fault, KEYS, Oss, Request};

/// Little time between tries.
const HURRY: [&str; 2] = ["--oss-wait-ms", "10"];

fn served(content: &[u8]) -> (Oss, Person) {
    let oss = Oss::start();
    oss.put("a", content);
    let person = Person::new(&oss, &KEYS);
    (oss, person)
}

/// Fetches `a`, which must be `content` then; returns what was asked for it.
fn fetched(oss: &Oss, person: &Person, content: &[u8]) -> Vec<Request> {
    let (code, printed, error) = person.fetch("a", &[]);
    assert_eq!((code, printed), (Some(0), format!("{}  a", sha256(content))), "{error}");
    assert!(fs::read(person.dir().join("a")).unwrap() == content);
    oss.asked().into_iter().filter(|request| !request.target.ends_with(".sha256")).collect()
}

fn ranges(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.header("range").unwrap()).collect()
}

#[test]
fn a_download_that_is_cut_goes_on_where_it_was() {
    let content = content();
    let (oss, person) = served(&content);
    oss.faults([Fault::Cut(0), Fault::Cut(1000), Fault::Status(503), Fault::Cut(70_000)]);
    let asked = fetched(&oss, &person, &content);
    assert_eq!(ranges(&asked), ["bytes=0-", "bytes=0-", "bytes=1000-", "bytes=1000-", "bytes=71000-"]);
    // What is gone on with is the same object, or nothing.
    let etags: Vec<Option<&str>> = asked.iter().map(|request| request.header("if-match")).collect();
    assert!(
        etags[0].is_none() && etags[1].is_some() && etags[1..].iter().all(|etag| *etag == etags[1]),
        "{etags:?}"
    );
}

#[test]
fn a_silent_server_is_given_up_and_asked_again() {
    let content = content();
    let (oss, person) = served(&content);
    oss.faults([Fault::Silent(0), Fault::Silent(5000)]);
    let (code, _, error) = person.fetch("a", &["--oss-wait-ms", "100"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(fs::read(person.dir().join("a")).unwrap() == content);
    oss.faults(std::iter::repeat_n(Fault::Silent(0), 5));
    let error = person.refused("a", &["--oss-wait-ms", "100", "-o", "b"]);
    assert!(error.contains("nothing came in time; given up after 5 tries"), "{error}");
}

#[test]
fn a_server_that_is_slow_without_end_is_given_up() {
    let (oss, person) = served(&content());
    oss.faults(std::iter::repeat_n(Fault::Trickle, 5));
    let error = person.refused("a", &["--oss-wait-ms", "100"]);
    assert!(error.contains("less than 1 MiB in ") && error.contains("given up after 5 tries"), "{error}");
    // Bytes that come one by one on connections that break are no progress either.
    oss.faults(std::iter::repeat_n(Fault::Cut(1), 5));
    assert!(person.refused("a", &HURRY).contains("given up after 5 tries"));
}

#[test]
fn what_never_gets_further_is_given_up() {
    let (oss, person) = served(b"content");
    oss.faults(std::iter::repeat_n(Fault::Cut(0), 5));
    let error = person.refused("a", &HURRY);
    assert!(error.contains("given up after 5 tries") && error.contains("is the endpoint right"), "{error}");
    oss.faults(std::iter::repeat_n(Fault::Status(500), 5));
    assert!(person.refused("a", &HURRY).contains("the server answers 500; given up"));
    let nobody = person.set("OSS_ENDPOINT", "http://127.0.0.1:1");
    assert!(nobody.refused("a", &HURRY).contains("Connection refused"));
}

#[test]
fn an_object_that_changes_meanwhile_is_fetched_anew_once() {
    let (old, new) = (content(), vec![b'n'; 200_000]);
    let (oss, person) = served(&old);
    oss.faults([Fault::CutAndChange(1000, new.clone())]);
    assert_eq!(ranges(&fetched(&oss, &person, &new)), ["bytes=0-", "bytes=1000-", "bytes=0-"]);

    // The request that learns of the first change meets no fault: it is answered with 412 and takes none.
    oss.put("a", old.clone());
    let changes = [Fault::CutAndChange(10, new), Fault::Cut(0), Fault::CutAndChange(10, old), Fault::Cut(0)];
    oss.faults(changes);
    let error = person.refused("a", &[]);
    assert!(error.contains("the object was changed while it was fetched, twice"), "{error}");
}

#[test]
fn a_server_that_is_wrong_about_the_size_is_refused() {
    let (oss, person) = served(&content());
    for fault in [Fault::TellMore(10), Fault::TellLess(1000), Fault::SendMore(5)] {
        oss.faults([fault]);
        let error = person.refused("a", &[]);
        assert!(error.contains("the server is wrong about the size"), "{error}");
    }
}

#[test]
fn credentials_go_to_no_other_host() {
    let (oss, person) = served(b"content");
    let other = Oss::start();
    other.put("a", "content");
    for to in [format!("{}/jars/a", other.endpoint()), oss.endpoint().replace("http:", "https:")] {
        oss.faults([Fault::Redirect(to)]);
        let error = person.refused("a", &[]);
        assert!(error.contains("redirected to 127.0.0.1, where these credentials do not go"), "{error}");
    }
    assert!(other.asked().is_empty(), "it has heard nothing");
    oss.asked();
    oss.faults(["/jars/a", "a"].map(|to| Fault::Redirect(to.to_owned())));
    assert_eq!(fetched(&oss, &person, b"content").len(), 3, "signed anew for the same host");
    oss.faults(std::iter::repeat_n(Fault::Redirect("/jars/a".to_owned()), 4));
    assert!(person.refused("a", &[]).contains("one address after another"));
}
