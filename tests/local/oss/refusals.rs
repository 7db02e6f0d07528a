//! What OSS refuses, each with its remedy in one line.

use super::{Person, told};
use crate::oss_server::{BUCKET, ELSEWHERE, EXPIRED, KEYS, Keys, Oss};

#[test]
fn what_oss_refuses_is_told_with_what_to_do() {
    let oss = Oss::start();
    oss.put("a", "content");
    let unknown = Keys { id: "LTAI5tNobody", ..KEYS };
    let wrong = Keys { secret: "another0Secret", ..KEYS };
    let cases = [
        (&unknown, "a", "403 InvalidAccessKeyId", "check OSS_ACCESS_KEY_ID"),
        (&wrong, "a", "403 SignatureDoesNotMatch", "check OSS_ACCESS_KEY_SECRET"),
        (&EXPIRED, "a", "403 SecurityTokenExpired", "get new temporary credentials"),
        (&KEYS, "b", "404 NoSuchKey", "check the key"),
        (&KEYS, "closed/a", "403 AccessDenied", "oss:GetObject"),
    ];
    let flag = "0".repeat(64);
    for (keys, key, code, remedy) in cases {
        let error = Person::new(&oss, keys).refused(key, &["--sha256", &flag]);
        assert!(error.starts_with(&format!("fetch oss://{BUCKET}/{key}: ")), "{error}");
        assert!(error.contains(code) && error.contains(remedy) && error.contains("request 5C3D"), "{error}");
    }
    assert_eq!(oss.asked().len(), cases.len(), "a refusal is not asked for again");
}

#[test]
fn who_may_not_read_the_hash_is_offered_the_flag() {
    let oss = Oss::start();
    oss.put("closed/a", "content");
    let person = Person::new(&oss, &KEYS);
    let error = person.refused("closed/a", &[]);
    assert!(error.starts_with("fetch oss://jars/closed/a.sha256: "), "{error}");
    assert!(error.contains("403 AccessDenied") && error.contains("give --sha256"), "{error}");
    let error = person.refused("closed/a", &["--sha256", &"0".repeat(64)]);
    assert!(error.contains("403 AccessDenied") && !error.contains("--sha256"), "{error}");
}

#[test]
fn buckets_that_are_nowhere_or_elsewhere_are_named() {
    let oss = Oss::start();
    let person = Person::new(&oss, &KEYS);
    let error = |url: &str| told(&person.run(&["fetch", url])).2;
    assert!(error("oss://nowhere/a").contains("there is no bucket nowhere"));
    let elsewhere = error(&format!("oss://{ELSEWHERE}/a"));
    assert!(elsewhere.contains("give --oss-endpoint oss-cn-beijing.aliyuncs.com"), "{elsewhere}");
    let person = person.set("OSS_REGION", "cn-beijing");
    let told = person.refused("a", &[]);
    assert!(told.contains("400 InvalidArgument"), "{told}");
}

#[test]
fn a_clock_that_is_off_is_told_with_the_time_of_oss() {
    let oss = Oss::start();
    oss.put("a", "content");
    let person = Person::new(&oss, &KEYS);
    oss.set_ahead(14 * 60_000);
    assert_eq!(person.fetch("a", &[]).0, Some(0));
    for minutes in [16, -16] {
        oss.set_ahead(minutes * 60_000);
        let error = person.refused("a", &[]);
        assert!(error.contains("RequestTimeTooSkewed") && error.contains("where it is 20"), "{error}");
    }
}
