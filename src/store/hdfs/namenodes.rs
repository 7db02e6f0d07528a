//! Which NameNode is asked first, and what becomes of one that does not answer.
//!
//! `hdfs-native` goes on to the next NameNode of a name service when one refuses connections or says that it is
//! standby. One that hangs, or whose host is gone, it asks for ever: it knows no time-out, and a new call begins where
//! the last one succeeded. So a call that its caller gives up on makes the next one go by a new client, for which the
//! NameNodes stand in another order.
//!
//! Delegation tokens are for a name service, or for a NameNode by its IP address; `hdfs-native` looks for one by what
//! it was told to ask. So with tokens it is told the address.

use std::env;
use std::fs;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdfs_native::{Client, ClientBuilder, HdfsError};
use tokio::runtime::Handle;

use super::super::Login;
use crate::hadoop::Settings;

/// The NameNodes of a name service: this, a dot and its name.
const NAMENODES: &str = "dfs.ha.namenodes.";

/// Says that there are tokens, and where; set by YARN, among others.
const TOKENS: &str = "HADOOP_TOKEN_FILE_LOCATION";
/// Whether tokens are for addresses, by default; Hadoop's `SecurityUtil.buildTokenService`.
const TOKENS_BY_ADDRESS: &str = "hadoop.security.token.service.use_ip";

/// `hdfs-native`'s own retries, short: a NameNode that refuses connections costs it three minutes by default, and
/// whoever calls has patience of its own.
const FAILOVER: [(&str, &str); 3] = [
    ("dfs.client.failover.max.attempts", "4"),
    ("dfs.client.failover.sleep.base.millis", "100"),
    ("dfs.client.failover.sleep.max.millis", "1000"),
];

/// A client of one file system.
#[derive(Debug)]
pub(super) struct NameNodes {
    asked: Asked,
    now: Mutex<Now>,
}

/// What a client is made of.
#[derive(Debug)]
struct Asked {
    /// The file system, if it is not the default one.
    url: Option<String>,
    /// As whom.
    login: Option<Login>,
    /// Folder of Hadoop's settings.
    settings: Option<PathBuf>,
    io: Handle,
    /// Name services, each with its NameNodes in their configured order.
    services: Vec<(String, Vec<String>)>,
}

#[derive(Debug)]
struct Now {
    client: Client,
    /// How often the order was changed.
    turns: usize,
    hangs: bool,
}

/// Says so unless the call was answered.
struct Unanswered<'a> {
    namenodes: &'a NameNodes,
    turns: usize,
    answered: bool,
}

impl NameNodes {
    /// Of the file system at `url`, or the default one; by the settings in `HADOOP_CONF_DIR`, else below `HADOOP_HOME`.
    pub(super) fn new(url: Option<String>, login: Option<Login>, io: Handle) -> Result<Self, HdfsError> {
        let dir = env::var_os("HADOOP_CONF_DIR").map(PathBuf::from);
        let dir = dir.or_else(|| Some(PathBuf::from(env::var_os("HADOOP_HOME")?).join("etc/hadoop")));
        let settings = dir.as_deref().map(read).unwrap_or_default();
        let tokens = login.is_none() && env::var_os(TOKENS).is_some();
        let url = if tokens { as_tokens_have_it(url, &settings) } else { url };
        Self::by(Asked { url, login, settings: dir, io, services: services(&settings) })
    }

    fn by(asked: Asked) -> Result<Self, HdfsError> {
        let now = Mutex::new(Now { client: asked.client(0)?, turns: 0, hangs: false });
        Ok(Self { asked, now })
    }

    /// One call of NameNodes alone: to be given up on only when it is them who do not answer.
    pub(super) async fn ask<T, F>(&self, call: impl FnOnce(Client) -> F) -> Result<T, HdfsError>
    where
        F: Future<Output = Result<T, HdfsError>>,
    {
        let (client, turns) = self.next();
        let mut unanswered = Unanswered { namenodes: self, turns, answered: false };
        let answer = call(client).await;
        unanswered.answered = true;
        answer
    }

    fn next(&self) -> (Client, usize) {
        let mut now = self.now();
        if now.hangs {
            let turns = now.turns + 1;
            match self.asked.client(turns) {
                Ok(client) => *now = Now { client, turns, hangs: false },
                Err(error) => tracing::warn!(%error, "read Hadoop's settings again"),
            }
        }
        (now.client.clone(), now.turns)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let several = self.namenodes.asked.services.iter().any(|(_, ids)| ids.len() > 1);
        let mut now = self.namenodes.now();
        // Of several that hang at once only one counts.
        if !self.answered && several && now.turns == self.turns && !now.hangs {
            tracing::info!("a NameNode does not answer; the next one is asked first");
            now.hangs = true;
        }
    }
}

impl Asked {
    /// A client that asks the NameNodes in their order, but begins with another one after every turn.
    fn client(&self, turns: usize) -> Result<Client, HdfsError> {
        let mut config: Vec<_> = FAILOVER.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (name, ids) in &self.services {
            let mut ids = ids.clone();
            let first = turns % ids.len();
            ids.rotate_left(first);
            config.push((name.clone(), ids.join(",")));
        }
        let mut builder = ClientBuilder::new().with_config(config).with_io_runtime(self.io.clone());
        if let Some(dir) = self.settings.as_deref().and_then(Path::to_str) {
            builder = builder.with_config_dir(dir);
        }
        if let Some(url) = &self.url {
            builder = builder.with_url(url);
        }
        if let Some(Login { principal, keytab }) = &self.login {
            let keytab = keytab.to_str().ok_or_else(|| {
                HdfsError::InvalidArgument(format!("the keytab's name is not UTF-8: {}", keytab.display()))
            })?;
            builder = builder.with_kerberos_principal(principal).with_kerberos_keytab(keytab);
        }
        builder.build()
    }
}

