//! Whom to ask: hosts of version 2 in their order, then those of version 1. Pure.
//!
//! `reconnect` says when the turn passes on: when a host cannot be connected to, or cuts connections at once. A host of
//! version 1 keeps it for one connection that delivers something: behind that, version 2 is tried again.

use std::fmt;
use std::sync::Arc;

use reqwest::Url;

use crate::config::producer::source;
use crate::produce::event::Resume;
use crate::produce::feed::Name;
use crate::produce::feed::http::url;

/// Which Jetstream a host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// A host.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// As it is configured.
    pub(super) name: Name,
    pub(super) url: Url,
    pub(super) version: Version,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Version::V1 => write!(f, "{} (version 1)", self.name),
            Version::V2 => f.write_str(&self.name),
        }
    }
}

/// All hosts, and whose turn it is.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<Host>,
    current: usize,
    /// Which host had the turn at which number of `reconnect`.
    origin: (usize, usize),
    /// Whether the first host gets the turn next.
    anew: bool,
}

impl Hosts {
    /// Begins with the host that numbered the event to go on at, if it is still one of them.
    pub(super) fn new(config: &source::Jetstream, resume: Option<&Resume>) -> anyhow::Result<Self> {
        let of = |names: &[String], version| -> anyhow::Result<Vec<Host>> {
            let host = |name: &String| {
                let url = url(&source::Jetstream::url(name))?;
                Ok(Host { name: Arc::from(name.as_str()), url, version })
            };
            names.iter().map(host).collect()
        };
        let mut hosts = of(&config.hosts, Version::V2)?;
        hosts.extend(of(&config.fallback, Version::V1)?);
        anyhow::ensure!(!hosts.is_empty(), "source.jetstream names no host");
        let known = match resume {
            Some(Resume::Jetstream { host, seq: Some(_), .. }) => {
                hosts.iter().position(|one| one.name == *host)
            }
            _ => None,
        };
        let current = known.unwrap_or(0);
        Ok(Self { hosts, current, origin: (current, 0), anew: false })
    }

    pub(super) fn any_tls(&self) -> bool {
        self.hosts.iter().any(|host| host.url.scheme() == "https")
    }

    /// Whose turn it is.
    pub(super) fn current(&self) -> &Host {
        &self.hosts[self.current]
    }

    /// Whether that speaks version 1 only while others speak version 2.
    pub(super) fn is_fallback(&self) -> bool {
        self.current().version == Version::V1 && self.hosts.iter().any(|host| host.version == Version::V2)
    }

    /// Passes the turn on; `number` grows by one with each host.
    pub(super) fn turn(&mut self, number: usize) {
        if std::mem::take(&mut self.anew) {
            self.origin = (0, number);
        }
        let (host, at) = self.origin;
        self.current = host.wrapping_add(number.wrapping_sub(at)) % self.hosts.len();
    }

    /// The connection to the current host ended.
    pub(super) fn left(&mut self, delivered: bool) {
        self.anew = self.is_fallback() && delivered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(v2: &[&str], v1: &[&str], resume: Option<&Resume>) -> Hosts {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let config =
            source::Jetstream { hosts: names(v2), fallback: names(v1), ..source::Jetstream::default() };
        Hosts::new(&config, resume).unwrap()
    }

    #[test]
    fn hosts_take_turns_and_version_2_comes_first() {
        let mut hosts = hosts(&["a", "b"], &["c", "d"], None);
        let mut seen = Vec::new();
        // The number of the turn, and whether the connection before delivered anything.
        for (number, delivered) in [
            (0, None),
            (1, None),
            (1, Some(true)),
            (2, None),
            (3, Some(false)),
            (3, Some(true)),
            (4, Some(true)),
            (7, None),
        ] {
            delivered.into_iter().for_each(|delivered| hosts.left(delivered));
            hosts.turn(number);
            seen.push(hosts.current().to_string());
        }
        let [c, d] = ["c (version 1)", "d (version 1)"];
        assert_eq!(seen, ["a", "b", "b", c, d, "a", "b", "a"]);
    }

    #[test]
    fn a_host_that_numbers_events_is_gone_back_to() {
        let resume = |host: &str, seq| Resume::Jetstream { host: host.into(), seq, time_us: 1 };
        assert_eq!(&*hosts(&["a", "b"], &["c"], Some(&resume("b", Some(7)))).current().name, "b");
        assert_eq!(&*hosts(&["a", "b"], &["c"], Some(&resume("gone", Some(7)))).current().name, "a");
        assert_eq!(&*hosts(&["a", "b"], &["c"], Some(&resume("c", None))).current().name, "a");
    }

    #[test]
    fn version_1_alone_is_no_fallback() {
        let mut hosts = hosts(&[], &["c", "d"], None);
        assert!(!hosts.is_fallback());
        hosts.left(true);
        hosts.turn(0);
        assert_eq!(&*hosts.current().name, "c");
    }

    #[test]
    fn hosts_are_asked_with_tls_unless_they_say_otherwise() {
        assert!(hosts(&["a"], &[], None).any_tls());
        assert!(!hosts(&["ws://a:1"], &["ws://b"], None).any_tls());
    }
}
