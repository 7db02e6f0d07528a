//! Where credentials come from.

use std::fs;

use super::{Person, sha256};
use crate::oss_server::metadata::Metadata;
use crate::oss_server::{KEYS, Oss, REGION, TEMPORARY};

fn asking(oss: &Oss) -> Person {
    oss.put("a", "content");
    Person::without_keys(oss)
}

#[test]
fn a_ram_role_gives_credentials_with_the_metadata_service_in_either_mode() {
    let oss = Oss::start();
    for hardened in [false, true] {
        let metadata = Metadata::start(TEMPORARY, hardened);
        let person = asking(&oss)
            .set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false")
            .set("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", metadata.endpoint());
        assert_eq!(person.fetch("a", &[]).0, Some(0), "hardened: {hardened}");
        let asked = oss.asked();
        assert!(asked.iter().all(|request| request.header("x-oss-security-token") == TEMPORARY.token));
        let named = person.set("ALIBABA_CLOUD_ECS_METADATA", "NoSuchRole");
        let error = named.refused("a", &[]);
        assert!(
            error.contains("the RAM role of this ECS instance: ECS RAM role credentials not found"),
            "{error}"
        );
    }
}

#[test]
fn keys_are_found_where_alibabas_tools_keep_them() {
    let oss = Oss::start();
    let of_oss = asking(&oss);
    fs::create_dir(of_oss.dir().join(".oss")).unwrap();
    let ini = format!("[default]\naccess_key_id = {}\naccess_key_secret = {}\n", KEYS.id, KEYS.secret);
    fs::write(of_oss.dir().join(".oss/credentials"), ini).unwrap();
    assert_eq!(of_oss.fetch("a", &[]).0, Some(0));

    let (id, secret, token) = (TEMPORARY.id, TEMPORARY.secret, TEMPORARY.token.unwrap());
    let of_sdks = asking(&oss)
        .set("ALIBABA_CLOUD_ACCESS_KEY_ID", id)
        .set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret)
        .set("ALIBABA_CLOUD_SECURITY_TOKEN", token);
    assert_eq!(of_sdks.fetch("a", &[]).0, Some(0));

    // A script that exports variables which it has not set.
    let of_script = Person::new(&oss, &KEYS)
        .set("ALIBABA_CLOUD_ACCESS_KEY_ID", "")
        .set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "");
    assert_eq!(of_script.fetch("a", &[]).0, Some(0));

    let of_hadoop = asking(&oss).set("HADOOP_CONF_DIR", ".");
    settings(&of_hadoop, &[("fs.oss.accessKeyId", KEYS.id), ("fs.oss.accessKeySecret", KEYS.secret)]);
    assert_eq!(of_hadoop.fetch("a", &[]).0, Some(0));
}

/// Writes Hadoop's settings into a person's folder.
fn settings(person: &Person, properties: &[(&str, &str)]) {
    let property = |(name, value): &(&str, &str)| {
        format!("<property><name>{name}</name><value>{value}</value></property>")
    };
    let core: String = properties.iter().map(property).collect();
    let file = |name: &str, text: String| fs::write(person.dir().join(name), text).unwrap();
    file("core-site.xml", format!("<configuration>{core}</configuration>"));
    file("yarn-site.xml", "<configuration/>".to_owned());
}

#[test]
fn hadoops_endpoint_is_asked_where_no_other_is_named() {
    let oss = Oss::start();
    oss.put("a", "content");
    // A script that exports a variable which it has not set.
    let person = Person::new(&oss, &KEYS).set("OSS_ENDPOINT", "").set("HADOOP_CONF_DIR", ".");
    settings(&person, &[("fs.oss.endpoint", &oss.endpoint())]);
    assert_eq!(person.fetch("a", &[]), (Some(0), format!("{}  a", sha256(b"content")), String::new()));
    assert_eq!(oss.asked().len(), 2);
    let person = person.set("OSS_REGION", "");
    assert_eq!(person.fetch("a", &["--oss-region", REGION]).0, Some(0), "the flag names the region alone");
    let (code, _, error) = person.fetch("a", &[]);
    assert!(code == Some(2) && error.contains("does not tell its region"), "{error}");
    let other = Oss::start();
    other.put("a", "content");
    oss.asked();
    assert_eq!(person.fetch("a", &["--oss-region", REGION, "--oss-endpoint", &other.endpoint()]).0, Some(0));
    assert_eq!((oss.asked().len(), other.asked().len()), (0, 2), "the flag goes first");
}

#[test]
fn without_any_it_says_where_it_looked_and_what_to_set() {
    let oss = Oss::start();
    let person = asking(&oss).set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false");
    let person = person.set("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    let error = person.refused("a", &[]);
    let told = ["no credentials for OSS", "the RAM role of this ECS instance: ", "set OSS_ACCESS_KEY_ID"];
    assert!(told.iter().all(|part| error.contains(part)), "{error}");
    assert!(oss.asked().is_empty());
}
