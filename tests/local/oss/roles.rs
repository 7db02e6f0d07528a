//! Roles that are assumed, with keys or with the token that a pod is given; what goes wrong on the way is told.

use std::fs;

use super::{Person, told};
use crate::oss_server::metadata::Metadata;
use crate::oss_server::sts::{OIDC_TOKEN, Sts};
use crate::oss_server::{EXPIRED, KEYS, Oss, TEMPORARY};

const ROLE: &str = "acs:ram::1:role/reader";

fn served() -> Oss {
    let oss = Oss::start();
    oss.put("a", "content");
    oss
}

fn tokens(oss: &Oss) -> Vec<Option<String>> {
    oss.asked().iter().map(|request| request.header("x-oss-security-token").map(str::to_owned)).collect()
}

#[test]
fn a_role_is_assumed_with_keys_or_nothing_is_asked() {
    let oss = served();
    let sts = Sts::start(TEMPORARY);
    let assuming = |keys| {
        let person = Person::new(&oss, keys).set("ALIBABA_CLOUD_STS_ENDPOINT", sts.endpoint());
        person.set("ALIBABA_CLOUD_ROLE_ARN", ROLE)
    };
    assert_eq!(assuming(&KEYS).fetch("a", &[]).0, Some(0));
    assert_eq!(tokens(&oss), vec![TEMPORARY.token.map(str::to_owned); 2]);
    // The keys alone may do more than the role.
    let refused = assuming(&KEYS).set("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/another");
    let error = refused.refused("a", &[]);
    let parts = ["assume the role of ALIBABA_CLOUD_ROLE_ARN", "NoPermission", "unset ALIBABA_CLOUD_ROLE_ARN"];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    let keyless = Person::without_keys(&oss).set("ALIBABA_CLOUD_ROLE_ARN", ROLE);
    let error = keyless.refused("a", &[]);
    assert!(error.contains(parts[0]) && error.contains("no credentials for OSS"), "{error}");
    assert!(oss.asked().is_empty());
}

#[test]
fn a_pods_own_role_goes_before_that_of_its_node() {
    let oss = served();
    let sts = Sts::start(TEMPORARY);
    let node = Metadata::start(EXPIRED, false);
    let pod = Person::without_keys(&oss)
        .set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false")
        .set("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", node.endpoint())
        .set("ALIBABA_CLOUD_STS_ENDPOINT", sts.endpoint())
        .set("ALIBABA_CLOUD_ROLE_ARN", ROLE)
        .set("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/ack")
        .set("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "token");
    fs::write(pod.dir().join("token"), OIDC_TOKEN).unwrap();
    let (code, _, error) = pod.fetch("a", &[]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(tokens(&oss), vec![TEMPORARY.token.map(str::to_owned); 2]);
    fs::write(pod.dir().join("token"), "of another pod").unwrap();
    let error = pod.refused("a", &["-o", "b"]);
    assert!(error.contains("ALIBABA_CLOUD_OIDC_TOKEN_FILE") && error.contains("NoPermission"), "{error}");
    assert!(oss.asked().is_empty(), "the node's role is not asked instead");
}

#[test]
fn settings_that_cannot_be_read_are_told_by_every_command() {
    let oss = served();
    oss.put("t.yaml", "name: T\nsource: {brokers: [b], topics: [t], group: g}\n");
    let person = Person::new(&oss, &KEYS).set("HADOOP_CONF_DIR", ".");
    fs::write(person.dir().join("core-site.xml"), "<configuration><prop").unwrap();
    fs::write(person.dir().join("yarn-site.xml"), "<configuration/>").unwrap();
    for args in [["fetch", "oss://jars/a"], ["conf", "oss://jars/t.yaml"], ["verify", "oss://jars/t.yaml"]] {
        let (_, _, said) = told(&person.run(&args));
        assert!(said.contains("WARN") && said.contains("core-site.xml"), "{args:?}: {said}");
    }
}
