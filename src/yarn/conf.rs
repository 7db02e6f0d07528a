//! Hadoop's settings, as far as a client needs them: where the ResourceManager's web address is.
//!
//! Files and names: hadoop.apache.org, core-default.xml and yarn-default.xml.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::hadoop::Settings;

const WEB_PORT: &str = "8088";
const WEB_PORT_TLS: &str = "8090";

/// Why the cluster is not known.
#[derive(Debug, thiserror::Error)]
pub enum ConfError {
    /// Nothing says where the settings are.
    #[error("no Hadoop settings: set HADOOP_CONF_DIR to the folder with yarn-site.xml and core-site.xml")]
    NoFolder,
    /// A file cannot be read.
    #[error("read {}: {source}; is HADOOP_CONF_DIR right?", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what Hadoop writes.
    #[error("read {}: {why}", path.display())]
    NotXml {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        why: String,
    },
    /// The ResourceManager's name is not set.
    #[error(
        "{} names no ResourceManager (yarn.resourcemanager.hostname or .webapp.address); is HADOOP_CONF_DIR right?",
        dir.display()
    )]
    NoResourceManager {
        /// The folder.
        dir: PathBuf,
    },
}

/// The settings of one cluster.
#[derive(Debug, Clone)]
pub struct HadoopConf {
    dir: PathBuf,
    settings: Settings,
}

impl HadoopConf {
    /// The settings in `HADOOP_CONF_DIR`, else `YARN_CONF_DIR`, else below `HADOOP_HOME`, else where packages put them.
    pub fn find() -> Result<Self, ConfError> {
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(dir) = named("HADOOP_CONF_DIR").or_else(|| named("YARN_CONF_DIR")) {
            return Self::read(&dir);
        }
        let usual = named("HADOOP_HOME").map(|home| home.join("etc/hadoop"));
        let places = usual.into_iter().chain(["/etc/hadoop/conf", "/etc/ecm/hadoop-conf"].map(PathBuf::from));
        let found = places.into_iter().find(|dir| dir.join("yarn-site.xml").is_file());
        Self::read(&found.ok_or(ConfError::NoFolder)?)
    }

    /// The settings in `dir`.
    pub fn read(dir: &Path) -> Result<Self, ConfError> {
        let mut settings = Settings::default();
        for (file, needed) in [("core-site.xml", false), ("yarn-site.xml", true)] {
            let path = dir.join(file);
            match fs::read_to_string(&path) {
                Ok(text) => settings.add(&text).map_err(|why| ConfError::NotXml { path, why })?,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !needed => {}
                Err(source) => return Err(ConfError::Read { path, source }),
            }
        }
        Ok(Self { dir: dir.to_owned(), settings })
    }

    /// A setting, with what it refers to filled in.
    pub fn get(&self, name: &str) -> Option<String> {
        self.settings.get(name)
    }

    /// The web addresses of the ResourceManagers, `http://host:port`: several when they stand in for each other.
    pub fn resource_managers(&self) -> Result<Vec<String>, ConfError> {
        let tls = self.get("yarn.http.policy").is_some_and(|policy| policy == "HTTPS_ONLY");
        let ids = match self.get("yarn.resourcemanager.ha.enabled").as_deref() {
            Some("true") => self.settings.list("yarn.resourcemanager.ha.rm-ids"),
            _ => Vec::new(),
        };
        let suffixes: Vec<String> = match ids.is_empty() {
            true => vec![String::new()],
            false => ids.iter().map(|id| format!(".{id}")).collect(),
        };
        let addresses: Vec<String> = suffixes.iter().filter_map(|suffix| self.web(suffix, tls)).collect();
        if addresses.is_empty() {
            return Err(ConfError::NoResourceManager { dir: self.dir.clone() });
        }
        Ok(addresses)
    }

    fn web(&self, suffix: &str, tls: bool) -> Option<String> {
        let (scheme, key, port) = if tls {
            ("https", "yarn.resourcemanager.webapp.https.address", WEB_PORT_TLS)
        } else {
            ("http", "yarn.resourcemanager.webapp.address", WEB_PORT)
        };
        let address = self.get(&format!("{key}{suffix}")).or_else(|| {
            let host = self.get(&format!("yarn.resourcemanager.hostname{suffix}"))?;
            Some(format!("{host}:{port}"))
        });
        address.map(|address| format!("{scheme}://{address}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(yarn: &str) -> HadoopConf {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("yarn-site.xml"),
            format!("<?xml version=\"1.0\"?>\n<configuration>{yarn}</configuration>"),
        )
        .unwrap();
        HadoopConf::read(dir.path()).unwrap()
    }

    fn property(name: &str, value: &str) -> String {
        format!("<property><name>yarn.{name}</name>\n<value> {value} </value><final>true</final></property>")
    }

    #[test]
    fn the_web_address_is_set_or_made_of_the_host() {
        let by_host = conf(&property("resourcemanager.hostname", "rm1"));
        assert_eq!(by_host.resource_managers().unwrap(), ["http://rm1:8088"]);
        let filled = conf(
            &(property("resourcemanager.hostname", "rm1")
                + &property("resourcemanager.webapp.address", "${yarn.resourcemanager.hostname}:18088")),
        );
        assert_eq!(filled.resource_managers().unwrap(), ["http://rm1:18088"]);
        let tls =
            conf(&(property("resourcemanager.hostname", "rm1") + &property("http.policy", "HTTPS_ONLY")));
        assert_eq!(tls.resource_managers().unwrap(), ["https://rm1:8090"]);
    }

    #[test]
    fn several_resource_managers_are_all_named() {
        let ha = conf(
            &(property("resourcemanager.ha.enabled", "true")
                + &property("resourcemanager.ha.rm-ids", "rm1, rm2")
                + &property("resourcemanager.hostname.rm1", "a")
                + &property("resourcemanager.webapp.address.rm2", "b:1")),
        );
        assert_eq!(ha.resource_managers().unwrap(), ["http://a:8088", "http://b:1"]);
    }

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        let error = conf("").resource_managers().unwrap_err().to_string();
        assert!(
            error.contains("yarn.resourcemanager.hostname") && error.contains("HADOOP_CONF_DIR"),
            "{error}"
        );
        let dir = tempfile::tempdir().unwrap();
        let error = HadoopConf::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("yarn-site.xml: No such file"), "{error}");
        fs::write(dir.path().join("yarn-site.xml"), "<configuration>").unwrap();
        let error = HadoopConf::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("yarn-site.xml: "), "{error}");
    }
}