/// What cannot be read here `hdfs-native` complains of, or does not need.
fn read(dir: &Path) -> Settings {
    let mut settings = Settings::default();
    for file in ["core-site.xml", "hdfs-site.xml"] {
        let Ok(text) = fs::read_to_string(dir.join(file)) else { continue };
        if let Err(why) = settings.add(&text) {
            tracing::debug!(file, why, "look for name services");
        }
    }
    settings
}

fn services(settings: &Settings) -> Vec<(String, Vec<String>)> {
    let names = settings.names(NAMENODES);
    names.map(|name| (name.to_owned(), settings.list(name))).filter(|(_, ids)| !ids.is_empty()).collect()
}

/// The file system, its host by address where tokens name it so; as it was when that cannot be found out.
fn as_tokens_have_it(url: Option<String>, settings: &Settings) -> Option<String> {
    let url = url.or_else(|| settings.get("fs.defaultFS"))?;
    let authority = url.strip_prefix("hdfs://").map(|rest| rest.split('/').next().unwrap_or_default());
    // Without a port it is a name service, which tokens name as it is.
    let host = authority.filter(|authority| authority.contains(':'));
    let by_address = settings.get(TOKENS_BY_ADDRESS).is_none_or(|value| value != "false");
    let address = host.filter(|_| by_address).and_then(|host| host.to_socket_addrs().ok()?.next());
    Some(address.map_or(url, |address| format!("hdfs://{address}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;
    use tokio::net::TcpListener;
    use tokio::time;

    use super::*;
    use crate::hadoop::tests::settings;

    /// Long enough for a connection on this machine.
    const SOON: Duration = Duration::from_millis(100);
    /// For one that was made before.
    const AT_ONCE: Duration = Duration::from_millis(10);

    /// Servers that take connections and never say anything, and who asks them, `n1` first.
    async fn silent(servers: usize) -> (NameNodes, Vec<TcpListener>, TempDir) {
        let mut listeners = Vec::new();
        let mut settings = String::new();
        let mut set = |name: &str, value: &str| {
            settings += &format!("<property><name>{name}</name><value>{value}</value></property>");
        };
        let ids: Vec<String> = (1..=servers).map(|n| format!("n{n}")).collect();
        set("dfs.ha.namenodes.names", &ids.join(" ,\n "));
        for id in &ids {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            set(&format!("dfs.namenode.rpc-address.names.{id}"), &address);
            listeners.push(listener);
        }
        let dir = tempfile::tempdir().unwrap();
        let text = format!("<configuration>{settings}</configuration>");
        fs::write(dir.path().join("hdfs-site.xml"), text).unwrap();
        let url = Some("hdfs://names".to_owned());
        let services = services(&read(dir.path()));
        let settings = Some(dir.path().to_owned());
        let asked = Asked { url, login: None, settings, io: Handle::current(), services };
        (NameNodes::by(asked).unwrap(), listeners, dir)
    }

    async fn given_up(namenodes: &NameNodes) {
        let asked = namenodes.ask(|client| async move { client.get_file_info("/").await });
        assert!(time::timeout(SOON, asked).await.is_err(), "nobody answers");
    }

    async fn asked(listener: &TcpListener) -> bool {
        time::timeout(AT_ONCE, listener.accept()).await.is_ok()
    }

    #[tokio::test]
    async fn after_one_that_does_not_answer_the_next_is_asked() {
        let (namenodes, listeners, _dir) = silent(3).await;
        for turn in 0..4 {
            given_up(&namenodes).await;
            for (n, listener) in listeners.iter().enumerate() {
                assert_eq!(asked(listener).await, n == turn % 3, "server {n}, turn {turn}");
            }
        }
    }

    #[tokio::test]
    async fn of_several_calls_that_hang_at_once_one_counts() {
        let (namenodes, listeners, _dir) = silent(2).await;
        tokio::join!(given_up(&namenodes), given_up(&namenodes));
        assert!(asked(&listeners[0]).await && !asked(&listeners[1]).await);
        given_up(&namenodes).await;
        assert!(asked(&listeners[1]).await && !asked(&listeners[0]).await);
    }

    #[tokio::test]
    async fn one_alone_is_asked_again() {
        let (namenodes, listeners, _dir) = silent(1).await;
        given_up(&namenodes).await;
        assert!(asked(&listeners[0]).await);
        given_up(&namenodes).await;
        assert_eq!(namenodes.now().turns, 0);
    }

    #[test]
    fn tokens_are_for_addresses_unless_the_settings_say_otherwise() {
        let by_default = settings(&[("fs.defaultFS", "hdfs://127.0.0.2:8020/")]);
        let by_name = settings(&[(TOKENS_BY_ADDRESS, "false")]);
        let url = |text: &str| Some(text.to_owned());
        let address = as_tokens_have_it(url("hdfs://localhost:9000"), &by_default).unwrap();
        assert!(["hdfs://127.0.0.1:9000", "hdfs://[::1]:9000"].contains(&address.as_str()), "{address}");
        assert_eq!(as_tokens_have_it(None, &by_default), url("hdfs://127.0.0.2:8020"));
        assert_eq!(as_tokens_have_it(None, &Settings::default()), None);
        for (as_it_is, settings) in [("hdfs://spindle", &by_default), ("hdfs://localhost:9000", &by_name)] {
            assert_eq!(as_tokens_have_it(url(as_it_is), settings), url(as_it_is));
        }
    }
}
